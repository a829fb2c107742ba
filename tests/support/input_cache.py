"""A cache of inputs for tests, and an origin that counts what is fetched from it."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bacalhau.compute.cache.keeper import InputKeeper
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import RandomIds
from bacalhau.lib.landing import Received
from bacalhau.ports import CacheFill, CacheOrder, PlannedObject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bacalhau.lib.landing import Landing

DAY_SECONDS = 24 * 3600.0


@asynccontextmanager
async def open_keeper(
    directory: Path, *, limit_bytes: int = 10**9, verify_seconds: float = DAY_SECONDS
) -> AsyncIterator[InputKeeper]:
    """Open a cache below a directory."""
    async with InputKeeper.open(
        directory,
        limit_bytes=limit_bytes,
        verify_seconds=verify_seconds,
        clock=SystemClock(),
        ids=RandomIds(),
    ) as keeper:
        yield keeper


@dataclass
class Origin:
    """Files by name; ``fetched`` has the names that were downloaded, in order.

    Downloads wait for ``is_open``, and fail with ``failure``.
    """

    files: Mapping[str, bytes]
    fetched: list[str] = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.is_open.set()

    async def download(self, items: tuple[PlannedObject, ...], landing: Landing) -> None:
        """Let files land."""
        self.asked.set()
        await self.is_open.wait()
        if self.failure is not None:
            raise self.failure
        for item in items:
            data = self.files[item.key]
            landing.write([Received(item.path, data, hashlib.sha256(data).digest(), None)])
            self.fetched.append(item.key)

    async def fill(
        self,
        keeper: InputKeeper,
        directory: Path,
        *names: str,
        fingerprint: str = "",
        is_linked: bool = False,
    ) -> CacheFill:
        """Have files put into a directory, which is made."""
        directory.mkdir(parents=True)
        names = names or tuple(self.files)
        objects = tuple(
            PlannedObject(key=name, path=f"sub/{name}", size_bytes=len(self.files[name]))
            for name in names
        )
        return await keeper.fill(
            CacheOrder(
                objects=objects,
                identities=tuple(f"origin {name}" for name in names),
                directory=directory,
                download=self.download,
                fingerprint=fingerprint,
                is_linked=is_linked,
            )
        )


def stored_files(directory: Path) -> list[Path]:
    """Return all files of a cache but its index."""
    found = (path for path in directory.rglob("*") if path.is_file())
    return sorted(path for path in found if not path.name.startswith("index.db"))
