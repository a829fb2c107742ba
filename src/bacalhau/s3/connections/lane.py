"""One connection on which small objects are fetched one after another, without ceremony.

A general HTTP client takes three times as long for a small object as all else together. A lane
knows one kind of answer: status 200, with the length that was planned. Whatever else comes, it is
closed, and who uses it asks again in the general way, which knows what to make of refusals,
redirects and broken connections. So a lane saves time, and decides nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_LIMIT_BYTES = 64 * 1024
END = b"\r\n\r\n"
_ONCE = (b"content-length", b"content-range", b"etag", b"last-modified")
_UNWANTED = (b"transfer-encoding", b"content-encoding")


class OddAnswerError(Exception):
    """The answer is not of the one kind that lanes know, or did not come."""


class Answer(NamedTuple):
    """An object and what was said with it; texts are empty where nothing was said."""

    body: bytes
    etag: str
    modified: str
    version: str = ""


class Lane(asyncio.Protocol):
    """A connection. Made with ``loop.create_connection``; one ``get`` at a time.

    ``silence_seconds``: an answer that stands still for so long is given up.
    """

    def __init__(self, silence_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._silence_seconds = silence_seconds
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._received = bytearray()
        self._size_bytes = 0
        self._total_bytes = 0
        self._heard_at = 0.0
        self._facts: dict[bytes, bytes] = {}
        self.is_open = True

    async def get(self, head: bytes, size_bytes: int) -> Answer:
        """Send a request and return its answer, which has to have so many bytes.

        Cancellation: the lane is closed.

        Raises:
            OddAnswerError: it is answered otherwise, or not; the lane is closed.
        """
        assert self._waiting is None, "one answer is awaited at a time"
        if not self.is_open or self._transport is None:
            raise OddAnswerError
        self._waiting = self._loop.create_future()
        self._received.clear()
        self._size_bytes, self._total_bytes = size_bytes, 0
        self._heard_at = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(self._silence_seconds, self._look)
        self._transport.write(head)
        try:
            return await self._waiting
        except BaseException:
            self.close()
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._give_up()

    def eof_received(self) -> None:
        """See ``asyncio.Protocol``."""
        self._give_up()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._waiting is None or self._waiting.done():
            self._give_up()  # nobody asked for it
            return
        self._heard_at = self._loop.time()
        self._received += data
        try:
            if not self._total_bytes and not self._has_head():
                return
            if len(self._received) == self._total_bytes:
                self._finish(self._waiting)
            elif len(self._received) > self._total_bytes:
                self._give_up()
        except OddAnswerError:
            self._give_up()

    def _has_head(self) -> bool:
        end = self._received.find(END)
        if end < 0:
            if len(self._received) > HEAD_LIMIT_BYTES:
                raise OddAnswerError
            return False
        self._facts = facts_of(bytes(self._received[:end]), self._size_bytes)
        self._total_bytes = end + len(END) + self._size_bytes
        return True

    def _finish(self, waiting: asyncio.Future[Answer]) -> None:
        if self._facts.get(b"connection", b"").lower() == b"close":
            self.close()
        body = bytes(memoryview(self._received)[self._total_bytes - self._size_bytes :])
        names = (b"etag", b"last-modified", b"x-amz-version-id")
        waiting.set_result(
            Answer(body, *(self._facts.get(name, b"").decode("latin-1") for name in names))
        )

    def _look(self) -> None:
        """Give up an answer that stands still, else look again when it might."""
        idle = self._loop.time() - self._heard_at
        if self._waiting is not None and idle >= self._silence_seconds:
            self._give_up()
            return
        left = self._silence_seconds - (idle if self._waiting is not None else 0.0)
        self._watch = self._loop.call_later(left, self._look)

    def _give_up(self) -> None:
        self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(OddAnswerError())


def request(target: str, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a GET request; ``target`` is percent-encoded.

    Raises:
        OddAnswerError: a header would become several.
    """
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise OddAnswerError
    return head.encode() + END


def facts_of(head: bytes, size_bytes: int, content_range: str = "") -> dict[bytes, bytes]:
    """Return the headers of an answer of the known kind, names in lower case.

    Raises:
        OddAnswerError: it is of another kind, length or range.
    """
    status, *lines = head.split(b"\r\n")
    expected = b"HTTP/1.1 206" if content_range else b"HTTP/1.1 200"
    if status[:12] != expected or status[12:13] not in (b"", b" "):
        raise OddAnswerError
    facts: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, text = line.partition(b":")
        name = name.lower()
        if not colon or not name or name.strip() != name:  # a line that goes on, or worse
            raise OddAnswerError
        if name in facts and name in _ONCE:
            raise OddAnswerError
        facts[name] = text.strip()
    if any(name in facts for name in _UNWANTED):
        raise OddAnswerError
    if facts.get(b"content-length") != b"%d" % size_bytes:
        raise OddAnswerError
    if facts.get(b"content-range", b"") != content_range.encode():
        raise OddAnswerError
    return facts
