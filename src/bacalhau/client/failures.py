"""Errors of the server and of the way to it, as our own classes (spec cli.md 7.1, api.md 4.1)."""

from __future__ import annotations

import socket

import msgspec

from bacalhau.errors import (
    AmbiguousError,
    BacalhauError,
    ConflictError,
    ExecutionError,
    ForbiddenError,
    InternalError,
    NotFoundError,
    NotSupportedError,
    StaleWriteError,
    TransientError,
    UserError,
    ValidationError,
)
from bacalhau.models.api import ErrorBody

COMPONENT = "APIClient"
_SHOWN_BYTES = 500

_BY_CODE: dict[str, type[BacalhauError]] = {
    "BadRequest": UserError,
    "ValidationError": ValidationError,
    "NotFound": NotFoundError,
    "MultipleFound": AmbiguousError,
    "MultipleJobsFound": AmbiguousError,
    "MultipleExecutionsFound": AmbiguousError,
    "MultipleNodesFound": AmbiguousError,
    "ResourceInUse": ConflictError,
    "ConflictJobState": ConflictError,
    "Forbidden": ForbiddenError,
    "NotImplemented": NotSupportedError,
    "ServiceUnavailable": TransientError,
    "ExecutionFailed": ExecutionError,
    "ConcurrentUpdate": StaleWriteError,
}
_BY_STATUS: dict[int, type[BacalhauError]] = {
    400: UserError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: NotSupportedError,
    413: UserError,
    429: TransientError,
    501: NotSupportedError,
    502: TransientError,
    503: TransientError,
    504: TransientError,
}


def failure_from_answer(status: int, body: bytes) -> BacalhauError:
    """Return the error that a server's refusal stands for, as it was raised there."""
    if status == 401:
        return UserError("unauthorized", code="Unauthorized", component=COMPONENT)
    try:
        envelope = msgspec.json.decode(body, type=ErrorBody)
    except msgspec.DecodeError as exc:
        return _unreadable(status, body, exc)
    if not envelope.message:
        return _unreadable(status, body, "no message in it")
    details = dict(envelope.details)
    if envelope.request_id:
        details["request_id"] = envelope.request_id
    kind = _BY_CODE.get(envelope.code) or _BY_STATUS.get(status, InternalError)
    return kind(
        envelope.message,
        code=envelope.code or None,
        hint=envelope.hint,
        component=envelope.component or COMPONENT,
        details=details,
    )


def _unreadable(status: int, body: bytes, why: object) -> BacalhauError:
    text = body[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
    kind = _BY_STATUS.get(status, InternalError)
    return kind(
        f'the server answered {status} with something that is no error message: {why}: "{text}"',
        hint="make sure that the address is that of a Bacalhau API",
        component=COMPONENT,
    )


def failure_from_socket(exc: OSError, url: str) -> BacalhauError:
    """Return the error for a connection to ``url`` that did not work.

    Codes are ``NetworkFailure`` and ``TimeOut``; the hint says how to start a server and how to
    name another one.
    """
    code = "NetworkFailure"
    if isinstance(exc, socket.gaierror):
        message = f"host not found: {url}"
    elif isinstance(exc, TimeoutError):
        message, code = f"request timed out: {url}", "TimeOut"
    elif isinstance(exc, ConnectionRefusedError):
        message = f"server is not running or not reachable at {url}"
    else:
        message = f"network error: {exc} ({url})"
    return TransientError(message, code=code, hint=_REACH_HINT, component=COMPONENT)


_REACH_HINT = """\
1. Start a server: `bacalhau serve --orchestrator --compute`
2. Or name another one:
   - by flags: `--api-host HOST --api-port PORT`
   - by configuration: `-c API.Host=HOST -c API.Port=PORT`
   - by environment: BACALHAU_API_HOST=HOST BACALHAU_API_PORT=PORT"""
