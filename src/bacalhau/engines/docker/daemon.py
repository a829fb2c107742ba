"""The connection to the Docker daemon, and what is known of it (spec engines.md 2.2)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiodocker
import aiohttp
import structlog

from bacalhau.engines.docker.errors import COMPONENT, translated
from bacalhau.errors import BacalhauError, Code, TransientError, UserError
from bacalhau.lib.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bacalhau.ports import Clock

_log = structlog.get_logger(__name__)

DEFAULT_HOST = "unix:///var/run/docker.sock"
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0
_PROBE_SECONDS = 4.0
_FACTS_LIFE_SECONDS = 10.0
_ABSENCE_SECONDS = 600.0
_AGAIN = Backoff(initial_seconds=0.5, maximum_seconds=5)

STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
"""For answers that come as long as a task runs; who reads them minds the time."""


@asynccontextmanager
async def connect(environment: Mapping[str, str]) -> AsyncIterator[aiodocker.Docker]:
    """Make a client as ``DOCKER_HOST``, ``DOCKER_TLS_VERIFY`` and so on say. Connects when used.

    The number of connections has no limit: each running task holds two.

    Raises:
        UserError: code ``ConfigurationError``; the environment makes no sense.
    """
    host = environment.get("DOCKER_HOST") or DEFAULT_HOST
    scheme, separator, address = host.partition("://")
    connector: aiohttp.BaseConnector
    if separator and scheme == "unix":
        url, connector = "unix://localhost", aiohttp.UnixConnector(address, limit=0)
    elif separator and scheme in ("tcp", "http", "https"):
        tls = _tls(environment) if environment.get("DOCKER_TLS_VERIFY") else None
        url = f"{'https' if tls or scheme == 'https' else 'http'}://{address}"
        connector = aiohttp.TCPConnector(limit=0, ssl=tls if tls is not None else True)
    else:
        raise UserError(
            f'DOCKER_HOST="{host}" names no address of a Docker daemon',
            code=Code.CONFIGURATION,
            hint="write unix:///PATH or tcp://HOST:PORT, or leave it unset",
            component=COMPONENT,
        )
    version = environment.get("DOCKER_API_VERSION", "")
    async with (
        connector,
        aiodocker.Docker(
            url,
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS),
            api_version=f"v{version.removeprefix('v')}" if version else "auto",
        ) as docker,
    ):
        yield docker


def _tls(environment: Mapping[str, str]) -> ssl.SSLContext:
    folder = Path(environment.get("DOCKER_CERT_PATH") or "~/.docker").expanduser()
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as exc:
        raise UserError(
            f'cannot read the certificates for the Docker daemon in "{folder}": {exc}',
            code=Code.CONFIGURATION,
            hint="DOCKER_CERT_PATH must hold ca.pem, cert.pem and key.pem",
            component=COMPONENT,
        ) from exc
    return context


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """What the engine must know of the daemon.

    Attributes:
        platform: ``os/arch`` as in the names of images, such as ``linux/amd64``.
        has_init: The init program that ``docker run --init`` uses is installed: it collects
            orphaned processes.
        cpus: How many processors it has to give; 0 where it does not say.
    """

    platform: str
    has_init: bool
    cpus: int = 0


class Daemon:
    """Facts about the daemon, asked for again when they are some seconds old; and its absences.

    A daemon that is away, for an upgrade say, is waited for by those who need it, for ten minutes.
    """

    def __init__(self, docker: aiodocker.Docker, clock: Clock) -> None:
        self._docker = docker
        self._clock = clock
        self._facts: DaemonFacts | None = None
        self._asked_at = 0.0
        self._away_since: float | None = None

    async def facts(self) -> DaemonFacts:
        """Return what is known, asking when that is old. A daemon that is slow has not changed.

        Raises:
            TransientError: the daemon does not answer, or not in time.
        """
        if self._facts and self._is_known():
            return self._facts
        try:
            return await self._ask()
        except TransientError as exc:
            if exc.code == Code.DEADLINE and self._facts:
                return self._facts
            raise

    async def answers(self, limit_seconds: float) -> bool:
        """Tell whether the daemon answers within a time, or did so some seconds ago."""
        try:
            if not self._is_known():
                await self._ask(limit_seconds)
        except BacalhauError:
            return False
        return True

    def _is_known(self) -> bool:
        is_fresh = self._clock.monotonic() - self._asked_at < _FACTS_LIFE_SECONDS
        return self._facts is not None and is_fresh and self._away_since is None

    async def is_available(self) -> bool:
        """Tell whether there is a daemon: it answers, or it did until a short while ago."""
        return await self.answers(_PROBE_SECONDS) or (
            self._facts is not None and not self._is_gone()
        )

    async def wait_back(self, exc: TransientError) -> None:
        """Wait until a daemon answers again that could not be reached.

        Raises:
            TransientError: ``exc``, when it was of another kind or the daemon stays away.
        """
        if exc.code != Code.DOCKER_UNAVAILABLE:
            raise exc
        self._note_absence(exc)
        attempt = 0
        while not self._is_gone():
            await asyncio.sleep(_AGAIN.delay(attempt, draw=0))
            attempt += 1
            with contextlib.suppress(TransientError):
                await self._ask()
                return
        raise exc

    async def _ask(self, limit_seconds: float = _PROBE_SECONDS) -> DaemonFacts:
        try:
            with translated("ask the Docker daemon for its version"):
                async with asyncio.timeout(limit_seconds):
                    version = await self._docker.version()
                    info = await self._docker.system.info()
        except TransientError as exc:
            if exc.code == Code.DOCKER_UNAVAILABLE:
                self._note_absence(exc)
            raise
        self._note_presence()
        self._facts = _facts(version, info)
        self._asked_at = self._clock.monotonic()
        return self._facts

    def _is_gone(self) -> bool:
        """Tell whether it has been away for too long to be waited for."""
        since = self._away_since
        return since is not None and self._clock.monotonic() - since > _ABSENCE_SECONDS

    def _note_absence(self, exc: TransientError) -> None:
        if self._away_since is None:
            self._away_since = self._clock.monotonic()
            _log.warning("docker_daemon_away", error=exc.message, hint=exc.hint)

    def _note_presence(self) -> None:
        if self._away_since is not None:
            seconds = self._clock.monotonic() - self._away_since
            _log.info("docker_daemon_back", seconds=round(seconds, 1))
            self._away_since = None


def _facts(version: Mapping[str, Any], info: Mapping[str, Any]) -> DaemonFacts:
    # The daemon reports "N/A" for the version of an init program that it cannot run.
    init = (info.get("InitCommit") or {}).get("ID", "N/A")
    return DaemonFacts(
        platform=f"{version.get('Os', 'linux')}/{version.get('Arch', '')}",
        has_init=init != "N/A",
        cpus=int(info.get("NCPU") or 0),
    )


@asynccontextmanager
async def stream(
    docker: aiodocker.Docker,
    method: str,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: aiohttp.ClientTimeout = STREAM_TIMEOUT,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Make a request whose answer is read as it comes, in bytes.

    Leaving the block ends the connection, which breaks off what the daemon does for the request.

    aiodocker decodes output as text and drops what is not; results must be exact.

    Raises:
        DockerError: the daemon refuses.
        aiohttp.ClientError: the connection fails, now or while reading.
    """
    if docker.api_version == "auto":
        docker.api_version = "v" + str((await docker.version())["ApiVersion"])
    url = f"{docker.docker_host}/{docker.api_version}/{path}"
    async with docker.session.request(
        method, url, params=params, headers=headers, timeout=timeout
    ) as response:
        if not response.ok:
            text = await response.text()
            if response.content_type == "application/json":
                text = (await response.json())["message"]
            raise aiodocker.DockerError(response.status, text)
        yield response
