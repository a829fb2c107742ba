"""Keeping inputs on the node for the executions to come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bacalhau.lib.landing import Landing
from bacalhau.ports.source import PlannedObject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Download = Callable[[tuple[PlannedObject, ...], Landing], Awaitable[None]]
"""Fetches files completely. What has landed when it fails stays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheOrder:
    """Files that an input consists of.

    Attributes:
        objects: Files, no directories, each with its own ``path``.
        identities: What each one's content is known by, in the same order: equal texts stand for
            equal bytes, for ever, and for equal permission to read them.
        directory: Where they are wanted; it exists.
        download: Fetches what is not there.
        fingerprint: By which name the node tells others what it has of this input; empty for none.
        is_linked: Files may share their bytes with the cache, because the task cannot write to
            them. Otherwise each is a copy of its own.
    """

    objects: tuple[PlannedObject, ...]
    identities: tuple[str, ...]
    directory: Path
    download: Download
    fingerprint: str = ""
    is_linked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheFill:
    """How an order was met: which objects were not downloaded, and SHA-256 by path, as bytes."""

    found: tuple[PlannedObject, ...]
    digests: Mapping[str, bytes]


class InputCache(Protocol):
    """Files by the identity of their content. Who asks for the same at once waits for one."""

    async def make_room(self, size_bytes: int, directory: Path) -> None:
        """Give up files that nobody uses until the disk has so much left, as far as that goes.

        Raises:
            OSError: the disk refuses.
        """
        ...

    async def fill(self, order: CacheOrder) -> CacheFill:
        """Put all files of an order in their places, each 0644, with the time it was changed.

        Cancellation: stops within a second; files may be left in the directory. Others who wait
        for the same files fetch them.

        Raises:
            OSError: the disk refuses; also whatever ``download`` raises. What landed is kept.
        """
        ...
