"""Errors of the server and of the way to it, as our own classes (spec cli.md 7.1, api.md 4.1)."""

from __future__ import annotations

import socket
import ssl

import msgspec

from bacalhau.errors import (
    AmbiguousError,
    BacalhauError,
    Code,
    ConflictError,
    ExecutionError,
    ForbiddenError,
    ForeignCode,
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
REPLACED_HINT = (
    "it was replaced or damaged since; the publisher's Key needs {executionID}, so that executions "
    "do not replace what others have published; run the job again if this repeats"
)
_SHOWN_BYTES = 500

_BY_CODE: dict[str, type[BacalhauError]] = {
    Code.BAD_REQUEST: UserError,
    Code.VALIDATION: ValidationError,
    Code.NOT_FOUND: NotFoundError,
    Code.MULTIPLE_FOUND: AmbiguousError,
    Code.MULTIPLE_JOBS: AmbiguousError,
    Code.MULTIPLE_EXECUTIONS: AmbiguousError,
    Code.MULTIPLE_NODES: AmbiguousError,
    Code.IN_USE: ConflictError,
    Code.JOB_STATE: ConflictError,
    Code.NODE_STATE: ConflictError,
    Code.FORBIDDEN: ForbiddenError,
    Code.NOT_IMPLEMENTED: NotSupportedError,
    Code.UNAVAILABLE: TransientError,
    Code.EXECUTION_FAILED: ExecutionError,
    Code.CONCURRENT_UPDATE: StaleWriteError,
}
_BY_STATUS: dict[int, type[BacalhauError]] = {
    400: UserError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: NotSupportedError,
    413: UserError,
    415: UserError,
    429: TransientError,
    501: NotSupportedError,
    502: TransientError,
    503: TransientError,
    504: TransientError,
}


def failure_from_answer(status: int, body: bytes) -> BacalhauError:
    """Return the error that a server's refusal stands for, as it was raised there."""
    if status == 401:
        return _unauthorized(body)
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
        code=ForeignCode(envelope.code) or None,
        hint=envelope.hint,
        component=envelope.component or COMPONENT,
        details=details,
    )


def _unauthorized(body: bytes) -> UserError:
    """Return the error in the words of the original; what the server says of it is the hint."""
    try:
        envelope = msgspec.json.decode(body, type=ErrorBody)
        hint = "\n".join(filter(None, (envelope.message, envelope.hint)))
    except msgspec.DecodeError:
        hint = ""
    return UserError("unauthorized", code=Code.UNAUTHORIZED, hint=hint, component=COMPONENT)


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
    code, hint = Code.NETWORK_FAILURE, _REACH_HINT
    if isinstance(exc, socket.gaierror):
        message = f"host not found: {url}"
    elif isinstance(exc, TimeoutError):
        message, code = f"request timed out: {url}", Code.TIMED_OUT
    elif isinstance(exc, ConnectionRefusedError):
        message = f"server is not running or not reachable at {url}"
    elif isinstance(exc, ssl.SSLError):
        return _untrusted(exc, url)
    else:
        message = f"network error: {exc} ({url})"
        if isinstance(exc, ConnectionResetError) and url.startswith("http://"):
            hint += _TLS_HINT
    return TransientError(message, code=code, hint=hint, component=COMPONENT)


def _untrusted(exc: ssl.SSLError, url: str) -> TransientError:
    if isinstance(exc, ssl.SSLCertVerificationError):
        reason = exc.verify_message
    elif exc.reason == _NOT_TLS:
        reason = "the server does not speak TLS"
    else:
        reason = (exc.reason or str(exc)).replace("_", " ").lower()
    return TransientError(
        f"no secure connection to {url}: {reason}",
        code=Code.NETWORK_FAILURE,
        hint="name the certificate of the server, or of who signed it, with "
        "-c API.TLS.CAFile=FILE; a server without TLS needs -c API.TLS.UseTLS=false",
        component=COMPONENT,
    )


_NOT_TLS = "WRONG_VERSION_NUMBER"
"""What OpenSSL says of an answer in plain text."""
_REACH_HINT = """\
1. Start a server: `bacalhau serve --orchestrator --compute`
2. Or name another one:
   - by flags: `--api-host HOST --api-port PORT`
   - by configuration: `-c API.Host=HOST -c API.Port=PORT`
   - by environment: BACALHAU_API_HOST=HOST BACALHAU_API_PORT=PORT"""
_TLS_HINT = "\n3. Or, if it speaks TLS: `-c API.TLS.UseTLS -c API.TLS.CAFile=FILE`"
"""Such a server hangs up on those who do not."""
