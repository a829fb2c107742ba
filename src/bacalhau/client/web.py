"""Getting things by HTTP from any server, over connections that stay open.

The standard library's openers close the connection after every answer, which a result of thousands
of files would feel; so this module keeps them, and has its own redirects and proxies.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from base64 import b64encode
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from bacalhau.client.failures import COMPONENT
from bacalhau.config.certificates import aws_certificates
from bacalhau.errors import UserError
from bacalhau.lib.urls import quoted, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SILENCE_SECONDS = 30.0
"""How long an answer may stand still before it is given up, and asked for anew."""

_CONNECT_SECONDS = 10.0
_REDIRECTS = 5
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_SCHEMES = ("http", "https")
_PRIVATE_HEADERS = frozenset({"authorization", "x-amz-security-token"})


class Web:
    """Connections of one thread, one to each server. Another thread may ``abort`` them."""

    def __init__(self, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._silence_seconds = silence_seconds
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}
        self._trust: ssl.SSLContext | None = None
        self._asked: socket.socket | None = None

    @contextmanager
    def get(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask for a URL, follow redirects, and yield the answer, whatever its status is.

        The connection is kept when the body was read to its end.

        Raises:
            UserError: not an HTTP address.
            OSError: there is no connection, or it broke.
            http.client.HTTPException: what came is no HTTP.
        """
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        for _ in range(_REDIRECTS + 1):
            parts = split_url(url)
            connection, response = self._ask(parts, sent)
            target = response.headers.get("Location", "")
            if response.status not in _REDIRECT_STATUSES or not target:
                break
            response.close()
            connection.close()
            url, previous = _redirected(url, target), parts
            if split_url(url)[:2] != previous[:2]:
                # What proves who asks is for the server that was asked.
                sent = {k: v for k, v in sent.items() if k.lower() not in _PRIVATE_HEADERS}
        else:
            raise http.client.HTTPException(f"more than {_REDIRECTS} redirects")
        try:
            yield response
        finally:
            if not response.isclosed():
                connection.close()
            response.close()

    def abort(self) -> None:
        """End what the thread of these connections waits for; it fails there."""
        asked = self._asked
        if asked is not None:
            with suppress(OSError):
                asked.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _ask(
        self, parts: SplitResult, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        proxy = _proxy(parts)
        origin = (parts.scheme, parts.netloc)
        connection = self._connections.get(origin)
        if connection is None:
            connection = self._connections[origin] = self._connect(parts, proxy)
        target = _target(parts)
        if proxy is not None and parts.scheme == "http":
            target = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{target}"
            headers = {**headers, **_proxy_headers(proxy)}
        if connection.sock is not None:
            try:
                return connection, self._exchange(connection, target, headers)
            except (ConnectionError, http.client.BadStatusLine):
                connection.close()  # the server has done so since the last answer
            except BaseException:
                connection.close()
                raise
        try:
            return connection, self._exchange(connection, target, headers)
        except BaseException:
            connection.close()
            raise

    def _exchange(
        self, connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        is_new = connection.sock is None
        if is_new:
            connection.connect()
        asked = self._asked = connection.sock
        if is_new and asked is not None:
            asked.settimeout(self._silence_seconds)
        connection.request("GET", target, headers=dict(headers))
        return connection.getresponse()

    def _connect(self, parts: SplitResult, proxy: SplitResult | None) -> http.client.HTTPConnection:
        place = proxy or parts
        host, port = place.hostname or "", place.port
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        connection = http.client.HTTPSConnection(
            host, port, timeout=_CONNECT_SECONDS, context=self._trusted()
        )
        if proxy is not None:
            connection.set_tunnel(parts.hostname or "", parts.port, _proxy_headers(proxy))
        return connection

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = aws_certificates(COMPONENT) or ssl.create_default_context()
        return self._trust


def split_url(url: str) -> SplitResult:
    """Return the parts of an HTTP address.

    Raises:
        UserError: it is none.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise UserError(
            f"cannot download {shown(url)}: not an HTTP address",
            hint="the server that keeps the results leads there; whoever runs it can say why",
            component=COMPONENT,
        )
    return parts


def _redirected(url: str, target: str) -> str:
    # Headers are bytes, which the library takes for Latin-1.
    written = quoted(target.encode("latin-1", "replace"))
    try:
        return urljoin(url, written)
    except ValueError:
        return written  # is judged where it is asked for


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    return quoted((f"{path}?{parts.query}" if parts.query else path).encode())


def _proxy(parts: SplitResult) -> SplitResult | None:
    """Return the proxy that the environment names for a server."""
    if proxy_bypass(parts.hostname or ""):
        return None
    found = getproxies().get(parts.scheme)
    if not found:
        return None
    return urlsplit(found if "://" in found else f"http://{found}")


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
