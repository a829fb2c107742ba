"""A proxy in front of a real HTTP server that lets some requests go wrong.

Each request gets a connection of its own to the server behind, and is there in full before its
answer is asked for. A body needs a ``Content-Length``.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TLS = b"\x16"


@dataclass(frozen=True)
class Fault:
    """What happens to a request: it is answered with ``instead``, or its answer is cut short.

    ``after_bytes`` counts the head of the answer, too. With ``stalls`` the rest never comes;
    otherwise the connection breaks.
    """

    instead: bytes = b""
    after_bytes: int = 0
    stalls: bool = False


@dataclass
class FaultProxy:
    """The proxy. ``judge`` gets each request's head and returns its fault, or None.

    ``sent_bytes`` counts what came from the server behind and was handed on, heads included. Like
    the bodies of requests it is handed on in pieces of ``piece_bytes`` at most, with a ``pause``
    after each.
    """

    upstream: str
    judge: Callable[[str], Fault | None] = lambda _: None
    endpoint: str = ""
    requests: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    piece_bytes: int = 65536
    pause: Callable[[], Awaitable[None]] | None = None
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _handlers: set[asyncio.Task[None] | None] = field(default_factory=set)

    @property
    def open_connections(self) -> int:
        """How many requests are being answered."""
        return len(self._handlers)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client, one request."""
        self._handlers.add(asyncio.current_task())
        self._open.add(writer)
        try:
            first = await reader.readexactly(1)
            if first == _TLS:
                return  # As a server does that has no TLS: clients then try without.
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            await self._answer(head, self.judge(head), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._open.discard(writer)
            self._handlers.discard(asyncio.current_task())

    async def aclose(self) -> None:
        """Break all connections and wait until nobody serves any."""
        for writer in self._open:
            writer.transport.abort()
        handlers = [task for task in self._handlers if task is not None]
        if handlers:
            await asyncio.wait(handlers)

    async def _answer(
        self,
        head: str,
        fault: Fault | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        body_bytes = _body_bytes(head)
        if fault is not None and fault.instead:
            await reader.readexactly(body_bytes)
            answer_head, blank, body = fault.instead.partition(b"\r\n\r\n")
            writer.write(answer_head + blank + (b"" if head.startswith("HEAD ") else body))
            await writer.drain()
            return
        address = urlsplit(self.upstream)
        behind, to_behind = await asyncio.open_connection(address.hostname, address.port)
        self._open.add(to_behind)
        try:
            to_behind.write(head.replace("\r\n", "\r\nConnection: close\r\n", 1).encode("latin-1"))
            async for data in self._pieces(reader, body_bytes):
                to_behind.write(data)
                await to_behind.drain()
            wanted = fault.after_bytes if fault is not None else 2**62
            async for data in self._pieces(behind, wanted):
                writer.write(data)
                self.sent_bytes += len(data)
                await writer.drain()
            if fault is not None and fault.stalls:
                self.stalled.set()
                await reader.read()  # until the client gives up
            elif fault is not None:
                writer.transport.abort()
        finally:
            to_behind.close()
            self._open.discard(to_behind)

    async def _pieces(self, source: asyncio.StreamReader, left: int) -> AsyncIterator[bytes]:
        while left and (data := await source.read(min(left, self.piece_bytes))):
            yield data
            if self.pause is not None:
                await self.pause()
            left -= len(data)


def _body_bytes(head: str) -> int:
    found = re.search(r"(?i)\r\ncontent-length: *(\d+)\r\n", head)
    return int(found[1]) if found else 0


@asynccontextmanager
async def fault_proxy(
    upstream: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FaultProxy]:
    """Run a proxy in front of a server on loopback; with ``tls`` its clients have to encrypt."""
    proxy = FaultProxy(upstream)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    proxy.endpoint = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.aclose()
