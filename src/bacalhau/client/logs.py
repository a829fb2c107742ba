"""Streaming the output of a job over a WebSocket (spec api.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from bacalhau.client.failures import COMPONENT, failure_from_answer, failure_from_socket
from bacalhau.errors import BacalhauError, Code, InternalError, TransientError
from bacalhau.models.api import LogLine, LogMessage

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

_LARGEST_FRAME_BYTES = 64 * 1024 * 1024
_CLOSE_SECONDS = 1.0
_STOPPING = (1001, 1012)
"""The codes with which servers close what they cannot go on with: going away, service restart."""


def stream_logs(
    url: str,
    target: str,
    *,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None = None,
    timeout_seconds: float,
) -> Iterator[LogLine]:
    """Yield output as it arrives, until the server closes the stream.

    ``url`` is the server's ``http://`` or ``https://`` address; ``tls`` belongs to the latter. The
    connection is closed when the iterator is.

    Raises:
        TransientError: no connection, or it broke off.
        BacalhauError: the server sent an error, as code ``LogStreamFailed``.
    """
    try:
        # The original server neither reads pings nor answers them, so none are sent.
        with connect(
            "ws" + url.removeprefix("http") + target,
            ssl=tls,
            additional_headers=headers,
            open_timeout=timeout_seconds,
            close_timeout=_CLOSE_SECONDS,
            max_size=_LARGEST_FRAME_BYTES,
            ping_interval=None,
            proxy=None,
        ) as socket:
            for frame in socket:
                line = _decode(frame)
                if line is not None:
                    yield line
    except InvalidStatus as exc:
        raise failure_from_answer(
            exc.response.status_code, bytes(exc.response.body or b"")
        ) from exc
    except InvalidHandshake as exc:
        raise _broken(f"the server does not stream logs: {exc}") from exc
    except ConnectionClosed as exc:
        raise _broken(f"the log stream broke off: {_why(exc)}") from exc
    except OSError as exc:
        raise failure_from_socket(exc, url) from exc


def _why(closed: ConnectionClosed) -> str:
    is_stopping = closed.rcvd is not None and closed.rcvd.code in _STOPPING
    return "the server stops, or is started again" if is_stopping else str(closed)


def _decode(frame: str | bytes) -> LogLine | None:
    try:
        message = msgspec.json.decode(frame, type=LogMessage)
    except msgspec.DecodeError as exc:
        raise InternalError(
            f"a frame of the log stream was not understood: {exc}",
            code=Code.DECODE,
            component=COMPONENT,
        ) from exc
    if message.error:
        raise BacalhauError(
            f"error reading log output: error received from server: {message.error}",
            code=Code.LOG_STREAM,
            component=COMPONENT,
        )
    return message.value


def _broken(message: str) -> TransientError:
    return TransientError(
        message,
        code=Code.NETWORK_FAILURE,
        hint="run `bacalhau job logs` again to read the output from its start",
        component=COMPONENT,
    )
