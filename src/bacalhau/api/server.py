"""Serving the application on a socket, as part of our own process (dependencies: uvicorn)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING

import uvicorn

from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 20
DRAIN_SECONDS = 5
_FORCED_CLOSE_SECONDS = 1.0


@contextlib.asynccontextmanager
async def serve_app(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve an application within the block; yields the port, which the system chooses for 0.

    Leaving the block stops accepting, lets requests in flight finish for ``DRAIN_SECONDS``, and
    then cuts them off. Log streams are closed at once, with code 1012.

    Raises:
        UserError: the address cannot be listened on; names it, and the remedy.
    """
    listener = await _listen(host, port)
    bound_port: int = listener.getsockname()[1]
    server = _Server(_settings(app))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.serve(sockets=[listener]), name="api-server")
        try:
            await server.is_ready.wait()
            yield bound_port
        finally:
            server.should_exit = True
            await asyncio.wait([running], timeout=DRAIN_SECONDS + _FORCED_CLOSE_SECONDS)
            running.cancel()


class _Server(uvicorn.Server):
    """A server that leaves the signals of the process alone and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_ready.set()


def _settings(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        interface="asgi3",
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


async def _listen(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as exc:
        raise _refusal(host, port, exc) from exc
    # A name such as localhost has several addresses; clients try IPv4 in any case.
    family, _, protocol, _, address = min(found, key=lambda item: item[0] != socket.AF_INET)
    listener = socket.socket(family, socket.SOCK_STREAM, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise _refusal(host, port, exc) from exc
    return listener


def _refusal(host: str, port: int, cause: OSError) -> UserError:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if cause.errno == errno.EADDRINUSE:
        why = "another program listens there already"
        hint = "stop that program, or choose another port with `-c API.Port=PORT`"
    elif cause.errno == errno.EACCES:
        why = "this user may not use the port"
        hint = "choose a port above 1023 with `-c API.Port=PORT`"
    else:
        why = cause.strerror or str(cause)
        hint = "give an address of this machine with `-c API.Host=ADDRESS`"
    return UserError(
        f"the API cannot listen on {place}: {why}",
        code="ConfigurationError",
        hint=hint,
        component="APIServer",
        fields=["API.Host", "API.Port"],
    )
