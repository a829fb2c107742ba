"""Serving the application on a socket, as part of our own process (dependencies: uvicorn)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from bacalhau.api.answers import COMPONENT, error_answer
from bacalhau.api.connection import TimedHttp
from bacalhau.errors import Code, TransientError, UserError
from bacalhau.lib.addresses import with_port
from bacalhau.lib.listener import Listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 20
DRAIN_SECONDS = 5
_FORCED_CLOSE_SECONDS = 1.0


@contextlib.asynccontextmanager
async def serve_app(
    app: ASGIApp, host: str, port: int, *, tls: tuple[Path, Path] | None = None
) -> AsyncIterator[int]:
    """Serve an application within the block; yields the port, which the system chooses for 0.

    Leaving the block stops accepting, lets requests in flight finish for ``DRAIN_SECONDS``, and
    then cuts them off. Log streams are closed at once, with code 1012. With ``tls``, the files of a
    certificate and of its key, nothing but TLS is spoken.

    Raises:
        UserError: the address cannot be listened on; names it, and the remedy.
    """
    listener = await _listen(host, port)
    listener.refusal = _too_many_connections() if tls is None else b""
    bound_port: int = listener.getsockname()[1]
    server = _Server(_settings(app, tls))
    # Twice the same filter counts once.
    logging.getLogger("uvicorn.error").addFilter(_no_false_alarms)
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


class _NoFalseAlarms(logging.Filter):
    """Drops what uvicorn calls errors: requests cut off by a stop, WebSockets that were refused."""

    def filter(self, record: logging.LogRecord) -> bool:
        cause = record.exc_info[1] if record.exc_info else None
        is_refusal = record.msg == "ASGI callable returned without completing handshake."
        return not is_refusal and not isinstance(cause, asyncio.CancelledError)


_no_false_alarms = _NoFalseAlarms()


def _settings(app: ASGIApp, tls: tuple[Path, Path] | None) -> uvicorn.Config:
    certificate, key = tls or (None, None)
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=TimedHttp,
        ws="websockets-sansio",
        lifespan="off",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _too_many_connections() -> bytes:
    error = TransientError(
        "the server has as many connections as it can have",
        hint="try again in a moment; its limit of open files (ulimit -n) is what limits them",
        component=COMPONENT,
    )
    answer = error_answer(error, "")
    headers = b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
    head = b"HTTP/1.1 503 Service Unavailable\r\n" + headers + b"connection: close\r\n\r\n"
    return head + bytes(answer.body)


def check_address(host: str, port: int) -> None:
    """Find out whether an address can be listened on, before anything is made for it.

    Raises:
        UserError: as ``serve_app`` would.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        _bound(found).close()
    except OSError as exc:
        raise _refusal(host, port, exc) from exc


async def _listen(host: str, port: int) -> Listener:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = _bound(found)
        listener.listen(BACKLOG)
    except OSError as exc:
        raise _refusal(host, port, exc) from exc
    return listener


def _bound(found: list[tuple[Any, ...]]) -> Listener:
    """Return a socket on one of several addresses that a name has."""
    # A name such as localhost has several addresses; clients try IPv4 in any case.
    family, _, protocol, _, address = min(found, key=lambda item: item[0] != socket.AF_INET)
    bound = Listener(family, socket.SOCK_STREAM, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _refusal(host: str, port: int, cause: OSError) -> UserError:
    place = with_port(host, port)
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
        code=Code.CONFIGURATION,
        hint=hint,
        component="APIServer",
        fields=["API.Host", "API.Port"],
    )
