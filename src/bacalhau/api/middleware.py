"""What happens around every request, whatever its endpoint (spec api.md 4).

Each class is one layer of the application, given from the outside in.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from bacalhau.api.answers import encode, error_answer, json_answer
from bacalhau.api.legacy import current_path
from bacalhau.api.versions import MINIMUM_VERSION, VERSION_HEADER, parse_version, version_headers
from bacalhau.errors import Code, InternalError, TransientError, UserError
from bacalhau.models import Model
from bacalhau.models.api import LogLine, LogMessage

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bacalhau.api.door import Door
    from bacalhau.models import BuildVersionInfo
    from bacalhau.ports import Clock, Ids

log = structlog.get_logger()

_COMPONENT = "APIServer"
_KEPT = re.compile("%(?=2f|25)", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_STARTS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


class Greeting:
    """Names the request, and tells of the server in every response.

    The request's path is decoded but for slashes, so that an id cannot reach into the next segment,
    and for percent signs, so that what is left can be decoded once more (``Call.reference``).
    Pages that may use the API are told so, whatever the answer.
    """

    def __init__(
        self, app: ASGIApp, *, version: BuildVersionInfo, door: Door, clock: Clock, ids: Ids
    ) -> None:
        self._app = app
        self._door = door
        self._clock = clock
        self._ids = ids
        self._headers = [*version_headers(version), (b"vary", b"Origin")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        headers = Headers(scope=scope)
        request_id = self._request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        path = unquote(_KEPT.sub("%25", scope["raw_path"].decode("latin-1")))
        scope["path"] = current_path(path)
        added = [*self._headers, (b"x-request-id", request_id.encode())]
        if "origin" in headers and self._door.admits_origin(headers["origin"], headers):
            added.append((b"access-control-allow-origin", headers["origin"].encode("latin-1")))
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                status = message.get("status", 101)
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        started = self._clock.monotonic()
        await self._app(scope, receive, send_with_headers)
        log.debug(
            "request_finished",
            method=scope.get("method", "WEBSOCKET"),
            path=scope["path"],
            status=status,
            request_id=request_id,
            duration_seconds=round(self._clock.monotonic() - started, 6),
        )

    def _request_id(self, headers: Headers) -> str:
        given = headers.get("x-request-id", "")
        return given if _REQUEST_ID.fullmatch(given) else self._ids.uuid().replace("-", "")


class ErrorBarrier:
    """Turns what nobody expected into an answer, and logs it once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        progress = ""

        async def watched_send(message: Message) -> None:
            nonlocal progress
            progress = message["type"]
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except asyncio.CancelledError:
            if not progress and scope["type"] == "http":
                await _stopping(scope["state"]["request_id"])(scope, receive, send)
            raise
        except ClientDisconnect:
            return  # nobody is left to be told
        except Exception:
            request_id = scope["state"]["request_id"]
            log.exception("request_failed", path=scope["path"], request_id=request_id)
            if not progress:
                await _defect(request_id)(scope, receive, send)
            elif progress in ("websocket.accept", "websocket.send"):
                await _end_stream(request_id, send)


def _stopping(request_id: str) -> Response:
    error = TransientError(
        "the server stops, and could not finish the request",
        component=_COMPONENT,
        hint="send it again when the server runs; what it had begun may be done already",
    )
    return error_answer(error, request_id)


def _defect(request_id: str) -> Response:
    error = InternalError(
        "Internal server error",
        component=_COMPONENT,
        hint=f"the server's log tells more under request id {request_id}",
    )
    return error_answer(error, request_id)


async def _end_stream(request_id: str, send: Send) -> None:
    message = LogMessage(error=f"Internal server error (request {request_id})", value=LogLine())
    await send({"type": "websocket.send", "text": encode(message).decode()})
    await send({"type": "websocket.close", "code": 1000})


class VersionGate:
    """Refuses clients that are too old to understand the answers."""

    def __init__(self, app: ASGIApp, *, version: BuildVersionInfo) -> None:
        self._app = app
        self._server = version.git_version.removeprefix("v")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope["state"]["client_version"] = None
        text = Headers(scope=scope).get(VERSION_HEADER, "")
        refusal = self._check(scope, text) if text else None
        await (refusal or self._app)(scope, receive, send)

    def _check(self, scope: Scope, text: str) -> Response | None:
        try:
            version = parse_version(text)
        except ValueError:
            return json_answer({"Error": f"Invalid client version {text}"}, status=400)
        if version.is_development:
            return None
        if version < MINIMUM_VERSION:
            return json_answer(self._too_old(text.removeprefix("v")), status=403)
        scope["state"]["client_version"] = version
        return None

    def _too_old(self, client: str) -> _TooOld:
        minimum = ".".join(str(part) for part in MINIMUM_VERSION[:3])
        return _TooOld(
            error=f"client version {client} is older than {minimum}, the oldest that this server "
            "understands; please update the client",
            min_version=minimum,
            client_version=client,
            server_version=self._server,
        )


class _TooOld(Model, frozen=True, kw_only=True):
    """The answer to clients that are too old; it has no envelope, as they do not know it."""

    error: str
    min_version: str
    client_version: str
    server_version: str


class BodyLimit:
    """Refuses request bodies that are too large, before or while they arrive, or that are late."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int, seconds: float) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        declared = Headers(scope=scope).get("content-length", "0")
        if int(declared) > self._limit_bytes:
            refusal = error_answer(self._too_large(), scope["state"]["request_id"])
            await refusal(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received, is_complete = 0, False
        deadline = asyncio.get_running_loop().time() + self._seconds

        async def counted_receive() -> Message:
            nonlocal received, is_complete
            try:
                async with asyncio.timeout_at(None if is_complete else deadline) as timer:
                    message = await receive()
            except TimeoutError:
                if not timer.expired():
                    raise
                raise self._too_late() from None
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if received > self._limit_bytes:
                raise self._too_large()
            return message

        await self._app(scope, counted_receive, send)

    def _too_late(self) -> UserError:
        return UserError(
            f"the request's body did not arrive within {self._seconds:g} seconds",
            code=Code.TIMED_OUT,
            hint="send a smaller job, or over a faster connection",
            component=_COMPONENT,
        )

    def _too_large(self) -> UserError:
        return UserError(
            "Request Entity Too Large",
            code=Code.TOO_LARGE,
            hint=f"a request body may have {self._limit_bytes} bytes at most",
            component=_COMPONENT,
        )


class Deadline:
    """Answers 503 when a request takes too long. Streams may take as long as they like."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def watched_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as timer:
                await self._app(scope, receive, watched_send)
        except TimeoutError:
            if not timer.expired() or has_started:
                raise
            late = TransientError(
                f"Server Timeout! The request was not answered within {self._seconds:g} seconds",
                hint="try again; the server is overloaded",
                component=_COMPONENT,
            )
            await error_answer(late, scope["state"]["request_id"])(scope, receive, send)
