"""A server that stops reading what is sent to it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bacalhau.lib.clock import SystemClock
from bacalhau.s3.requests.client import Bucket, S3Client
from bacalhau.s3.results.upload import SINGLE_BYTES, upload
from bacalhau.s3.server.endpoints import locate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

STORED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Tired:
    """A server that reads only the heads of its first requests, and the later ones whole."""

    endpoint: str = ""
    heads_only: int = 1
    heads: list[str] = field(default_factory=list)
    stored: bytes = b""
    given_up: list[asyncio.StreamWriter] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if len(self.heads) <= self.heads_only:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            self.given_up.append(writer)
            return
        (length,) = (line for line in head.lower().split("\r\n") if "content-length" in line)
        self.stored = await reader.readexactly(int(length.partition(":")[2]))
        writer.write(STORED)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def tired_server() -> AsyncIterator[Tired]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    tired = Tired(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = await asyncio.start_server(tired.handle, sock=listener)
    try:
        yield tired
    finally:
        for writer in tired.given_up:
            writer.transport.abort()
        server.close()


async def test_an_upload_that_stands_still_is_begun_anew(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3_environment.setattr("bacalhau.s3.requests.client.SILENCE_SECONDS", 0.5)
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * (SINGLE_BYTES // 256))
    async with (
        S3Client.open(SystemClock(), connections=2) as client,
        tired_server() as tired,
        asyncio.timeout(30),
    ):
        bucket = Bucket(location=locate("b", tired.endpoint, "us-east-1", ""))
        await upload(client, bucket, "k", file)
    assert tired.stored == file.read_bytes()
    assert [head.split(" ")[0] for head in tired.heads] == ["PUT", "PUT"]
    assert "transfer-encoding" not in tired.heads[0].lower()
