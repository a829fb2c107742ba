"""Storing a file as an object (spec storage.md 7.3)."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.threads import run_to_end
from bacalhau.s3.client import Call
from bacalhau.s3.responses import (
    MalformedResponseError,
    ServiceError,
    completion_error,
    completion_request,
    parse_upload_id,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bacalhau.s3.client import Bucket, S3Client

SINGLE_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 4
_MAX_PARTS = 10_000
_ABORT_SECONDS = 10.0
_ANSWER_LIMIT_BYTES = 64 * 1024
_CONTENT_TYPE = {"Content-Type": "application/octet-stream"}


async def upload(client: S3Client, bucket: Bucket, key: str, file: Path) -> str:
    """Store a file, replacing what was there, and return its version, or an empty text.

    The object appears complete or not at all. Every request carries the SHA-256 of its body.

    Cancellation: parts that were stored already are given up.

    Raises:
        ServiceError: the server refuses, or did not answer several times.
        MalformedResponseError: it answers something that no S3 server does.
        OSError: the file cannot be read.
    """
    descriptor = os.open(file, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        run = _Upload(client, bucket, key, descriptor, size)
        return await (run.single() if size <= SINGLE_BYTES else run.in_parts())
    finally:
        os.close(descriptor)


class _Upload:
    """One file on its way to one key."""

    def __init__(
        self, client: S3Client, bucket: Bucket, key: str, descriptor: int, size_bytes: int
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._descriptor = descriptor
        self._size_bytes = size_bytes
        self._part_bytes = max(SINGLE_BYTES, -(-size_bytes // _MAX_PARTS))
        self._etags: dict[int, str] = {}

    async def single(self) -> str:
        """Store the file with one request."""
        headers, _ = await self._ask("PutObject", "PUT", body=await self._read(0))
        return headers.get("x-amz-version-id", "")

    async def in_parts(self) -> str:
        """Store the file with one request a part."""
        _, body = await self._ask("CreateMultipartUpload", "POST", {"uploads": ""})
        upload_id = parse_upload_id(body)
        try:
            parts = range(0, self._size_bytes, self._part_bytes)
            await in_parallel(parts, PARTS_AT_ONCE, partial(self._part, upload_id))
            return await self._complete(upload_id)
        except BaseException:
            await self._abort(upload_id)
            raise

    async def _part(self, upload_id: str, start: int) -> None:
        number = start // self._part_bytes + 1
        query = {"partNumber": str(number), "uploadId": upload_id}
        headers, _ = await self._ask("UploadPart", "PUT", query, await self._read(start))
        self._etags[number] = headers.get("ETag", "")

    async def _complete(self, upload_id: str) -> str:
        operation = "CompleteMultipartUpload"
        etags = [self._etags[number] for number in sorted(self._etags)]
        headers, body = await self._ask(
            operation, "POST", {"uploadId": upload_id}, completion_request(etags)
        )
        error = completion_error(operation, body)
        if error is not None:
            raise error
        return headers.get("x-amz-version-id", "")

    async def _abort(self, upload_id: str) -> None:
        """Give up the stored parts, if the server can be asked to; its rules remove them else."""
        with suppress(ServiceError, MalformedResponseError, TimeoutError):
            async with asyncio.timeout(_ABORT_SECONDS):
                await self._ask("AbortMultipartUpload", "DELETE", {"uploadId": upload_id})

    async def _read(self, start: int) -> bytes:
        return await run_to_end(
            self._client.executor, partial(os.pread, self._descriptor, self._part_bytes, start)
        )

    async def _ask(
        self, operation: str, method: str, query: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[Mapping[str, str], bytes]:
        call = Call(
            operation=operation,
            method=method,
            bucket=self._bucket,
            key=self._key,
            query=query or {},
            headers=_CONTENT_TYPE if body else {},
            body=body,
        )
        return await self._client.read(call, _ANSWER_LIMIT_BYTES)
