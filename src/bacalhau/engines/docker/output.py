"""Copying what a container prints into a sink, byte by byte."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from bacalhau.engines.docker.daemon import stream
from bacalhau.engines.docker.errors import COMPONENT
from bacalhau.errors import Code, TransientError
from bacalhau.ports import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import ThreadPoolExecutor

    import aiodocker

    from bacalhau.ports import OutputSink

    Pieces = Sequence[tuple[Stream, bytes]]

_HEADER = struct.Struct(">BxxxL")
_SMALL_BYTES = 32768
_HEAD_BYTES = 1024
_STREAMS = {each.value: each for each in Stream}


class FrameReader:
    """Takes Docker's frames apart: a header with stream and length, then so many bytes.

    Pieces are given out as they come, so that a frame of any size needs no memory.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream = Stream.STDOUT
        self._missing = 0

    @property
    def is_between_frames(self) -> bool:
        """True when everything that was announced has come."""
        return not self._missing and not self._buffer

    def feed(self, data: bytes) -> Pieces:
        """Take some bytes and return what they hold."""
        self._buffer += data
        pieces: list[tuple[Stream, bytes]] = []
        position = 0
        while position < len(self._buffer):
            if not self._missing:
                if len(self._buffer) - position < _HEADER.size:
                    break
                number, self._missing = _HEADER.unpack_from(self._buffer, position)
                self._stream = _STREAMS.get(number, Stream.STDOUT)
                position += _HEADER.size
            piece = bytes(self._buffer[position : position + self._missing])
            if piece:
                pieces.append((self._stream, piece))
            position += len(piece)
            self._missing -= len(piece)
        del self._buffer[:position]
        return pieces


class OutputCopy:
    """One copy, from its start to its end.

    Attributes:
        copied_bytes: What has come so far; shows whether there is progress.
        stderr_head: The beginning of standard error.
    """

    def __init__(self, sink: OutputSink, pool: ThreadPoolExecutor) -> None:
        self.copied_bytes = 0
        self.stderr_head = b""
        self._sink = sink
        self._pool = pool

    async def copy(self, response: aiohttp.ClientResponse) -> bool:
        """Copy until the stream ends; return False when it broke off.

        Raises:
            TransientError: the sink could not write.
        """
        reader = FrameReader()
        try:
            while data := await response.content.readany():
                await self._write(reader.feed(data))
                self.copied_bytes += len(data)
        except aiohttp.ClientError:
            return False
        except OSError as exc:
            raise TransientError(
                f"cannot keep the output of the task: {exc}", code=Code.IO, component=COMPONENT
            ) from exc
        return reader.is_between_frames

    async def _write(self, pieces: Pieces) -> None:
        if sum(len(data) for _, data in pieces) <= _SMALL_BYTES:
            self._write_all(pieces)
        else:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, self._write_all, pieces)

    def _write_all(self, pieces: Pieces) -> None:
        for each, data in pieces:
            self._sink.write(each, data)
            if each is Stream.STDERR and len(self.stderr_head) < _HEAD_BYTES:
                self.stderr_head += data[:_HEAD_BYTES]


@asynccontextmanager
async def attach(docker: aiodocker.Docker, container: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """Yield the output of a container that has not started yet.

    This is exact. Docker's logs are not: they replace bytes that are not UTF-8.
    """
    path = f"containers/{container}/attach"
    wanted = {"stream": "1", "stdout": "1", "stderr": "1"}
    async with stream(docker, "POST", path, params=wanted) as response:
        yield response


@asynccontextmanager
async def logs(
    docker: aiodocker.Docker, container: str, *, follow: bool, tail: str = "all"
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Yield the output of a container from its start; with ``follow`` until it ends."""
    path = f"containers/{container}/logs"
    wanted = {"follow": "1" if follow else "0", "stdout": "1", "stderr": "1", "tail": tail}
    async with stream(docker, "GET", path, params=wanted) as response:
        yield response


async def ends_in_a_line(docker: aiodocker.Docker, container: str) -> bool:
    """Tell whether the last words of an ended container, on both streams, are whole lines.

    Where they are not, who followed the logs may not have got them: Docker drops what was waiting
    for its end of line.
    """
    async with logs(docker, container, follow=False, tail="2") as response:
        pieces = FrameReader().feed(await response.read())
    return all(data.endswith(b"\n") for _, data in pieces)
