"""Connections to S3 servers for lanes and pipes, past the general HTTP client."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bacalhau.lib.outbound import guarded_socket
from bacalhau.lib.threads import run_to_end
from bacalhau.s3.connections.lane import Lane
from bacalhau.s3.connections.pipe import Pipe

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from bacalhau.s3.server.endpoints import Location

THREADS = 32


class DirectWays:
    """Opens connections. They lead to no address that jobs may not reach.

    Attributes:
        small_objects: Who fetches a small object holds a place here, whichever way it comes.
        threads: In which pipes are used; they may be busy for long.
    """

    def __init__(
        self,
        threads: Executor,
        *,
        connections: int,
        silence_seconds: float,
        trust: ssl.SSLContext | None,
    ) -> None:
        self.small_objects = asyncio.Semaphore(connections)
        self.threads = threads
        self._silence_seconds = silence_seconds
        self._tls = trust

    async def open_lane(self, location: Location) -> Lane:
        """Connect to a server for many small requests.

        Raises:
            OSError: the server cannot be reached, or its certificate is not trusted.
            TimeoutError: it does not answer.
            ForbiddenAddressError: no job may reach it.
        """
        tls, name = await self._encryption(location)
        connected = await guarded_socket(location.base)
        loop = asyncio.get_running_loop()
        try:
            _, lane = await loop.create_connection(
                partial(Lane, self._silence_seconds), sock=connected, ssl=tls, server_hostname=name
            )
        except BaseException:
            connected.close()
            raise
        return lane

    async def open_pipe(self, location: Location) -> Pipe:
        """Connect to a server for large ranges.

        Raises:
            OSError: the server cannot be reached.
            TimeoutError: it does not answer.
            ForbiddenAddressError: no job may reach it.
        """
        tls, name = await self._encryption(location)
        connected = await guarded_socket(location.base)
        try:
            connected.setblocking(True)
            if tls is not None:  # the pipe shakes hands, in its thread
                connected = tls.wrap_socket(
                    connected, server_hostname=name, do_handshake_on_connect=False
                )
            return Pipe(connected, self._silence_seconds)
        except BaseException:
            connected.close()
            raise

    async def _encryption(self, location: Location) -> tuple[ssl.SSLContext | None, str | None]:
        parts = urlsplit(location.base)
        if parts.scheme != "https":
            return None, None
        if self._tls is None:
            self._tls = await run_to_end(self.threads, ssl.create_default_context)
        return self._tls, parts.hostname
