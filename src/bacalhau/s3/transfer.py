"""Fetching planned objects into a directory (spec storage.md 4.1, 4.2, 4.3).

Small objects are fetched whole, many at once. Large ones are fetched in ranges, a few at once, and
a range that breaks off goes on where it stopped. Every request names the ETag that was planned, so
that two versions of an object are never mixed. Memory is bounded by the numbers below.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import aclosing, closing, contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import aiohttp

from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.threads import run_to_end
from bacalhau.lib.tree import Tree, write_at
from bacalhau.s3.client import ATTEMPTS, Call, unanswered
from bacalhau.s3.keys import ROOT
from bacalhau.s3.responses import MalformedResponseError, ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
    from pathlib import Path

    from bacalhau.ports import PlannedObject
    from bacalhau.ports.source import Progress
    from bacalhau.s3.client import Bucket, S3Client

SMALL_BYTES = 1024 * 1024
RANGE_BYTES = 8 * 1024 * 1024
RANGES_AT_ONCE = 4
LARGE_AT_ONCE = 8
_WRITE_BYTES = 1024 * 1024
_OPERATION = "GetObject"


class DigestMismatchError(Exception):
    """The bytes received are not those expected; ``digest`` is their SHA-256."""

    def __init__(self, digest: bytes) -> None:
        super().__init__("the content has another SHA-256")
        self.digest = digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetch:
    """What to fetch: ``version`` and ``digest`` concern a single object; ``small_at_once`` > 0."""

    bucket: Bucket
    objects: tuple[PlannedObject, ...]
    version: str = ""
    digest: bytes | None = None
    small_at_once: int
    part_name: str
    progress: Progress


async def fetch(client: S3Client, work: Fetch, directory: Path) -> None:
    """Fetch all objects below an existing directory.

    Cancellation: transfers stop; complete files stay, partial ones are removed.

    Raises:
        ServiceError: the server refuses, or does not deliver after several attempts.
        MalformedResponseError: it delivers something else than was asked for.
        DigestMismatchError: ``digest`` is given and is not that of the content.
        OSError: the disk refuses.
    """
    with closing(Tree(directory)) as tree:
        download = _Download(client, work, tree)
        await download.directories()
        files = [item for item in work.objects if not item.is_directory]
        small = [item for item in files if item.size_bytes <= SMALL_BYTES]
        large = [item for item in files if item.size_bytes > SMALL_BYTES]
        lanes = [
            partial(in_parallel, small, work.small_at_once, download.small),
            partial(in_parallel, large, LARGE_AT_ONCE, download.large),
        ]
        await in_parallel(lanes, len(lanes), lambda lane: lane())


class _Download:
    """One run over the objects of a plan."""

    def __init__(self, client: S3Client, work: Fetch, tree: Tree) -> None:
        self._client = client
        self._work = work
        self._tree = tree
        self._parts = count()
        self._modified: dict[str, float] = {}

    async def directories(self) -> None:
        """Make the directories that stand in the plan themselves."""
        for path in (item.path for item in self._work.objects if item.is_directory):
            if path != ROOT:
                await self._run(partial(self._tree.make_directory, path))

    async def small(self, item: PlannedObject) -> None:
        """Fetch an object that fits into memory."""
        with _naming(item):
            async with aclosing(self._chunks(item, 0, item.size_bytes)) as chunks:
                data = b"".join([chunk async for chunk in chunks])
        if self._work.digest is not None:
            self._check_digest(hashlib.sha256(data).digest())
        await self._run(partial(self._write_small, item, data))
        self._work.progress(len(data), 1)

    def _write_small(self, item: PlannedObject, data: bytes) -> None:
        name = self._part_name()
        descriptor = self._tree.create(name)
        try:
            write_at(descriptor, data, 0)
            self._finish(item, name, descriptor)
        except OSError:
            self._tree.discard(name)
            raise
        finally:
            os.close(descriptor)

    async def large(self, item: PlannedObject) -> None:
        """Fetch an object in ranges."""
        name = self._part_name()
        descriptor = self._tree.create(name)
        hashed = _RunningHash(descriptor, item.size_bytes, self._run)

        async def fetch_range(start: int) -> None:
            await self._range(item, descriptor, start)
            if self._work.digest is not None:
                await hashed.written(start)

        try:
            starts = range(0, item.size_bytes, RANGE_BYTES)
            with _naming(item):
                await in_parallel(starts, RANGES_AT_ONCE, fetch_range)
            if self._work.digest is not None:
                self._check_digest(hashed.digest())
            await self._run(partial(self._finish, item, name, descriptor))
        finally:
            os.close(descriptor)
            self._tree.discard(name)
        self._work.progress(0, 1)

    async def _range(self, item: PlannedObject, descriptor: int, start: int) -> None:
        end = min(start + RANGE_BYTES, item.size_bytes)
        waiting = bytearray()
        async with aclosing(self._chunks(item, start, end)) as chunks:
            async for chunk in chunks:
                waiting += chunk
                self._work.progress(len(chunk), 0)
                if len(waiting) >= _WRITE_BYTES:
                    await self._run(partial(write_at, descriptor, waiting, start))
                    start += len(waiting)
                    waiting = bytearray()
        await self._run(partial(write_at, descriptor, waiting, start))

    async def _chunks(self, item: PlannedObject, start: int, end: int) -> AsyncGenerator[bytes]:
        """Yield the bytes of a range, going on where an answer broke off."""
        position, failures = start, 0
        while True:
            begun_at = position
            try:
                async with self._client.stream(self._call(item, position, end)) as response:
                    self._check_answer(item, position, end, response)
                    async for chunk in response.content.iter_any():
                        position += len(chunk)
                        if position > end:
                            raise MalformedResponseError(f"expected {end - start} bytes, got more")
                        yield chunk
                if position == end:
                    return
                error = _short_read(end - start, position - start)
            except (aiohttp.ClientError, TimeoutError) as exc:
                if begun_at < position == end:  # it broke behind the last byte
                    return
                error = unanswered(_OPERATION, exc)
            failures = 1 if position - begun_at >= _WRITE_BYTES else failures + 1
            if failures == ATTEMPTS:
                raise error
            await self._client.pause(failures - 1)

    def _call(self, item: PlannedObject, start: int, end: int) -> Call:
        headers = {"If-Match": item.etag} if item.etag.startswith('"') else {}
        if (start, end) != (0, item.size_bytes):
            headers["Range"] = f"bytes={start}-{end - 1}"
        return Call(
            operation=_OPERATION,
            method="GET",
            bucket=self._work.bucket,
            key=item.key,
            query={"versionId": self._work.version} if self._work.version else {},
            headers=headers,
        )

    def _check_answer(
        self, item: PlannedObject, start: int, end: int, response: aiohttp.ClientResponse
    ) -> None:
        """Raise when the answer is of another version, or of another range, than was asked for."""
        etag = response.headers.get("ETag", "")
        if item.etag and etag and etag.strip('"') != item.etag.strip('"'):
            raise ServiceError(operation=_OPERATION, status=412, code="PreconditionFailed")
        expected = f"bytes {start}-{end - 1}/{item.size_bytes}"
        if (start, end) != (0, item.size_bytes) and expected != response.headers.get(
            "Content-Range"
        ):
            raise MalformedResponseError(f'the server did not answer with "{expected}"')
        length = response.content_length
        if length is not None and length != end - start:
            raise MalformedResponseError(f"expected {end - start} bytes, got {length}")
        modified = response.headers.get("Last-Modified")
        if modified:
            with suppress(ValueError):
                self._modified[item.key] = parsedate_to_datetime(modified).timestamp()

    def _check_digest(self, found: bytes) -> None:
        if found != self._work.digest:
            raise DigestMismatchError(found)

    def _finish(self, item: PlannedObject, name: str, descriptor: int) -> None:
        modified = self._modified.pop(item.key, None)
        if modified is not None:
            os.utime(descriptor, (modified, modified))
        self._tree.place(name, item.path)

    def _part_name(self) -> str:
        return f"{self._work.part_name}-{next(self._parts)}"

    async def _run(self, step: Callable[[], None]) -> None:
        await run_to_end(self._client.executor, step)


class _RunningHash:
    """The SHA-256 of a file while its ranges are written, in whatever order they arrive.

    What is hashed was written a moment ago, so that it is read from memory.
    """

    def __init__(
        self, descriptor: int, size_bytes: int, run: Callable[[Callable[[], None]], Awaitable[None]]
    ) -> None:
        self._descriptor = descriptor
        self._size_bytes = size_bytes
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
        self._hash.update(os.pread(self._descriptor, RANGE_BYTES, self._position))
        self._position += RANGE_BYTES


@contextmanager
def _naming(item: PlannedObject) -> Iterator[None]:
    """Put the name of an object on what goes wrong with it."""
    try:
        yield
    except (ServiceError, MalformedResponseError) as exc:
        exc.key = item.key
        raise


def _short_read(expected: int, got: int) -> ServiceError:
    return ServiceError(
        operation=_OPERATION,
        status=0,
        code="ServiceUnavailable",
        reason=f"short read: expected {expected} bytes, got {got}",
    )
