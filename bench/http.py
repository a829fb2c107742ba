"""A small HTTP client for load: keep-alive connections over asyncio, and nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

_HOST = "127.0.0.1"
_BIGGEST_HEAD = 2**20


class Connection:
    """One connection, opened with the first request.

    ``number`` makes its own address on loopback the number-th: servers limit requests by address.
    """

    def __init__(self, port: int, number: int = 1) -> None:
        self._port = port
        self._own_address = f"127.0.0.{number}"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Make a request; return the status and the body of its answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                _HOST, self._port, local_addr=(self._own_address, 0), limit=_BIGGEST_HEAD
            )
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"Host: {_HOST}:{self._port}"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        first, *others = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip().lower()
            for name, _, value in (line.partition(":") for line in others)
        }
        content = await _content(reader, headers)
        if headers.get("connection") == "close":
            self.close()
        return int(first.split()[1]), content

    async def json(self, method: str, path: str, body: bytes = b"") -> Any:
        """Make a request that must succeed and return what its answer says."""
        status, content = await self.request(method, path, body)
        if status != 200:
            raise SystemExit(f"{method} {path}: {status} {content[:300]!r}")
        return json.loads(content)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _content(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    content = bytearray()
    while length := int(await reader.readline(), 16):
        content += await reader.readexactly(length)
        await reader.readline()
    await reader.readline()
    return bytes(content)
