"""One HTTP connection, which has to say in time what it wants (spec api.md 4.3).

Whoever opens connections and sends nothing, or headers without end, would otherwise hold them, and
the memory for what they sent, for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bacalhau.lib.listener import HEAD_SECONDS

if TYPE_CHECKING:
    import asyncio

HEAD_LIMIT_BYTES = 2**20
_ANSWER = "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class TimedHttp(HttpToolsProtocol):
    """HTTP/1.1 with limits for the head of a request: ``HEAD_SECONDS``, ``HEAD_LIMIT_BYTES``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._awaits_head = True
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._awaits_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._awaits_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._awaits_head:
            self._head_bytes = 0
            self._forget_deadline()
        elif self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse("431 Request Header Fields Too Large")
        elif self._deadline is None:
            # The usual request arrives in one piece and needs no timer of its own.
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._head_bytes:
            self._refuse("408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: str) -> None:
        self._forget_deadline()
        if not self.transport.is_closing():
            self.transport.write(_ANSWER.format(status=status).encode())
            self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
