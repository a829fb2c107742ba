"""A server that is far away: ``python -m bench.s3.far PORT MILLISECONDS``.

Hands bytes on between its clients and a server on this machine, and keeps each piece of an answer
back for so long. Prints the port it listens on; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys


class _Side(asyncio.Protocol):
    """One side of a connection; what it receives goes to the other after ``delay_seconds``."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._waiting: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._delay_seconds:
            asyncio.get_running_loop().call_later(self._delay_seconds, self._hand_on, data)
        else:
            self._hand_on(data)

    def connection_lost(self, exc: Exception | None) -> None:
        asyncio.get_running_loop().call_later(self._delay_seconds, self._close_other)

    def _close_other(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def _hand_on(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._waiting.append(data)
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)

    def join(self, other: _Side) -> None:
        self.other = other
        for data in self._waiting:
            self._hand_on(data)
        self._waiting.clear()


class _Near(_Side):
    def __init__(self, port: int, delay_seconds: float, group: asyncio.TaskGroup) -> None:
        super().__init__(0.0)
        self._port = port
        self._answers_after = delay_seconds
        self._group = group

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._group.create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        far = _Side(self._answers_after)
        await loop.create_connection(lambda: far, "127.0.0.1", self._port)
        far.join(self)
        self.join(far)


async def main(port: int, delay_seconds: float) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        server = await loop.create_server(
            lambda: _Near(port, delay_seconds, group), "127.0.0.1", 0, backlog=512
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
