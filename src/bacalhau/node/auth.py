"""Composing what decides who may use the API (spec config.md 3.2, security.md 3 to 5)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bacalhau.api import Guard, Login
from bacalhau.errors import Code, UserError
from bacalhau.policy.challenge import Challenges
from bacalhau.policy.methods import Answers, SignedChallenge
from bacalhau.policy.policy_file import read_asked, read_clients
from bacalhau.policy.token_key import TokenKey
from bacalhau.policy.tokens import Tokens

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from bacalhau.node.roles import Host
    from bacalhau.policy.methods import Method

TOKEN_KEY_FILE = "token_key.pem"  # noqa: S105 - the name of a file
ALLOW = "builtin:allow"
NAMESPACES = "builtin:namespaces"
_METHODS_KEY = "API.Auth.Methods"
_POLICY_KEY = "API.Auth.AccessPolicyPath"
_HASHING_THREADS = 2


class Access(NamedTuple):
    """How to log in, who may do what, and the key of the tokens, which is not loaded yet."""

    login: Login
    guard: Guard
    key: TokenKey

    def check_key(self) -> None:
        """Load the key where each request needs it; else only see whether it may be one.

        Raises:
            UserError: the file cannot be read or written, or holds no key.
        """
        if self.guard.is_strict:
            self.key.load()
        else:
            self.key.check()


def start_access(host: Host, stack: AsyncExitStack) -> Access:
    """Return what the settings say about access; ``stack`` ends its threads.

    Raises:
        UserError: a setting or a policy file is not in order. Nobody is let in then.
    """
    _refuse_what_is_not_checked(host)
    key = TokenKey(host.directory / TOKEN_KEY_FILE)
    tokens = Tokens(
        node_id=host.node_id,
        key=key.load,
        clock=host.clock,
        lifetime_seconds=int(host.settings.seconds("API.Auth.TokenLifetime")),
    )
    is_open = _is_open(host.settings.text(_POLICY_KEY))
    return Access(
        Login(methods=_methods(host, stack), tokens=tokens),
        Guard(None if is_open else tokens),
        key,
    )


def _refuse_what_is_not_checked(host: Host) -> None:
    """Refuse settings that would make somebody believe that callers are checked."""
    unread = [name for name in host.settings.without_effect if name.startswith("API.Auth.")]
    if unread:
        raise UserError(
            f"{unread[0]} is set, and is not supported yet: nobody would be checked by it",
            code=Code.CONFIGURATION,
            hint=f"remove it; tokens are asked for with API.Auth.AccessPolicyPath={NAMESPACES} and "
            "given out by API.Auth.Methods",
            component="Auth",
            fields=unread,
        )


def _is_open(policy: str) -> bool:
    """Tell whether a policy lets everybody do everything."""
    if policy in ("", ALLOW):
        return True
    if policy == NAMESPACES:
        return False
    if policy.startswith("builtin:"):
        raise _error(f"there is no built-in policy {policy}", _POLICY_KEY)
    raise _error(
        f"policy {policy} cannot be used: policies in Rego are not supported yet", _POLICY_KEY
    )


def _methods(host: Host, stack: AsyncExitStack) -> dict[str, Method]:
    text = host.settings.text(_METHODS_KEY)
    configured = json.loads(text) if text else {}
    if not isinstance(configured, dict):
        raise _error("expected a section of methods by name", _METHODS_KEY)
    methods = {}
    for name, options in configured.items():
        known = name.strip().lower()
        if known in methods:
            raise _error(f"there are two methods {known}", _METHODS_KEY)
        methods[known] = _method(host, stack, name, options)
    return methods


def _method(host: Host, stack: AsyncExitStack, name: str, options: Any) -> Method:
    if not isinstance(options, dict):
        raise _error(f"method {name} must be a section with Type and PolicyPath", _METHODS_KEY)
    given = {key.lower(): value for key, value in options.items()}
    kind = str(given.get("type", ""))
    path = _policy_path(name, given.get("policypath"))
    if kind.lower() == "challenge":
        challenges = Challenges(node_id=host.node_id, clock=host.clock, ids=host.ids)
        return SignedChallenge(challenges, read_clients(path) if path is not None else None)
    if kind.lower() != "ask":
        raise _error(
            f'method {name} has the unknown type "{kind}": expected challenge or ask', _METHODS_KEY
        )
    if path is None:
        raise _error(f"method {name} of type ask needs a PolicyPath", _METHODS_KEY)
    threads = ThreadPoolExecutor(_HASHING_THREADS, thread_name_prefix="passwords")
    return Answers(read_asked(path), stack.enter_context(threads))


def _policy_path(name: str, given: object) -> Path | None:
    if not given:
        return None
    path = Path(str(given)).expanduser()
    if not path.is_absolute():
        raise _error(f'method {name}: PolicyPath "{given}" must be an absolute path', _METHODS_KEY)
    if path.suffix == ".rego" or path.is_dir():
        raise _error(
            f"method {name}: {path} cannot be used: policies in Rego are not supported yet",
            _METHODS_KEY,
        )
    return path


def _error(reason: str, key: str) -> UserError:
    hints = {
        _POLICY_KEY: f"use {NAMESPACES}, which asks for a token, or {ALLOW}, the default",
        _METHODS_KEY: "write methods as in docs/how-to/secure-the-api.md; "
        'the default is {"ClientKey":{"Type":"challenge"}}',
    }
    return UserError(
        f"invalid {key}: {reason}",
        code=Code.CONFIGURATION,
        hint=hints[key],
        component="Auth",
        fields=[key],
    )
