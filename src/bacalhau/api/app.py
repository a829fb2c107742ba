"""The ASGI application: routes from the table, wrapped in the layers of ``middleware``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from bacalhau.api.answers import answer, error_answer, json_answer
from bacalhau.api.call import Call, is_pretty, request_id_of
from bacalhau.api.door import Door, DoorKeeper, RateLimit
from bacalhau.api.endpoints import ENDPOINTS, Endpoint
from bacalhau.api.guard import Guard
from bacalhau.api.handlers import Admission, AgentInfo, Handlers, Intake
from bacalhau.api.legacy import GONE, gone_message
from bacalhau.api.log_socket import relay
from bacalhau.api.middleware import BodyLimit, Deadline, ErrorBarrier, Greeting, VersionGate
from bacalhau.api.openapi import openapi_document
from bacalhau.api.parameters import parse_query
from bacalhau.errors import BacalhauError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import HTTPConnection, Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bacalhau.api.login import Login
    from bacalhau.orchestrator.queries import Queries
    from bacalhau.ports import Clock, Ids

__all__ = ["AgentInfo", "Intake", "create_app"]

BODY_LIMIT_BYTES = 10_000_000
BODY_SECONDS = 20.0
HANDLER_SECONDS = 30.0
REQUESTS_PER_SECOND = 1000.0
_OWN_ORIGIN = Door()
_NOBODY_IS_ASKED = Guard()
_BOUND_METHODS = frozenset({"GET", "HEAD", "DELETE"})
"""Methods whose query is read (spec api.md W11)."""


def create_app(
    *,
    queries: Queries,
    intake: Intake,
    admission: Admission,
    login: Login,
    agent: AgentInfo,
    clock: Clock,
    ids: Ids,
    door: Door = _OWN_ORIGIN,
    guard: Guard = _NOBODY_IS_ASKED,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
    body_seconds: float = BODY_SECONDS,
    handler_seconds: float = HANDLER_SECONDS,
    requests_per_second: float = REQUESTS_PER_SECOND,
) -> ASGIApp:
    """Return the application.

    Args:
        queries: The read side.
        intake: The write side.
        admission: Decides which nodes take part.
        login: The ways to log in.
        agent: Who answers.
        clock: For the duration of requests in the log.
        ids: For requests that bring no id of their own.
        door: Which callers to let in.
        guard: Finds out who they are, and what they may do.
        body_limit_bytes: Largest request body.
        body_seconds: Longest time for a request's body to arrive.
        handler_seconds: Longest time for an answer; streams have no limit.
        requests_per_second: Most requests from one address.
    """
    document = openapi_document(ENDPOINTS, agent.version.git_version)
    handlers = Handlers(
        queries=queries,
        intake=intake,
        admission=admission,
        login=login,
        agent=agent,
        document=document,
    )
    app = Starlette(
        routes=[*_routes(ENDPOINTS, handlers, guard), *_gone_routes()],
        middleware=[
            Middleware(Greeting, version=agent.version, door=door, clock=clock, ids=ids),
            Middleware(ErrorBarrier),
            Middleware(DoorKeeper, door=door),
            Middleware(RateLimit, per_second=requests_per_second, clock=clock),
            Middleware(VersionGate, version=agent.version),
            Middleware(BodyLimit, limit_bytes=body_limit_bytes, seconds=body_seconds),
            Middleware(Deadline, seconds=handler_seconds),
        ],
        exception_handlers=_EXCEPTION_HANDLERS,
    )
    app.router.redirect_slashes = False
    app.router.default = _no_route
    return app


def _routes(endpoints: Sequence[Endpoint], handlers: Handlers, guard: Guard) -> list[BaseRoute]:
    routes: list[BaseRoute] = []
    for row in endpoints:
        handler = getattr(handlers, row.handler)
        if row.is_stream:
            routes.append(WebSocketRoute(row.path, _stream_endpoint(row, handler, guard)))
            routes.append(Route(row.path, _upgrade_required, methods=[row.method]))
        else:
            routes.append(Route(row.path, _endpoint(row, handler, guard), methods=[row.method]))
    return routes


def _gone_routes() -> list[BaseRoute]:
    return [Route(path, _gone, methods=[method]) for method, path in GONE]


async def _gone(request: Request) -> Response:
    return json_answer(gone_message(request.url.path), status=410, pretty=is_pretty(request))


def _endpoint(row: Endpoint, handler: Any, guard: Guard) -> Any:
    async def respond(request: Request) -> Response:
        result = await handler(_call(row, request, request.method, guard))
        return answer(result, pretty=is_pretty(request))

    return respond


def _stream_endpoint(row: Endpoint, handler: Any, guard: Guard) -> Any:
    async def respond(websocket: WebSocket) -> None:
        call = _call(row, websocket, row.method, guard)
        await relay(websocket, handler(call), call.reference)

    return respond


def _call(row: Endpoint, connection: HTTPConnection, method: str, guard: Guard) -> Call:
    caller = guard.admit(row, connection.headers.get("authorization", ""))
    query = connection.scope["query_string"].decode("latin-1") if method in _BOUND_METHODS else ""
    return Call(connection, parse_query(row.parameters, query), caller)


async def _upgrade_required(request: Request) -> Response:
    """Answer a stream asked for without a WebSocket, as v1.5 does: nothing, but successfully."""
    headers = {"Sec-Websocket-Version": "13", "X-Content-Type-Options": "nosniff"}
    return PlainTextResponse("", headers=headers)


async def _no_route(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotFoundError("Not Found", component="APIServer", hint=_ROUTES_HINT)


_ROUTES_HINT = "GET /api/v1/openapi.json lists what this server answers"


async def _not_found(connection: HTTPConnection, error: Exception) -> Response | None:
    """Answer a wrong method on a known path, which the router reports in its own way."""
    assert isinstance(error, HTTPException), error
    return await _refuse(
        connection, NotFoundError("Not Found", component="APIServer", hint=_ROUTES_HINT)
    )


async def _refuse(connection: HTTPConnection, error: Exception) -> Response | None:
    assert isinstance(error, BacalhauError), error
    response = error_answer(error, request_id_of(connection), pretty=is_pretty(connection))
    if not isinstance(connection, WebSocket):
        return response
    await connection.send_denial_response(response)
    return None


_EXCEPTION_HANDLERS: dict[Any, Any] = {BacalhauError: _refuse, HTTPException: _not_found}
