"""Images: is there one for this node, and is it here (spec engines.md 2.3, 2.4)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import aiodocker
import aiohttp

from bacalhau.engines._docker_daemon import CONNECT_SECONDS, stream
from bacalhau.engines._docker_errors import image_error, translated
from bacalhau.engines._docker_reference import DOCKER_HUB, Reference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.ports import Clock

_UNKNOWN = "unknown/unknown"
_CACHED_IMAGES = 1000
_CACHE_LIFE_SECONDS = 3600.0
_REGISTRY_SECONDS = 60.0
_NO_PROGRESS_SECONDS = 300.0
_NOT_FOUND = 404


class Images:
    """What the daemon and the registries have. Platforms are texts such as ``linux/amd64``.

    An image that is here, for the right platform, is used without asking a registry, also when it
    was built here and no registry knows it. A tag that moved is not pulled again.
    """

    def __init__(
        self, docker: aiodocker.Docker, clock: Clock, environment: Mapping[str, str]
    ) -> None:
        self._docker = docker
        self._clock = clock
        self._environment = environment
        self._known: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()

    async def platforms(self, image: str, wanted: str) -> tuple[str, ...]:
        """Return the platforms that an image is there for; at least ``wanted`` if it is local.

        Raises:
            ExecutionError: code ``ImageNotFound`` or ``ImageInvalid``.
            TransientError: the daemon or the registry does not answer.
        """
        if await self._local_platform(image) == wanted:
            return (wanted,)
        now = self._clock.monotonic()
        until, platforms = self._known.get(image, (0.0, ()))
        if now < until:
            self._known.move_to_end(image)
            return platforms
        platforms = await self._ask_registry(image)
        # What a digest names never changes.
        life = float("inf") if "@" in image else _CACHE_LIFE_SECONDS
        self._known[image] = (now + life, platforms)
        while len(self._known) > _CACHED_IMAGES:
            self._known.popitem(last=False)
        return platforms

    async def ensure(self, image: str, platform: str) -> None:
        """Pull an image unless it is here.

        Raises:
            ExecutionError: as ``platforms``.
            TransientError: as ``platforms``; also a pull without any progress.
        """
        if "SKIP_IMAGE_PULL" in self._environment:
            return
        if await self._local_platform(image) == platform:
            return
        reference = self._reference(image)
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=_NO_PROGRESS_SECONDS
        )
        with translated(f'pull the image "{image}"', lambda exc: image_error(exc, image)):
            progress = self._docker.images.pull(  # type: ignore[call-overload]
                str(reference),
                tag="",  # It is part of the reference.
                auth=self._credentials(reference),
                platform=platform,
                stream=True,
                timeout=timeout,  # More than its annotation says is understood.
            )
            async for _ in progress:
                pass

    async def _local_platform(self, image: str) -> str:
        """Return the platform of the image that is here, or an empty text."""
        with translated(f'look for the image "{image}"', lambda exc: image_error(exc, image)):
            try:
                found = await self._docker.images.inspect(image)
            except aiodocker.DockerError as exc:
                if exc.status == _NOT_FOUND:
                    return ""
                raise
        return f"{found.get('Os', '')}/{found.get('Architecture', '')}"

    async def _ask_registry(self, image: str) -> tuple[str, ...]:
        reference = self._reference(image)
        headers = {}
        if credentials := self._credentials(reference):
            payload = {**credentials, "serveraddress": reference.registry}
            encoded = base64.urlsafe_b64encode(json.dumps(payload).encode())
            headers["X-Registry-Auth"] = encoded.decode()
        action = f'ask the registry for the image "{image}"'
        with translated(action, lambda exc: image_error(exc, image)):
            async with (
                asyncio.timeout(_REGISTRY_SECONDS),
                stream(
                    self._docker, "GET", f"distribution/{reference}/json", headers=headers
                ) as response,
            ):
                return _platforms(await response.json())

    def _credentials(self, reference: Reference) -> dict[str, str] | None:
        """Return what the environment has for Docker Hub; it is shown to no other registry."""
        user = self._environment.get("DOCKER_USERNAME", "")
        password = self._environment.get("DOCKER_PASSWORD", "")
        if reference.registry != DOCKER_HUB or not user or not password:
            return None
        return {"username": user, "password": password}

    @staticmethod
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
