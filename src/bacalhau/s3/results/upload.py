"""Storing files as objects (spec storage.md 7.3).

A file is read once. Its SHA-256 is made while it is read, and that of every body is part of the
request's signature, so that what arrives is what was read. AWS keeps it with the object, too; other
servers may not know the header.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.lib.archives import open_regular
from bacalhau.lib.budget import ByteBudget
from bacalhau.lib.digests import format_digest
from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.readable import readable
from bacalhau.lib.threads import run_to_end
from bacalhau.s3.requests.client import ATTEMPTS, Call
from bacalhau.s3.requests.responses import (
    MalformedResponseError,
    ServiceError,
    completion_error,
    completion_request,
    parse_upload_id,
    parse_uploads,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bacalhau.s3.requests.client import Bucket, S3Client

SINGLE_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 4
MEMORY_BYTES = 64 * 1024 * 1024
"""What uploads that share a budget hold in memory; a part that is larger goes alone."""

_MAX_PARTS = 10_000
_GIVE_UP_SECONDS = 10.0
_ANSWER_LIMIT_BYTES = 64 * 1024
_UPLOADS_LIMIT_BYTES = 4 * 1024 * 1024
_CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """An object that was stored. ``digest`` is its SHA-256; ``version`` is empty if it has none."""

    size_bytes: int
    digest: bytes
    version: str


async def upload(
    client: S3Client,
    bucket: Bucket,
    key: str,
    file: Path,
    memory: ByteBudget | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Stored:
    """Store a file, replacing what was there.

    The object appears complete or not at all. Uploads at the same time share ``memory``.
    ``advance`` is told how many bytes the server has taken since the last call; a part that is sent
    several times counts once.

    Cancellation: parts that were stored already are given up.

    Raises:
        ServiceError: the server refuses, or did not answer several times.
        MalformedResponseError: it answers something that no S3 server does.
        OSError: the file cannot be read, is a link, or shrinks meanwhile.
    """
    opened = await run_to_end(client.executor, partial(open_regular, file))
    with opened:
        size = os.fstat(opened.fileno()).st_size
        run = _Upload(
            client, bucket, key, opened.fileno(), size, memory or ByteBudget(MEMORY_BYTES), advance
        )
        try:
            version = await (run.single() if size <= SINGLE_BYTES else run.in_parts())
        except (ServiceError, MalformedResponseError) as exc:
            exc.key = key
            raise
        return Stored(size_bytes=size, digest=run.digest(), version=version)


async def upload_bytes(
    client: S3Client, bucket: Bucket, key: str, data: bytes, content_type: str
) -> Stored:
    """Store a few bytes, replacing what was there.

    Raises:
        ServiceError: as ``upload``; so is ``MalformedResponseError``.
    """
    digest = hashlib.sha256(data).digest()
    headers = {"Content-Type": content_type, **_checksum(bucket, digest)}
    call = Call(
        operation="PutObject",
        method="PUT",
        bucket=bucket,
        key=key,
        headers=headers,
        body=data,
        body_digest=digest,
    )
    answer, _ = await client.read(call, _ANSWER_LIMIT_BYTES)
    return Stored(size_bytes=len(data), digest=digest, version=_version(answer))


async def give_up_leftovers(client: S3Client, bucket: Bucket, prefix: str) -> None:
    """Remove the parts that killed processes left behind under a prefix that is the caller's alone.

    Nothing is said when the server does not allow it: its own rules remove them then.
    """
    call = Call(
        operation="ListMultipartUploads",
        method="GET",
        bucket=bucket,
        query={"uploads": "", "prefix": prefix},
    )
    with suppress(ServiceError, MalformedResponseError, TimeoutError):
        async with asyncio.timeout(_GIVE_UP_SECONDS):
            _, body = await client.read(call, _UPLOADS_LIMIT_BYTES)
            for key, upload_id in parse_uploads(body):
                if key.startswith(prefix):
                    await _abort(client, bucket, key, upload_id)


async def _abort(client: S3Client, bucket: Bucket, key: str, upload_id: str) -> None:
    call = Call(
        operation="AbortMultipartUpload",
        method="DELETE",
        bucket=bucket,
        key=key,
        query={"uploadId": upload_id},
    )
    await client.read(call, _ANSWER_LIMIT_BYTES)


class _Upload:
    """One file on its way to one key."""

    def __init__(
        self,
        client: S3Client,
        bucket: Bucket,
        key: str,
        descriptor: int,
        size_bytes: int,
        memory: ByteBudget,
        advance: Callable[[int], None],
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._descriptor = descriptor
        self._size_bytes = size_bytes
        self._memory = memory
        self._advance = advance
        self._part_bytes = max(SINGLE_BYTES, -(-size_bytes // _MAX_PARTS))
        self._reading = asyncio.Lock()
        self._position = 0
        self._hash = hashlib.sha256()
        self._parts: dict[int, tuple[str, str]] = {}

    def digest(self) -> bytes:
        """Return the SHA-256 of the file, after it was stored."""
        return self._hash.digest()

    async def single(self) -> str:
        """Store the file with one request; return its version."""
        async with self._memory.hold(self._size_bytes):
            body = await self._next(self._size_bytes)
            headers, _ = await self._ask("PutObject", "PUT", {}, body, self.digest())
        self._advance(self._size_bytes)
        return _version(headers)

    async def in_parts(self) -> str:
        """Store the file with one request a part; return its version."""
        _, body = await self._ask(
            "CreateMultipartUpload", "POST", {"uploads": ""}, headers=self._algorithm()
        )
        upload_id = parse_upload_id(body)
        try:
            lanes = range(PARTS_AT_ONCE)
            await in_parallel(lanes, PARTS_AT_ONCE, lambda _: self._lane(upload_id))
            return await self._complete(upload_id)
        except BaseException:
            with suppress(ServiceError, MalformedResponseError, TimeoutError):
                async with asyncio.timeout(_GIVE_UP_SECONDS):
                    await _abort(self._client, self._bucket, self._key, upload_id)
            raise

    async def _lane(self, upload_id: str) -> None:
        """Store one part after the other, as long as there are any; several lanes do so."""
        while True:
            async with self._memory.hold(self._part_bytes):
                async with self._reading:
                    start = self._position
                    if start == self._size_bytes:
                        return
                    body = await self._next(min(self._part_bytes, self._size_bytes - start))
                await self._part(upload_id, start // self._part_bytes + 1, body)

    async def _part(self, upload_id: str, number: int, body: bytes) -> None:
        digest = await run_to_end(self._client.executor, lambda: hashlib.sha256(body).digest())
        query = {"partNumber": str(number), "uploadId": upload_id}
        headers, _ = await self._ask("UploadPart", "PUT", query, body, digest)
        checksum = format_digest(digest) if self._bucket.location.is_aws else ""
        self._parts[number] = (readable(headers.get("ETag", "")), checksum)
        self._advance(len(body))

    async def _complete(self, upload_id: str) -> str:
        operation = "CompleteMultipartUpload"
        request = completion_request([self._parts[number] for number in sorted(self._parts)])
        for attempt in range(ATTEMPTS):
            headers, body = await self._ask(operation, "POST", {"uploadId": upload_id}, request)
            error = completion_error(operation, body)
            if error is None:
                return _version(headers)
            if not error.is_transient or attempt == ATTEMPTS - 1:
                raise error
            await self._client.pause(attempt)
        raise AssertionError("a loop with attempts ends in one of them")

    async def _next(self, count: int) -> bytes:
        """Read on; reading is in order, so that the hash is of the whole."""

        def read() -> bytes:
            body = _read_exactly(self._descriptor, count, self._position)
            self._hash.update(body)
            return body

        body = await run_to_end(self._client.executor, read)
        self._position += count
        return body

    def _algorithm(self) -> dict[str, str]:
        return {"x-amz-checksum-algorithm": "SHA256"} if self._bucket.location.is_aws else {}

    async def _ask(
        self,
        operation: str,
        method: str,
        query: dict[str, str],
        body: bytes = b"",
        digest: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        """Make a request; ``digest`` goes along with the content of the object."""
        told = {"Content-Type": _CONTENT_TYPE} if body else {}
        told |= _checksum(self._bucket, digest) if digest else {}
        call = Call(
            operation=operation,
            method=method,
            bucket=self._bucket,
            key=self._key,
            query=query,
            headers=told | (headers or {}),
            body=body,
            body_digest=digest,
        )
        return await self._client.read(call, _ANSWER_LIMIT_BYTES)


def _read_exactly(descriptor: int, count: int, position: int) -> bytes:
    body = os.pread(descriptor, count, position)
    if len(body) == count:
        return body
    rest = bytearray(body)
    while len(rest) < count:
        piece = os.pread(descriptor, count - len(rest), position + len(rest))
        if not piece:
            raise OSError("it became shorter while it was read")
        rest += piece
    return bytes(rest)


def _checksum(bucket: Bucket, digest: bytes) -> dict[str, str]:
    return {"x-amz-checksum-sha256": format_digest(digest)} if bucket.location.is_aws else {}


def _version(headers: Mapping[str, str]) -> str:
    version = readable(headers.get("x-amz-version-id", ""))
    return "" if version == "null" else version
