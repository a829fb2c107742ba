"""Fetching planned objects (spec storage.md 4.1, 4.2, 4.3).

Small objects are fetched whole, many at once, and stored a batch at a time. Large ones are fetched
in ranges, a few at once, and a range that breaks off goes on where it stopped. All are hashed while
they are in memory. Every request names the ETag that was planned, so that two versions of an object
are never mixed. Memory is bounded by the numbers below.
"""

from __future__ import annotations

import hashlib
from contextlib import aclosing, closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.lib.landing import Landing, Received, TreeLanding
from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.threads import run_to_end
from bacalhau.lib.tree import Tree
from bacalhau.s3.inputs.keys import ROOT
from bacalhau.s3.transfer.lanes import Lanes
from bacalhau.s3.transfer.pipes import Pipes
from bacalhau.s3.transfer.ranges import fetch_ranges
from bacalhau.s3.transfer.reading import Reader, is_version_of, naming

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bacalhau.ports import PlannedObject
    from bacalhau.s3.requests.client import S3Client
    from bacalhau.s3.transfer.reading import Fetch

SMALL_BYTES = 1024 * 1024
LARGE_AT_ONCE = 8
_BATCH_FILES = 64
_BATCH_BYTES = 256 * 1024
_LANES_FROM = 100
"""So many small objects are worth lanes of their own; fewer go through connections kept open."""


class DigestMismatchError(Exception):
    """The bytes received are not those expected; ``digest`` is their SHA-256."""

    def __init__(self, digest: bytes) -> None:
        super().__init__("the content has another SHA-256")
        self.digest = digest


async def fetch(client: S3Client, work: Fetch, directory: Path) -> Mapping[str, bytes]:
    """Fetch all objects below an existing directory, and return the SHA-256 of files by path.

    Cancellation: transfers stop; complete files stay, partial ones are removed.

    Raises:
        Exception: as ``fetch_files``.
    """
    with closing(Tree(directory)) as tree:
        for path in (item.path for item in work.objects if item.is_directory):
            if path != ROOT:
                await run_to_end(client.executor, partial(tree.make_directory, path))
        landing = TreeLanding(tree, work.part_name)
        await fetch_files(client, work, landing)
    return landing.digests


async def fetch_files(client: S3Client, work: Fetch, landing: Landing) -> None:
    """Fetch all objects that are files.

    Cancellation: transfers stop; what was complete has landed.

    Raises:
        ServiceError: the server refuses, or does not deliver after several attempts.
        MalformedResponseError: it delivers something else than was asked for.
        DigestMismatchError: ``digest`` is given and is not that of the content.
        OSError: the disk refuses.
    """
    files = [item for item in work.objects if not item.is_directory]
    small = [item for item in files if item.size_bytes <= SMALL_BYTES]
    large = [item for item in files if item.size_bytes > SMALL_BYTES]
    download = _Download(client, work, landing)
    ways = [partial(download.all_small, small), partial(download.all_large, large)]
    await in_parallel(ways, len(ways), lambda way: way())


class _Download:
    """One run over the objects of a plan."""

    def __init__(self, client: S3Client, work: Fetch, landing: Landing) -> None:
        self._client = client
        self._work = work
        self._landing = landing
        self._reader = Reader(client, work)
        self._lanes = Lanes(client)
        self._pipes = Pipes(client)
        self._batch: list[tuple[PlannedObject, bytes]] = []
        self._batch_bytes = 0
        self._has_lanes = False

    async def all_small(self, items: list[PlannedObject]) -> None:
        """Fetch objects that fit into memory."""
        self._has_lanes = len(items) >= _LANES_FROM
        try:
            await in_parallel(items, self._work.small_at_once, self._small)
        except BaseException:
            with suppress(OSError, DigestMismatchError):
                await self._store()
            raise
        finally:
            self._lanes.close()
        await self._store()

    async def _small(self, item: PlannedObject) -> None:
        async with self._client.direct.small_objects:
            data = await self._from_lane(item) if self._has_lanes else None
            if data is None:
                data = await self._whole(item)
        self._work.progress(len(data), 1)  # it may take long until a batch is full
        self._batch.append((item, data))
        self._batch_bytes += len(data)
        if len(self._batch) >= _BATCH_FILES or self._batch_bytes >= _BATCH_BYTES:
            await self._store()

    async def _from_lane(self, item: PlannedObject) -> bytes | None:
        call = self._reader.call(item, 0, item.size_bytes)
        answer = await self._lanes.get(call, item.size_bytes)
        if answer is None or not is_version_of(item, answer.etag):
            return None
        self._reader.note_modified(item, answer.modified)
        self._reader.note_version(item, answer.version)
        return answer.body

    async def _whole(self, item: PlannedObject) -> bytes:
        with naming(item):
            async with aclosing(self._reader.chunks(item, 0, item.size_bytes)) as chunks:
                return b"".join([chunk async for chunk in chunks])

    async def _store(self) -> None:
        """Let all land that waits."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if batch:
            await run_to_end(self._client.executor, partial(self._write, batch))

    def _write(self, batch: list[tuple[PlannedObject, bytes]]) -> None:
        modified = self._reader.modified
        self._landing.write(
            [
                Received(item.path, data, self._digest_of(data), modified.pop(item.key, None))
                for item, data in batch
            ]
        )

    async def all_large(self, items: list[PlannedObject]) -> None:
        """Fetch objects in ranges."""
        try:
            await in_parallel(items, LARGE_AT_ONCE, self._large)
        finally:
            self._pipes.close()

    async def _large(self, item: PlannedObject) -> None:
        file = self._landing.create(item.path)
        try:
            digest = self._checked(await fetch_ranges(self._reader, self._pipes, item, file))
            modified = self._reader.modified.pop(item.key, None)
            complete = partial(self._landing.complete, item.path, file, digest, modified)
            await run_to_end(self._client.executor, complete)
        finally:
            file.close()
            self._landing.discard(item.path)
        self._work.progress(0, 1)

    def _digest_of(self, data: bytes) -> bytes:
        return self._checked(hashlib.sha256(data).digest())

    def _checked(self, digest: bytes) -> bytes:
        if self._work.digest not in (None, digest):
            raise DigestMismatchError(digest)
        return digest
