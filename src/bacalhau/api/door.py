"""Which callers are let in at all: web pages by origin, and everybody by rate.

A browser sends requests to this machine for any page that it shows. Pages of other origins must
not use the API with the rights of the person in front of it (spec security.md T-C2); nor may a
page whose own name was pointed at our address, so on a loopback address only loopback names count.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response

from bacalhau.api.answers import error_answer
from bacalhau.errors import BacalhauError, Code, ForbiddenError, TransientError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from bacalhau.ports import Clock

_COMPONENT = "APIServer"
_METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_JOB_HEADER = "x-bacalhau-job-id"
"""Put on requests by the proxy of tasks with the HTTP network (spec engines.md 2.9)."""

ADDRESSES_REMEMBERED = 10_000


class Place(NamedTuple):
    """Where a web page comes from."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """Whom to let in.

    Attributes:
        origins: Web pages from there may use the API, beside its own.
        is_local: Whether the API is for this machine alone. It then has no names but those of
            the loopback, and those of ``origins``, as a proxy in front of it may pass them on.
    """

    origins: frozenset[Place] = frozenset()
    is_local: bool = False

    @classmethod
    def of(cls, *, origins: Iterable[str], host: str) -> Door:
        """Return the door for what is configured; ``host`` is where the API listens.

        Raises:
            UserError: an origin is none.
        """
        places = {origin: _place(origin) for origin in origins}
        wrong = next((origin for origin, place in places.items() if place is None), None)
        if wrong is not None:
            raise UserError(
                f'"{wrong}" is not the origin of a web page',
                code=Code.CONFIGURATION,
                hint="write scheme, host and port, such as http://localhost:3000",
                component=_COMPONENT,
                fields=["API.AllowedOrigins"],
            )
        known = frozenset(place for place in places.values() if place is not None)
        return cls(origins=known, is_local=_is_loopback(host))

    def admits_host(self, host: str) -> bool:
        """Tell whether a request may name us so in its header ``Host``; "" is no header.

        A page can give us a name of its own, but no address.
        """
        if not host or not self.is_local:
            return True
        place = _place(f"http://{host}")
        if place is None:
            return False
        is_known = any(place.host == origin.host for origin in self.origins)
        return is_known or _is_loopback(place.host) or _address(place.host) is not None

    def admits_origin(self, origin: str, headers: Mapping[str, str]) -> bool:
        """Tell whether a page may use the API: one of our own, or one that is listed."""
        place = _place(origin)
        if place is None:
            return False
        own = _place(f"{place.scheme}://{headers.get('host', '')}")
        return place == own or place in self.origins


def _is_loopback(name: str) -> bool:
    address = _address(name)
    is_name = name == "localhost" or name.endswith(".localhost")
    return is_name or (address is not None and address.is_loopback)


@lru_cache(ADDRESSES_REMEMBERED)
def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


@lru_cache(ADDRESSES_REMEMBERED)
def _place(url: str) -> Place | None:
    """Return where a URL leads; None when that is no web server."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return Place(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])


class DoorKeeper:
    """Refuses callers that the door does not admit, and answers preflights of those it does."""

    def __init__(self, app: ASGIApp, *, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if refusal is not None:
            await error_answer(refusal, scope["state"]["request_id"])(scope, receive, send)
        elif scope.get("method") == "OPTIONS":
            await _preflight(headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> BacalhauError | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._door.admits_host(host):
            return ForbiddenError(
                f"this server is not {host}",
                hint="it listens for this machine alone: call it localhost or 127.0.0.1, or list "
                f"http://{host} in API.AllowedOrigins on the server",
                component=_COMPONENT,
            )
        if origin is not None and not self._door.admits_origin(origin, headers):
            return ForbiddenError(
                f"web pages from {origin} may not use this API",
                hint="list the origin in API.AllowedOrigins on the server to let them",
                component=_COMPONENT,
            )
        if job_id := headers.get(_JOB_HEADER):
            return ForbiddenError(
                f"jobs may not use this API: job {job_id} asks through its HTTP network",
                hint="use the API from outside of jobs",
                component=_COMPONENT,
            )
        return None


def _preflight(headers: Headers) -> Response:
    allowed = {
        "Access-Control-Allow-Methods": _METHODS,
        "Vary": "Access-Control-Request-Headers",
    }
    wanted = headers.get("access-control-request-headers")
    if wanted:
        allowed["Access-Control-Allow-Headers"] = wanted
    return Response(status_code=204, headers=allowed)


class RateLimit:
    """Refuses more than so many requests a second from one address.

    An address may use a whole second's worth at once. Only the most recent addresses are
    remembered, and what proxies say of their callers is not believed.
    """

    def __init__(self, app: ASGIApp, *, per_second: float, clock: Clock) -> None:
        self._app = app
        self._per_second = per_second
        self._clock = clock
        # What each address may still send, and when that was counted; the latest are last.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        client = scope.get("client")
        if self._admits(client[0] if client else ""):
            await self._app(scope, receive, send)
            return
        error = TransientError(
            f"rate limit exceeded: at most {self._per_second:g} requests a second are answered",
            code=Code.EXHAUSTED,
            hint="wait as long as the header Retry-After says",
            component=_COMPONENT,
        )
        await error_answer(error, scope["state"]["request_id"])(scope, receive, send)

    def _admits(self, address: str) -> bool:
        now = self._clock.monotonic()
        left, counted = self._left.pop(address, (self._per_second, now))
        left = min(self._per_second, left + (now - counted) * self._per_second)
        is_admitted = left >= 1
        self._left[address] = (left - 1 if is_admitted else left, now)
        if len(self._left) > ADDRESSES_REMEMBERED:
            self._left.popitem(last=False)
        return is_admitted
