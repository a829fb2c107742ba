"""How the operator wants containers to be run (spec config.md 3.6, engines.md 2.3 to 2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from bacalhau.engines.docker.credentials import Login, read_logins
from bacalhau.engines.docker.errors import COMPONENT
from bacalhau.errors import Code, UserError
from bacalhau.lib.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network

    from bacalhau.config import Settings

_PREFIX = "Engines.Types.Docker"


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerOptions:
    """Settings of the Docker engine.

    Attributes:
        grace_seconds: Time between SIGTERM and SIGKILL.
        keeps_containers: Nothing is removed, for whoever looks for a fault (``KEEP_STACK``).
        pulls: Images may be pulled (not ``SKIP_IMAGE_PULL``).
        cached_images: How many descriptions of images are remembered.
        cache_seconds: How long.
        extra_platforms: Platforms that the daemon runs beside its own, such as by emulation.
        logins: Users of registries, by registry.
        dropped_capabilities: What root in a container may not do.
        shm_bytes: Size of ``/dev/shm``; 0 leaves it to the daemon.
        private_networks: Addresses that are not public and may still be reached by tasks with the
            HTTP network, where their domains allow it.
    """

    grace_seconds: float = 10.0
    keeps_containers: bool = False
    pulls: bool = True
    cached_images: int = 1000
    cache_seconds: float = 3600.0
    extra_platforms: tuple[str, ...] = ()
    logins: Mapping[str, Login]
    dropped_capabilities: tuple[str, ...] = ()
    shm_bytes: int = 0
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str]) -> DockerOptions:
        """Take what settings and environment say.

        Raises:
            UserError: code ``ConfigurationError``; a value makes no sense.
        """
        return cls(
            grace_seconds=settings.seconds(f"{_PREFIX}.StopTimeout"),
            keeps_containers=bool(environment.get("KEEP_STACK")),
            pulls="SKIP_IMAGE_PULL" not in environment,
            cached_images=settings.integer(f"{_PREFIX}.ManifestCache.Size"),
            cache_seconds=settings.seconds(f"{_PREFIX}.ManifestCache.TTL"),
            extra_platforms=settings.words(f"{_PREFIX}.ExtraPlatforms"),
            logins=read_logins(settings.text(f"{_PREFIX}.Registries")),
            dropped_capabilities=settings.words(f"{_PREFIX}.DropCapabilities"),
            shm_bytes=_bytes(f"{_PREFIX}.ShmSize", settings),
            private_networks=_networks(f"{_PREFIX}.AllowedPrivateNetworks", settings),
        )


def _bytes(key: str, settings: Settings) -> int:
    text = settings.text(key)
    try:
        return parse_bytes(text) if text.strip() else 0
    except ValueError as exc:
        raise _wrong(key, text, "an amount such as 64Mb", exc) from exc


def _networks(key: str, settings: Settings) -> tuple[IPv4Network | IPv6Network, ...]:
    found = []
    for word in settings.words(key):
        try:
            found.append(ip_network(word.strip()))
        except ValueError as exc:
            raise _wrong(key, word, "networks such as 10.1.0.0/16", exc) from exc
    return tuple(found)


def _wrong(key: str, text: str, form: str, exc: ValueError) -> UserError:
    return UserError(
        f'invalid value "{text}" for {key}: {exc}',
        code=Code.CONFIGURATION,
        hint=f"write {form}",
        component=COMPONENT,
        fields=[key],
    )
