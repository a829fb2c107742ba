"""Fetching a large object in ranges, hashed while it is written (spec storage.md 4.2)."""

from __future__ import annotations

import hashlib
import os
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.threads import run_to_end
from bacalhau.lib.tree import write_at
from bacalhau.s3.connections.pipe import Range
from bacalhau.s3.transfer.reading import is_version_of, naming

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bacalhau.lib.landing import OpenFile
    from bacalhau.ports import PlannedObject
    from bacalhau.s3.transfer.pipes import Pipes
    from bacalhau.s3.transfer.reading import Reader

RANGES_AT_ONCE = 4
_WRITE_BYTES = 1024 * 1024
_HASH_BYTES = 256 * 1024


async def fetch_ranges(reader: Reader, pipes: Pipes, item: PlannedObject, file: OpenFile) -> bytes:
    """Fill an open file with an object, and its twin, and return their SHA-256.

    Raises:
        ServiceError: as ``Reader.chunks``, with the object's key.
        MalformedResponseError: the same.
        OSError: the disk refuses.
    """
    filling = _Filling(reader, pipes, item, file)
    with naming(item):
        starts = range(0, item.size_bytes, reader.work.range_bytes)
        await in_parallel(starts, RANGES_AT_ONCE, filling.fetch)
    return filling.digest()


class _Filling:
    """One file that is being filled."""

    def __init__(self, reader: Reader, pipes: Pipes, item: PlannedObject, file: OpenFile) -> None:
        self._reader = reader
        self._pipes = pipes
        self._item = item
        self._descriptor = file.descriptor
        self._hash = _RunningHash(file, item.size_bytes, reader.work.range_bytes, self._run)

    def digest(self) -> bytes:
        """Return the hash of the whole file."""
        return self._hash.digest()

    async def fetch(self, start: int) -> None:
        """Fetch the range that begins here."""
        end = min(start + self._reader.work.range_bytes, self._item.size_bytes)
        position = start + await self._through_pipe(start, end)
        if position < end:
            await self._through_client(position, end)
        await self._hash.written(start)

    async def _through_pipe(self, start: int, end: int) -> int:
        item = self._item
        wanted = Range(
            start,
            end,
            item.size_bytes,
            self._descriptor,
            partial(is_version_of, item),
            partial(self._reader.note_version, item),
        )
        call = self._reader.call(item, start, end)
        got, modified = await self._pipes.fetch(call, wanted, self._advance)
        self._reader.note_modified(item, modified)
        return got

    async def _through_client(self, position: int, end: int) -> None:
        waiting = bytearray()
        async with aclosing(self._reader.chunks(self._item, position, end)) as chunks:
            async for chunk in chunks:
                waiting += chunk
                self._advance(len(chunk))
                if len(waiting) >= _WRITE_BYTES:
                    await self._run(partial(write_at, self._descriptor, waiting, position))
                    position += len(waiting)
                    waiting = bytearray()
        await self._run(partial(write_at, self._descriptor, waiting, position))

    def _advance(self, size_bytes: int) -> None:
        self._reader.work.progress(size_bytes, 0)

    async def _run(self, step: Callable[[], None]) -> None:
        await run_to_end(self._reader.client.executor, step)


class _RunningHash:
    """The SHA-256 of a file while its ranges are written, in whatever order they arrive.

    What is hashed, and copied to the file's twin, was written a moment ago, so that it is read
    from memory.
    """

    def __init__(
        self,
        file: OpenFile,
        size_bytes: int,
        range_bytes: int,
        run: Callable[[Callable[[], None]], Awaitable[None]],
    ) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._range_bytes = range_bytes
        self._run = run
        self._hash = hashlib.sha256()
        self._position = 0
        self._is_hashing = False
        self._written: set[int] = set()

    async def written(self, start: int) -> None:
        """Note that a range is complete, and hash all that has no gap before it."""
        self._written.add(start)
        if self._is_hashing:
            return  # whoever hashes will come to it
        self._is_hashing = True
        while self._position in self._written:
            await self._run(self._add_range)
        self._is_hashing = False

    def digest(self) -> bytes:
        """Return the hash of the whole file."""
        assert self._position >= self._size_bytes, "all ranges are written"
        return self._hash.digest()

    def _add_range(self) -> None:
        buffer = memoryview(bytearray(_HASH_BYTES))
        end = self._position + self._range_bytes
        for position in range(self._position, end, _HASH_BYTES):
            space = buffer[: end - position]
            piece = space[: os.preadv(self._file.descriptor, [space], position)]
            self._hash.update(piece)
            if self._file.twin is not None:
                write_at(self._file.twin, piece, position)
        self._position = end
