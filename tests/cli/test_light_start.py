"""Commands load what they need and nothing more: a call must feel instant."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.support.cli import ServedApi

PROBE = """\
import json, sys
bare = set(sys.modules)
from bacalhau.cli.main import main
code = main(sys.argv[1:])
found = []
for name, module in sorted(sys.modules.items()):
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    if name not in bare and "." not in name and "site-packages" in origin:
        found.append(name)
print(json.dumps([code, found, sorted(sys.modules)]), file=sys.stderr)
"""

HEAVY = {
    "asyncio",
    "concurrent.futures",
    "ctypes",
    "decimal",
    "email",
    "gzip",
    "hashlib",
    "http.client",
    "importlib.metadata",
    "json",
    "logging",
    "multiprocessing",
    "random",
    "sqlite3",
    "ssl",
    "subprocess",
    "tarfile",
    "tempfile",
    "unittest",
    "urllib.request",
    "uuid",
    "xml",
    "zipfile",
}
"""Modules of the standard library that take more than a millisecond."""

CLIENT = {
    *("click", "msgspec", "typing_extensions"),
    *("decimal", "email", "http.client", "random", "ssl", "uuid"),
}
"""All that a call may load. msgspec brings typing_extensions; http.client brings email, ssl and, up
to Python 3.12, random; units bring decimal."""


def loaded(*arguments: str) -> set[str]:
    """Run a command in a fresh process; return the third-party and heavy modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, third_party, everything = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    modules = set(everything)
    # The probe itself needs json.
    return {name for name in (*third_party, *(HEAVY & modules)) if name not in ("bacalhau", "json")}


def test_version_of_the_client() -> None:
    assert loaded("version", "--client") == {"click", "uuid"}


def test_version(server: ServedApi) -> None:
    assert loaded("version", "--api-port", str(server.port)) <= CLIENT


def test_job_list(server: ServedApi) -> None:
    assert loaded("job", "list", "--api-port", str(server.port)) <= CLIENT


def test_help() -> None:
    assert loaded("job", "list", "--help") == {"click", "uuid"}


def test_completing_a_word() -> None:
    assert loaded("__complete", "job", "li") == {"click", "uuid"}


def test_a_deprecated_command_that_may_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACALHAU_DEPRECATED_COMMANDS_SUCCEED", "1")
    assert loaded("list") == {"click", "uuid"}


def test_node_describe(server: ServedApi) -> None:
    command = ("node", "describe", "n-here", "--output", "json")
    assert loaded(*command, "--api-port", str(server.port)) <= CLIENT
