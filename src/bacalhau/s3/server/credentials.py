"""Who this node is to S3: the chain of the AWS SDKs, as botocore implements it (storage.md 2.3).

Environment, shared files with profiles, assumed roles, SSO, processes, web identity, containers and
instance metadata are all tried in the order that other AWS programs on the machine use.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bacalhau.errors import Code, UserError
from bacalhau.lib.threads import run_to_end
from bacalhau.s3.server.endpoints import DEFAULT_REGION

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from bacalhau.ports import Clock

_RETRY_SECONDS = 60.0
_RENEWED_SECONDS = 5.0
_METADATA_ADDRESS = ("169.254.169.254", 80)
_METADATA_SECONDS = 1.0
_FILES = ("~/.aws/config", "~/.aws/credentials", "/etc/boto.cfg", "~/.boto")
_NO_SOURCE = frozenset({"AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_REGION"})
_SWITCH = "AWS_EC2_METADATA_DISABLED"


class CredentialChain:
    """Finds credentials when they are first needed, and again when they expire.

    A search that finds none is repeated after a minute at the earliest, because it may wait for
    instance metadata; so credentials that are added later are noticed without a restart.
    """

    def __init__(self, clock: Clock, executor: Executor) -> None:
        self._clock = clock
        self._executor = executor
        self._lock = asyncio.Lock()
        self._found: Any = None
        self._renewed_at: float | None = None
        self._region = ""
        self._searched_at: float | None = None

    async def current(self) -> Any:
        """Return botocore's frozen credentials, or None when there are none.

        Raises:
            UserError: code ``InvalidCredentials``; a profile or a helper program is broken.
        """
        await self._search()
        if self._found is None:
            return None
        needs_refresh = getattr(self._found, "refresh_needed", None)
        if needs_refresh is not None and needs_refresh():
            async with self._lock:  # one asks, and the others take what it got
                return await self._run(self._found.get_frozen_credentials)
        return self._found.get_frozen_credentials()

    async def renew(self) -> bool:
        """Search anew, because a server refuses what was found as expired; True if there is some.

        Credentials that tell when they expire are renewed before. This is for those that do not,
        and for clocks that differ.

        Raises:
            UserError: as ``current``.
        """
        async with self._lock:
            now = self._clock.monotonic()
            # Requests that were under way together are refused together.
            if self._renewed_at is None or now >= self._renewed_at + _RENEWED_SECONDS:
                self._found, self._region = await self._run(_search)
                self._searched_at = self._renewed_at = now
            return self._found is not None

    async def default_region(self) -> str:
        """Return the region of the environment or the profile, else ``us-east-1``.

        Raises:
            UserError: as ``current``.
        """
        await self._search()
        return self._region or DEFAULT_REGION

    async def _search(self) -> None:
        async with self._lock:
            now = self._clock.monotonic()
            is_recent = self._searched_at is not None and now < self._searched_at + _RETRY_SECONDS
            if self._found is not None or is_recent:
                return
            self._found, self._region = await self._run(_search)
            self._searched_at = now

    async def _run(self, step: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return await run_to_end(self._executor, step)
        except (BotoCoreError, ClientError) as exc:
            raise UserError(
                f"the AWS credentials of this node cannot be used: {exc}",
                code=Code.INVALID_CREDENTIALS,
                hint="check AWS_PROFILE, ~/.aws/config and ~/.aws/credentials on the node",
                component="S3",
            ) from exc


def default_endpoint() -> str:
    """Return the endpoint that the node's environment gives in place of AWS, or an empty text."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _search() -> tuple[Any, str]:
    """Ask botocore; blocks for as long as a helper program or instance metadata takes."""
    if not _has_sources():
        # botocore would find nothing either, and it takes 7 MiB and a tenth of a second to load.
        return None, os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    from botocore.session import Session

    session = Session()
    # botocore itself does not read AWS_REGION, and asks for roles nowhere without a region.
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or ""
    session.set_config_variable("region", region or DEFAULT_REGION)
    found = session.get_credentials()
    if found is not None:
        frozen = found.get_frozen_credentials()
        if not (frozen.access_key and frozen.secret_key):
            found = None
    return found, region


def _has_sources() -> bool:
    """Tell whether there is anything at all that credentials might come from."""
    names = {name for name in os.environ if name.startswith(("AWS_", "BOTO_"))}
    if names - _NO_SOURCE - {_SWITCH}:
        return True
    if any(Path(file).expanduser().exists() for file in _FILES):
        return True
    return os.environ.get(_SWITCH, "").lower() != "true" and _has_metadata()


def _has_metadata() -> bool:
    """Tell whether this machine is one of a cloud that hands out credentials."""
    try:
        socket.create_connection(_METADATA_ADDRESS, _METADATA_SECONDS).close()
    except OSError:
        return False
    return True
