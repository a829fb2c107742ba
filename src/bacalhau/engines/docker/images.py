"""Images: is there one for this node, and is it here (spec engines.md 2.3, 2.4)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

import aiodocker
import aiohttp
import structlog

from bacalhau.engines.docker.daemon import CONNECT_SECONDS, stream
from bacalhau.engines.docker.errors import (
    connection_lost,
    foreign,
    image_error,
    not_here,
    translated,
)
from bacalhau.errors import Code, ExecutionError
from bacalhau.models.specs.docker import PullPolicy
from bacalhau.models.specs.images import Reference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bacalhau.engines.docker.options import DockerOptions
    from bacalhau.ports import Clock

_log = structlog.get_logger(__name__)

_UNKNOWN = "unknown/unknown"
_SEEN_SECONDS = 60.0
_REGISTRY_SECONDS = 60.0
_NO_PROGRESS_SECONDS = 300.0
_PROGRESS_SECONDS = 3.0
_NOT_FOUND = 404


class Logins(Protocol):
    """Knows what a registry is told of who asks."""

    async def of(self, registry: str) -> dict[str, str] | None:
        """Return the login for a registry as the daemon takes it, or None."""
        ...


class Images:
    """What the daemon and the registries have. Platforms are texts such as ``linux/amd64``.

    An image that is here, for the right platform, is used without asking a registry, also when it
    was built here and no registry knows it. A tag that moved is only pulled again when the task
    says so.
    """

    def __init__(
        self, docker: aiodocker.Docker, clock: Clock, options: DockerOptions, logins: Logins
    ) -> None:
        self._docker = docker
        self._clock = clock
        self._pulls = options.pulls
        self._logins = logins
        self._seen = _Memory(options.cached_images, clock)
        self._known = _Memory(options.cached_images, clock)
        self._life_seconds = options.cache_seconds

    async def platforms(
        self,
        image: str,
        wanted: Collection[str],
        policy: PullPolicy,
        *,
        daemon_seconds: float | None = None,
    ) -> tuple[str, ...]:
        """Return the platforms that an image is there for; only a wanted one if it is local.

        That is the one of the local image, too, where no registry has the image.
        ``daemon_seconds`` is how long to wait for what the daemon itself knows.

        Raises:
            ExecutionError: code ``ImageNotFound`` or ``ImageInvalid``.
            TransientError: the daemon or the registry does not answer; code ``Unavailable`` when
                the daemon does not within ``daemon_seconds``.
        """
        local = await self._local_within(image, daemon_seconds)
        if local in wanted:
            return (local,)
        if not self._may_pull(policy):
            if local:
                return (local,)
            raise not_here(image)
        known = self._known.recall(image)
        if known is None:
            try:
                known = await self._ask_registry(image)
            except ExecutionError as exc:
                if local and exc.code == Code.IMAGE_NOT_FOUND:
                    return (local,)  # It was built here.
                raise
            # What a digest names never changes.
            self._known.note(image, known, float("inf") if "@" in image else self._life_seconds)
        return known

    async def ensure(self, image: str, wanted: Collection[str], policy: PullPolicy) -> str:
        """Pull an image unless it is here; return the platform that it is for.

        Raises:
            ExecutionError: as ``platforms``.
            TransientError: as ``platforms``; also a pull without any progress.
        """
        local = await self._local_platform(image)
        must_pull = policy is PullPolicy.ALWAYS and self._pulls
        if local in wanted and not must_pull:
            return local
        offered = () if must_pull else await self.platforms(image, wanted, policy)
        platform = next((each for each in wanted if each in offered), next(iter(wanted)))
        if offered and platform not in offered:
            raise foreign(image, ", ".join(offered), wanted)
        await self._pull(image, platform)
        self.forget(image)
        return platform

    def forget(self, image: str) -> None:
        """Look at an image anew the next time: it is not what it was."""
        self._seen.forget(image)

    def _may_pull(self, policy: PullPolicy) -> bool:
        return self._pulls and policy is not PullPolicy.NEVER

    async def _pull(self, image: str, platform: str) -> None:
        reference = _reference(image)
        headers = await self._login_headers(reference)
        params = {"fromImage": str(reference), "platform": platform}
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=_NO_PROGRESS_SECONDS
        )
        told_at = self._clock.monotonic()
        # aiodocker would leave the connection open when it is cancelled, and so the daemon at work.
        with translated(f'pull the image "{image}"', lambda exc: image_error(exc, image)):
            async with stream(
                self._docker,
                "POST",
                "images/create",
                params=params,
                headers=headers,
                timeout=timeout,
            ) as response:
                async for line in response.content:
                    step = _step(line)
                    if self._clock.monotonic() - told_at >= _PROGRESS_SECONDS:
                        told_at = self._clock.monotonic()
                        _log.info("image_pull", image=image, **_told(step))

    async def _local_within(self, image: str, seconds: float | None) -> str:
        try:
            async with asyncio.timeout(seconds):
                return await self._local_platform(image)
        except TimeoutError as exc:
            raise connection_lost(exc, f'look for the image "{image}"') from exc

    async def _local_platform(self, image: str) -> str:
        """Return the platform of the image that is here, or an empty text."""
        if seen := self._seen.recall(image):
            return seen[0]
        with translated(f'look for the image "{image}"', lambda exc: image_error(exc, image)):
            try:
                found = await self._docker.images.inspect(image)
            except aiodocker.DockerError as exc:
                if exc.status == _NOT_FOUND:
                    return ""
                raise
        platform = f"{found.get('Os', '')}/{found.get('Architecture', '')}"
        self._seen.note(image, (platform,), _SEEN_SECONDS)
        return platform

    async def _ask_registry(self, image: str) -> tuple[str, ...]:
        reference = _reference(image)
        headers = await self._login_headers(reference)
        action = f'ask the registry for the image "{image}"'
        with translated(action, lambda exc: image_error(exc, image)):
            async with (
                asyncio.timeout(_REGISTRY_SECONDS),
                stream(
                    self._docker, "GET", f"distribution/{reference}/json", headers=headers
                ) as response,
            ):
                return _platforms(await response.json())

    async def _login_headers(self, reference: Reference) -> dict[str, str]:
        login = await self._logins.of(reference.registry)
        if not login:
            return {}
        payload = {**login, "serveraddress": reference.registry}
        encoded = base64.urlsafe_b64encode(json.dumps(payload).encode())
        return {"X-Registry-Auth": encoded.decode()}


class _Memory:
    """A bounded number of answers, each for a time; what was not used for longest goes first."""

    def __init__(self, size: int, clock: Clock) -> None:
        self._size = size
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()

    def recall(self, key: str) -> tuple[str, ...] | None:
        until, answer = self._entries.get(key, (0.0, ()))
        if self._clock.monotonic() >= until:
            self._entries.pop(key, None)
            return None
        self._entries.move_to_end(key)
        return answer

    def note(self, key: str, answer: tuple[str, ...], life_seconds: float) -> None:
        self._entries[key] = (self._clock.monotonic() + life_seconds, answer)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        self._entries.pop(key, None)


def _reference(image: str) -> Reference:
    reference = parse_reference(image)
    if reference is None:
        raise image_error(aiodocker.DockerError(400, "invalid reference format"), image)
    return reference


def _platforms(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Read an answer of the registry; attestations have no platform."""
    found = (
        f"{each.get('os', '')}/{each.get('architecture', '')}"
        for each in answer.get("Platforms") or ()
    )
    return tuple(dict.fromkeys(each for each in found if each != _UNKNOWN))


def _step(line: bytes) -> dict[str, Any]:
    """Read a line of what the daemon tells of a pull.

    Raises:
        DockerError: it says that the pull has failed.
    """
    step: dict[str, Any] = json.loads(line)
    if "error" in step or "errorDetail" in step:
        detail = step.get("errorDetail") or {}
        raise aiodocker.DockerError(0, str(detail.get("message") or step.get("error")))
    return step


def _told(step: Mapping[str, Any]) -> dict[str, str]:
    wanted = {"layer": "id", "status": "status", "progress": "progress"}
    return {name: str(step[field]) for name, field in wanted.items() if step.get(field)}
