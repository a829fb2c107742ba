"""A socket to listen on that leaves its process some files.

Every connection is a file of the process, and so are the stores, logs and tasks of a node. Whoever
opens connections without end, or keeps them open, would make those fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from typing import Any

HEAD_SECONDS = 5.0
"""How long servers wait until whoever has connected has said what it wants."""

_RESERVED = 256
"""Files that connections leave to the node; where few files are allowed, a quarter of them."""


class Listener(socket.socket):
    """A listening socket that refuses connections when few files are left.

    Attributes:
        refusal: What is sent to those who are refused.
    """

    refusal = (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    _is_exhausted = False

    def drop_idle_readers(self, seconds: float) -> None:
        """Have the system end connections whose other end takes nothing of what is sent so long.

        Where the system cannot, as on macOS, they stay.
        """
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # What is accepted inherits it.
            limit = int(seconds * 1000)
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            ConnectionAbortedError: it was refused, as too many files are open.
            BlockingIOError: there is none; or there is no file left even to refuse one, and the
                call before this one has said so.
            OSError: there is no file left.
        """
        if self._is_exhausted:
            # asyncio tries as often as connections may wait, tells of each failure, and comes back
            # a second later for each (Python 3.11; remove this once it leaves off by itself).
            self._is_exhausted = False
            raise BlockingIOError(errno.EAGAIN, "no file is left")
        try:
            connection, address = super().accept()
        except OSError as exc:
            self._is_exhausted = exc.errno in (errno.EMFILE, errno.ENFILE)
            raise
        # The system gives the lowest number that is free: it tells how many files are open.
        if connection.fileno() >= _most_files():
            self._refuse(connection)
            raise ConnectionAbortedError(errno.ECONNABORTED, "too many open files")
        return connection, address

    def _refuse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setblocking(False)
            connection.send(self.refusal)


async def open_listeners(host: str | None, port: int) -> list[Listener]:
    """Return a listener for each address of a host, bound to one port; None: all of this machine.

    Port 0 is chosen by the system. Families of addresses that this machine lacks are left out.

    Raises:
        OSError: the port cannot be had at one of the addresses; nothing is left open.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[Listener] = []
    with contextlib.ExitStack() as failed:
        for family, _, protocol, _, address in sorted(found):
            try:
                listener = Listener(family, socket.SOCK_STREAM, protocol)
            except OSError as exc:
                if exc.errno == errno.EAFNOSUPPORT and opened:
                    continue
                raise
            failed.enter_context(listener)
            try:
                _bind(listener, (address[0], port, *address[2:]))
            except OSError as exc:
                if exc.errno == errno.EADDRNOTAVAIL and opened:
                    listener.close()
                    continue
                raise
            port = listener.getsockname()[1]
            opened.append(listener)
        failed.pop_all()
    return opened


def _bind(listener: Listener, address: tuple[Any, ...]) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.setblocking(False)
    listener.bind(address)


def _most_files() -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if allowed == resource.RLIM_INFINITY else allowed - min(_RESERVED, allowed // 4)
