"""What is sent: records as JSON, and errors in their envelope (spec api.md 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import PlainTextResponse, Response

from bacalhau.errors import (
    BacalhauError,
    Code,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotSupportedError,
    TransientError,
    UserError,
)
from bacalhau.models.api import ErrorBody

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENT = "APIServer"
RETRY_SECONDS = 1

STATUS_BY_CODE: dict[str, int] = {
    Code.BAD_REQUEST: 400,
    Code.VALIDATION: 400,
    Code.UNAUTHORIZED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.TIMED_OUT: 408,
    Code.IN_USE: 409,
    Code.JOB_STATE: 409,
    Code.NODE_STATE: 409,
    Code.CONCURRENT_UPDATE: 409,
    Code.MULTIPLE_NODES: 409,
    Code.TOO_LARGE: 413,
    Code.MEDIA_TYPE: 415,
    Code.EXHAUSTED: 429,
    Code.NOT_IMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    # As in v1.5, where a shortened id of several jobs is no fault of the caller.
    Code.MULTIPLE_JOBS: 500,
    Code.MULTIPLE_EXECUTIONS: 500,
    Code.INTERNAL: 500,
}
"""The HTTP status of every code that has one of its own."""

_STATUS_BY_CLASS: tuple[tuple[type[BacalhauError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (ForbiddenError, 403),
    (NotSupportedError, 501),
    (UserError, 400),
    (TransientError, 503),
)

_encoder = msgspec.json.Encoder(order="deterministic")


def status_of(error: BacalhauError) -> int:
    """Return the HTTP status of an error: by its code, else by its class, else 500."""
    known = STATUS_BY_CODE.get(error.code)
    if known is not None:
        return known
    return next((status for kind, status in _STATUS_BY_CLASS if isinstance(error, kind)), 500)


def encode(value: Any, *, pretty: bool = False) -> bytes:
    """Return JSON with maps sorted by key, so that equal values give equal bytes."""
    data = _encoder.encode(value)
    return msgspec.json.format(data, indent=2) if pretty else data


def answer(value: Any, *, pretty: bool = False) -> Response:
    """Return a response: plain text for ``str``, JSON for anything else, responses as they are."""
    if isinstance(value, Response):
        return value
    if isinstance(value, str):
        return PlainTextResponse(value)
    return json_answer(value, pretty=pretty)


def json_answer(
    value: Any,
    *,
    status: int = 200,
    pretty: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a JSON response."""
    return Response(
        encode(value, pretty=pretty),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


def _component(error: BacalhauError) -> str:
    """Return the part that an error names; what users did wrong without one concerns the API."""
    is_unnamed = error.component == UserError("").component
    return COMPONENT if is_unnamed and isinstance(error, UserError) else error.component


def error_answer(error: BacalhauError, request_id: str, *, pretty: bool = False) -> Response:
    """Return an error in its envelope."""
    status = status_of(error)
    body = ErrorBody(
        status=status,
        message=error.message,
        request_id=request_id,
        code=error.code,
        component=_component(error),
        hint=error.hint,
        details=error.details,
    )
    return json_answer(body, status=status, pretty=pretty, headers=_headers(status))


def _headers(status: int) -> dict[str, str]:
    if status in (429, 503):
        return {"Retry-After": str(RETRY_SECONDS)}
    # Whoever sends too slowly may still be sending, and would hold the connection.
    return {"Connection": "close"} if status == 408 else {}
