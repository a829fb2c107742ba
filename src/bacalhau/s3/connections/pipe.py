"""A connection on which ranges of large objects go straight into a file.

Used from threads: what is received is written without ever being a Python object of its own, which
takes half the time of a general HTTP client. Like a ``Lane`` it knows one kind of answer, stops at
anything else, and tells how far it came; the general way does the rest.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.lib.tree import write_at
from bacalhau.s3.connections.lane import END, HEAD_LIMIT_BYTES, OddAnswerError, facts_of

if TYPE_CHECKING:
    from collections.abc import Callable

BUFFER_BYTES = 1024 * 1024
_STEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Range:
    """What is asked for: bytes of an object from ``start`` up to ``end``.

    ``is_version`` judges the ETag of the answer, and ``note_version`` is told the version that it
    names, in the thread; ``descriptor`` is the file to be filled.
    """

    start: int
    end: int
    size_bytes: int
    descriptor: int
    is_version: Callable[[str], bool]
    note_version: Callable[[str], None]


class Pipe:
    """A connection. All methods but ``abort`` block, and are used by one thread at a time."""

    def __init__(self, connected: socket.socket, silence_seconds: float) -> None:
        self._socket = connected
        self._silence_seconds = silence_seconds
        self._step_seconds = min(_STEP_SECONDS, silence_seconds)
        # An encrypted socket hands out a record at a time, whatever it is asked for, and knows
        # nothing of the kernel's limits.
        self._flags = 0
        if isinstance(connected, ssl.SSLSocket):
            connected.settimeout(self._step_seconds)
        else:
            self._flags = socket.MSG_WAITALL
            seconds, fraction = divmod(self._step_seconds, 1)
            step = struct.pack("ll", int(seconds), int(fraction * 1e6))
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, step)
        self._buffer = bytearray(BUFFER_BYTES)
        self._is_new = True
        self.is_open = True

    def fetch(self, head: bytes, wanted: Range, progress: Callable[[int], None]) -> tuple[int, str]:
        """Ask for a range and write it; return how many bytes came, and ``Last-Modified``.

        If that is fewer than were asked for, the connection is closed.

        Raises:
            OSError: the disk refuses.
        """
        position, modified = wanted.start, ""
        try:
            self._send(head)
            facts, body = self._first(wanted)
            modified = facts.get(b"last-modified", b"").decode("latin-1")
            while True:
                write_at(wanted.descriptor, body, position)
                position += len(body)
                progress(len(body))
                if position == wanted.end:
                    break
                left = memoryview(self._buffer)[: wanted.end - position]
                body = left[: self._receive(left, self._flags)]
            if facts.get(b"connection", b"").lower() == b"close":
                self.close()
        except OddAnswerError:
            self.close()
        except OSError:
            self.close()
            raise
        return position - wanted.start, modified

    def _first(self, wanted: Range) -> tuple[dict[bytes, bytes], memoryview]:
        """Return the headers, if they are as they should be, and what came along of the body."""
        space = memoryview(self._buffer)
        got, end = 0, -1
        while end < 0:
            if got > HEAD_LIMIT_BYTES:
                raise OddAnswerError
            got += self._receive(space[got:], 0)
            end = self._buffer.find(END, 0, got)
        size_bytes = wanted.end - wanted.start
        is_whole = size_bytes == wanted.size_bytes
        place = "" if is_whole else f"bytes {wanted.start}-{wanted.end - 1}/{wanted.size_bytes}"
        facts = facts_of(bytes(space[:end]), size_bytes, place)
        body = space[end + len(END) : got]
        if not wanted.is_version(facts.get(b"etag", b"").decode("latin-1")):
            raise OddAnswerError
        if len(body) > size_bytes:
            raise OddAnswerError
        wanted.note_version(facts.get(b"x-amz-version-id", b"").decode("latin-1"))
        return facts, body

    def _send(self, head: bytes) -> None:
        try:
            if isinstance(self._socket, ssl.SSLSocket) and self._is_new:
                self._socket.do_handshake()
            self._is_new = False
            self._socket.sendall(head)
        except OSError as exc:
            raise OddAnswerError from exc

    def _receive(self, space: memoryview, flags: int) -> int:
        """Return how many bytes came, more than none; what is slow comes in little pieces."""
        silent_seconds = 0.0
        while self.is_open and silent_seconds < self._silence_seconds:
            try:
                got = self._socket.recv_into(space, 0, flags)
            except (BlockingIOError, TimeoutError):
                silent_seconds += self._step_seconds
                continue
            except OSError as exc:
                raise OddAnswerError from exc
            if not got:
                break
            return got
        raise OddAnswerError

    def abort(self) -> None:
        """Make whoever reads stop; may be called from any thread."""
        self.is_open = False
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # TLS's own is for one thread

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        self._socket.close()
