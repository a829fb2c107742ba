"""Reading a file by HTTP from its front, as far as it is needed, through broken connections."""

from __future__ import annotations

import http.client
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from bacalhau.client.answers import PARTIAL, WHOLE, Body, read_head, refusal
from bacalhau.client.failures import COMPONENT
from bacalhau.client.fetch import Retry
from bacalhau.client.lanes import StoppedError
from bacalhau.errors import ConflictError

if TYPE_CHECKING:
    from bacalhau.client.addresses import Address
    from bacalhau.client.lanes import Lanes
    from bacalhau.client.meter import Meter
    from bacalhau.client.web import Web

_SKIP_BYTES = 256 * 1024


class Stream:
    """A file that is being read. Leaving the context ends the transfer, complete or not."""

    def __init__(self, web: Web, address: Address, lanes: Lanes, meter: Meter) -> None:
        self._web = web
        self._address = address
        self._lanes = lanes
        self._meter = meter
        self._retry = Retry(lanes, address.name)
        self._position = 0
        self._head: Body | None = None
        self._open = ExitStack()
        self._response: http.client.HTTPResponse | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def size_bytes(self) -> int:
        """Return the size of the file; 0 where the server does not tell it.

        Raises:
            BacalhauError: the server refuses, or cannot be reached.
        """
        while self._head is None:
            self._once(0)
        return self._head.size_bytes or 0

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; none at the end.

        Raises:
            BacalhauError: the server refuses, or the transfer broke off several times.
        """
        while True:
            if self._lanes.stopped.is_set():
                raise StoppedError
            data = self._once(size)
            if data is not None:
                return data

    def _once(self, size: int) -> bytes | None:
        """Read once; None when the connection broke, or there was none."""
        before = self._position
        try:
            if self._response is None:
                self._connect()
                return None
            data = self._response.read(size if size >= 0 else None)
            end = self._head.size_bytes if self._head is not None else None
            if not data and size and end is not None and self._position < end:
                raise http.client.IncompleteRead(b"", end - self._position)
        except (OSError, http.client.HTTPException) as exc:
            last = exc.partial if isinstance(exc, http.client.IncompleteRead) else b""
            self._moved(last)
            self._open.close()
            self._response = None
            self._retry.failed(exc, has_moved=self._position > before)
            return last or None
        self._moved(data)
        return data

    def _moved(self, data: bytes) -> None:
        self._position += len(data)
        self._meter.moved(len(data))

    def _connect(self) -> None:
        url, headers = self._address.request()
        if self._head is not None and self._position:
            headers |= {"Range": f"bytes={self._position}-", "If-Range": self._head.version}
        response = self._open.enter_context(self._web.get(url, headers))
        if response.status not in (PARTIAL, WHOLE):
            if self._address.learn(response.status, response.headers):
                self._open.close()
                return
            raise refusal(self._address, response)
        head = read_head(response)
        known = self._head
        if known is not None and (head.version, head.size_bytes) != (
            known.version,
            known.size_bytes,
        ):
            raise ConflictError(
                f"{self._address.name} changed while it was read",
                hint="run the command again when nobody writes it",
                component=COMPONENT,
            )
        if head.is_part and head.start != self._position:
            raise http.client.HTTPException("the server sent another part than was asked for")
        if self._position and not head.is_part:
            _skip(response, self._position)
        self._head, self._response = head, response


def _skip(response: http.client.HTTPResponse, count: int) -> None:
    """Pass over what was read before, from a server that always begins at the front."""
    while count:
        data = response.read(min(count, _SKIP_BYTES))
        if not data:
            raise http.client.IncompleteRead(b"", count)
        count -= len(data)
