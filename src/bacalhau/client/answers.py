"""What servers answer to a request for a file, or a part of one."""

from __future__ import annotations

import http.client
import re
import ssl
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from bacalhau.client.failures import COMPONENT
from bacalhau.errors import BacalhauError, Code, NotFoundError, TransientError, UserError

if TYPE_CHECKING:
    from bacalhau.client.addresses import Address

PARTIAL, WHOLE, UNSATISFIABLE, CHANGED = 206, 200, 416, 412
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_CODE = re.compile(rb"<Code>(\w{1,60})</Code>")
_READ_BYTES = 4096
_RETRY_AFTER_LIMIT_SECONDS = 30.0


class BusyError(OSError):
    """The server cannot answer now. ``after_seconds`` is how long it wants to be left alone."""

    def __init__(self, text: str, after_seconds: float) -> None:
        super().__init__(text)
        self.after_seconds = after_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """The body of an answer: its place in the file, and what it is a part of.

    ``end`` and ``size_bytes`` are None where the server does not tell the length.
    """

    start: int
    end: int | None
    size_bytes: int | None
    version: str
    modified_seconds: float | None
    is_part: bool


def read_head(response: http.client.HTTPResponse) -> Body:
    """Read the head of a successful answer.

    Raises:
        http.client.HTTPException: it is a part, but does not say of what.
    """
    headers = response.headers
    modified = _modified(headers)
    version = _version(headers)
    if response.status != PARTIAL:
        size = _number(headers.get("Content-Length", ""))
        return Body(
            start=0,
            end=size,
            size_bytes=size,
            version=version,
            modified_seconds=modified,
            is_part=False,
        )
    text = headers.get("Content-Range", "")
    match = _RANGE.fullmatch(text)
    if match is None:
        raise http.client.HTTPException(f'unexpected Content-Range "{text}"')
    start, last, size = (int(number) for number in match.groups())
    return Body(
        start=start,
        end=last + 1,
        size_bytes=size,
        version=version,
        modified_seconds=modified,
        is_part=True,
    )


def refusal(address: Address, response: http.client.HTTPResponse) -> Exception:
    """Return the error for an answer that is a refusal.

    It is a ``BusyError`` where the same request may succeed in a moment.
    """
    answer = f"the server answered {response.status} {response.reason}"
    if response.status in _BUSY:
        after = _number(response.headers.get("Retry-After", "")) or 0
        return BusyError(answer, min(float(after), _RETRY_AFTER_LIMIT_SECONDS))
    code = _CODE.search(response.read(_READ_BYTES))
    message = f"cannot download {address.name}: {answer}"
    if code is not None:
        message = f"{message} ({code[1].decode()})"
    if response.status in (404, 410):
        return NotFoundError(
            message,
            hint="somebody may have removed the results since; run the job again for new ones",
            component=COMPONENT,
        )
    if response.status in (401, 403):
        return UserError(
            message,
            code=Code.FORBIDDEN,
            hint=address.advice,
            component=COMPONENT,
        )
    return TransientError(
        message,
        code=Code.NETWORK_FAILURE,
        hint="run it again later; where http_proxy or https_proxy is set, look at that",
        component=COMPONENT,
    )


def broken(name: str, cause: Exception) -> BacalhauError:
    """Return the error for a transfer that broke off every time."""
    reason = " ".join(str(cause).split()) or type(cause).__name__
    hint = "run the same command again: it goes on where this one stopped"
    if isinstance(cause, TimeoutError):
        reason = "the server fell silent"
    elif isinstance(cause, ssl.SSLCertVerificationError):
        hint = "name the certificate of who signed that of the server with AWS_CA_BUNDLE=FILE"
    return TransientError(
        f"the download of {name} broke off: {reason}",
        code=Code.NETWORK_FAILURE,
        hint=hint,
        component=COMPONENT,
    )


def _version(headers: http.client.HTTPMessage) -> str:
    """Return a mark that `If-Range` accepts: a strong ETag, else the time of the last change."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _modified(headers: http.client.HTTPMessage) -> float | None:
    try:
        moment = parsedate_to_datetime(headers.get("Last-Modified", ""))
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
