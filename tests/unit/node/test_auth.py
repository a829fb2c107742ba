"""Settings of who may use the API: what is wrong in them lets nobody in (spec security.md 14.5)."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.config import Settings
from bacalhau.errors import UserError
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import SeededIds
from bacalhau.models import NodeID
from bacalhau.node.auth import start_access
from bacalhau.node.plugins import PluginClasses
from bacalhau.node.roles import Host
from bacalhau.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from pathlib import Path


def host(directory: Path, file: str) -> Host:
    """Return a host whose settings are those of a configuration file."""
    path = directory / "config.yaml"
    path.write_text(file)
    chance = random.Random(1)
    return Host(
        node_id=NodeID("n-1"),
        directory=directory,
        settings=Settings.load({}, [], [path]),
        classes=PluginClasses({}, {}, {}),
        transport=MemoryTransport(),
        clock=SystemClock(),
        random=chance,
        ids=SeededIds(chance),
    )


def access(directory: Path, file: str) -> Any:
    with contextlib.ExitStack() as stack:
        return start_access(host(directory, file), stack)  # type: ignore[arg-type]


def test_by_default_anybody_may_do_anything_and_log_in_with_a_key(tmp_path: Path) -> None:
    found = access(tmp_path, "API: {Port: 1}")
    assert not found.guard.is_strict
    assert [method.type for method in found.login.methods().values()] == ["challenge"]


def test_methods_of_a_file_replace_the_default(tmp_path: Path) -> None:
    policy = tmp_path / "secret.yaml"
    policy.write_text("Secret: {Secret: s}")
    file = f"API: {{Auth: {{Methods: {{' Team ': {{type: ask, policypath: {policy}}}}}}}}}"
    assert list(access(tmp_path, file).login.methods()) == ["team"]
    assert access(tmp_path, "API: {Auth: {Methods: {}}}").login.methods() == {}


def test_the_built_in_policy_asks_for_tokens(tmp_path: Path) -> None:
    file = "API: {Auth: {AccessPolicyPath: builtin:namespaces}}"
    assert access(tmp_path, file).guard.is_strict
    assert not access(tmp_path, file.replace("namespaces", "allow")).guard.is_strict


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        ("AccessPolicyPath: builtin:x", "there is no built-in policy builtin:x"),
        ("AccessPolicyPath: /p.rego", "policies in Rego are not supported yet"),
        ("AccessPolicyPath: p.rego", "policies in Rego are not supported yet"),
        ("Methods: {X: {Type: magic}}", 'method X has the unknown type "magic"'),
        ("Methods: {X: {}}", 'method X has the unknown type ""'),
        ("Methods: {X: 7}", "method X must be a section"),
        ("Methods: {X: {Type: ask}}", "method X of type ask needs a PolicyPath"),
        ("Methods: {X: {Type: ask, PolicyPath: p.yaml}}", "must be an absolute path"),
        ("Methods: {X: {Type: challenge, PolicyPath: /p.rego}}", "Rego are not supported"),
        ("Methods: {X: {Type: ask, PolicyPath: /nowhere/p.yaml}}", "cannot be read: No such file"),
        ("Methods: {X: {Type: challenge}, x: {Type: challenge}}", "there are two methods x"),
        ("Methods: [1]", "expected a section of methods"),
        ("Users: [{APIKey: x}]", "API.Auth.Users is set, and is not supported yet"),
        ("Oauth2: {Issuer: x}", "API.Auth.Oauth2.Issuer is set, and is not supported yet"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, auth: str, reason: str) -> None:
    with pytest.raises(UserError) as refused:
        access(tmp_path, f"API: {{Auth: {{{auth}}}}}")
    assert reason in refused.value.message
    assert refused.value.hint
