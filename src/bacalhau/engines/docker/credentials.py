"""What a registry is told of who asks (spec engines.md 2.4, security.md T-J13).

In this order: the registries that the node's configuration names; for Docker Hub the variables
``DOCKER_USERNAME`` and ``DOCKER_PASSWORD``; what ``docker login`` has kept, credential helpers
included. Each entry belongs to one registry and is shown to no other.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from bacalhau.engines.docker.errors import COMPONENT
from bacalhau.errors import Code, UserError
from bacalhau.models.specs.images import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = structlog.get_logger(__name__)

REGISTRIES_KEY = "Engines.Types.Docker.Registries"
_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_HUB_ADDRESS = "https://index.docker.io/v1/"
_HELPER_SECONDS = 10.0
_TOKEN_USER = "<token>"  # noqa: S105 - the word that helpers use in place of a user


class Login(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True):
    """A user of one registry."""

    username: str
    password: str


class Credentials:
    """Looks up the login for a registry, each time anew: ``docker login`` may change it."""

    def __init__(self, environment: Mapping[str, str], configured: Mapping[str, Login]) -> None:
        self._environment = environment
        self._configured = {_host(name): login for name, login in configured.items()}

    async def of(self, registry: str) -> dict[str, str] | None:
        """Return what the daemon's API takes for a registry, or None when nothing is known."""
        host = _host(registry)
        if login := self._configured.get(host):
            return {"username": login.username, "password": login.password}
        user = self._environment.get("DOCKER_USERNAME", "")
        password = self._environment.get("DOCKER_PASSWORD", "")
        if host == DOCKER_HUB and user and password:
            return {"username": user, "password": password}
        return await self._kept(host)

    async def _kept(self, host: str) -> dict[str, str] | None:
        config = _read_config(self._environment)
        helper = _entry(config.get("credHelpers"), host) or config.get("credsStore")
        if isinstance(helper, str) and helper:
            address = _HUB_ADDRESS if host == DOCKER_HUB else host
            if found := await _ask_helper(helper, address, self._environment):
                return found
        return _from_auth(_entry(config.get("auths"), host))


def read_logins(text: str) -> dict[str, Login]:
    """Read the setting: a map from registries to ``{Username: ..., Password: ...}``.

    Raises:
        UserError: code ``ConfigurationError``.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, Login]) if text else {}
    except msgspec.DecodeError as exc:
        raise UserError(
            f"cannot read {REGISTRIES_KEY}: {exc}",
            code=Code.CONFIGURATION,
            hint="write a section for each registry, with Username and Password",
            component=COMPONENT,
            fields=[REGISTRIES_KEY],
        ) from exc


def _host(registry: str) -> str:
    """Return the one name of a registry: no scheme, no path, and one for Docker Hub."""
    host = registry.partition("://")[2] or registry
    host = host.partition("/")[0].lower()
    return DOCKER_HUB if host in _HUB_NAMES else host


def _read_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read what ``docker login`` keeps; what is not there or makes no sense is as nothing."""
    folder = environment.get("DOCKER_CONFIG")
    try:
        file = (Path(folder) if folder else Path("~/.docker").expanduser()) / "config.json"
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, RuntimeError, ValueError) as exc:
        _log.warning("docker_config_unreadable", error=str(exc))
        return {}
    return found if isinstance(found, dict) else {}


def _entry(section: object, host: str) -> Any:
    if not isinstance(section, dict):
        return None
    return next((value for name, value in section.items() if _host(str(name)) == host), None)


def _from_auth(entry: object) -> dict[str, str] | None:
    if not isinstance(entry, dict):
        return None
    if token := entry.get("identitytoken"):
        return {"identitytoken": str(token)}
    try:
        text = base64.b64decode(str(entry.get("auth", "")), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, separator, password = text.rstrip("\0").partition(":")
    return {"username": user, "password": password} if separator and user else None


async def _ask_helper(
    name: str, address: str, environment: Mapping[str, str]
) -> dict[str, str] | None:
    """Ask a program ``docker-credential-NAME``; one that is missing or fails knows nothing."""
    program = f"docker-credential-{os.path.basename(name)}"  # noqa: PTH119 - a name, not a path
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
        )
    except OSError as exc:
        _log.warning("credential_helper_failed", program=program, error=str(exc))
        return None
    try:
        async with asyncio.timeout(_HELPER_SECONDS):
            answer, _ = await process.communicate(address.encode())
        found = json.loads(answer) if process.returncode == 0 else {}
        user, secret = str(found["Username"]), str(found["Secret"])
    except (TimeoutError, ValueError, KeyError, TypeError):
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if user == _TOKEN_USER:
        return {"identitytoken": secret}
    return {"username": user, "password": secret}
