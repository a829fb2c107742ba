"""Sending requests from a thread that waits: the standard library's HTTP client, kept alive."""

from __future__ import annotations

import http.client
import re
import select
from typing import TYPE_CHECKING, TypeVar

from bacalhau.client.failures import COMPONENT, failure_from_socket
from bacalhau.client.requests import decode
from bacalhau.errors import Code, TransientError, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.client.credentials import Credentials
    from bacalhau.client.requests import Request
    from bacalhau.client.tls import Trust

T = TypeVar("T")

_HOST = re.compile(r"[A-Za-z0-9_.:%-]+")
_PORTS = 65536


class HttpTransport:
    """One connection to one server, opened with the first request and kept for the next ones.

    It speaks TLS where ``trust`` says whose certificates count; ``tls`` is what comes of that. Not
    for use by several threads at once. ``timeout_seconds`` limits each wait for the network,
    not a call as a whole.

    Raises:
        UserError: what is given cannot be a host and a port.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_seconds: float,
        headers: Mapping[str, str],
        credentials: Credentials | None = None,
        trust: Trust | None = None,
    ) -> None:
        _check_address(host, port)
        self.tls = trust.context() if trust is not None else None
        scheme = "http" if self.tls is None else "https"
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        self._headers = dict(headers)
        self._credentials = credentials
        self._connection = (
            http.client.HTTPConnection(host, port, timeout=timeout_seconds)
            if self.tls is None
            else http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=self.tls)
        )

    def send(self, request: Request[T]) -> T:
        """Send a request and return its decoded answer; log in when the server asks for that.

        Raises:
            TransientError: the server cannot be reached or does not answer in time.
            BacalhauError: what the server refused with.
        """
        status, body = self._exchange(request, self.headers())
        if status == http.client.UNAUTHORIZED and self.log_in():
            status, body = self._exchange(request, self.headers())
        return decode(request, status, body)

    def headers(self) -> dict[str, str]:
        """Return the headers of every request, with the token for this server if there is one.

        Raises:
            UserError: code ``ConfigurationError``: the tokens cannot be read.
        """
        token = self._credentials.token(self.url) if self._credentials is not None else ""
        return {**self._headers, "Authorization": f"Bearer {token}"} if token else self._headers

    def log_in(self) -> bool:
        """Get a new token; False where nobody can or wants to.

        Raises:
            BacalhauError: the server cannot be asked, or does not let us in.
        """
        if self._credentials is None:
            return False
        return bool(
            self._credentials.renew(
                self.url, lambda request: self._exchange(request, self._headers)
            )
        )

    def close(self) -> None:
        """Close the connection. The next request opens a new one."""
        self._connection.close()

    def _exchange(self, request: Request[T], sent: Mapping[str, str]) -> tuple[int, bytes]:
        headers = dict(sent)
        if request.body:
            headers["Content-Type"] = "application/json"
        if self._is_stale():
            self._connection.close()
        try:
            self._connection.request(
                request.method, request.target, body=request.body or None, headers=headers
            )
            with self._connection.getresponse() as response:
                return response.status, response.read()
        except OSError as exc:
            self._connection.close()
            raise failure_from_socket(exc, self.url) from exc
        except http.client.HTTPException as exc:
            self._connection.close()
            raise TransientError(
                f"network error: {_reason(exc)} ({self.url})",
                code=Code.NETWORK_FAILURE,
                hint="make sure that the address is that of a Bacalhau API",
                component=COMPONENT,
            ) from exc

    def _is_stale(self) -> bool:
        """Tell whether the server has closed the connection while it was not in use.

        Found out before sending, because a request that was sent may have been carried out.
        """
        sock = self._connection.sock
        if sock is None:
            return False
        return bool(select.select([sock], [], [], 0)[0])

    def __repr__(self) -> str:
        return f"HttpTransport({self.url!r})"


def _check_address(host: str, port: int) -> None:
    try:
        is_host = bool(_HOST.fullmatch(host.encode("idna").decode())) and host.count(":") != 1
    except UnicodeError:
        is_host = False
    if not is_host:
        raise UserError(
            f'"{host}" is neither a host name nor an address',
            code=Code.CONFIGURATION,
            hint=_host_advice(host),
            component=COMPONENT,
            fields=["API.Host"],
        )
    if not 0 < port < _PORTS:
        raise UserError(
            f"{port} is not a port",
            code=Code.CONFIGURATION,
            hint="API.Port (--api-port) is a number from 1 to 65535",
            component=COMPONENT,
            fields=["API.Port"],
        )


def _host_advice(host: str) -> str:
    advice = "API.Host (--api-host) is a name such as localhost, or an address: 127.0.0.1"
    if "://" in host:
        return (
            f"{advice}; leave out `{host.partition('://')[0]}://`, and set API.TLS.UseTLS for TLS"
        )
    if host.startswith("["):
        return f"{advice}; leave out the brackets"
    if host.count(":") == 1:
        return f"{advice}; give the port apart: `--api-port {host.partition(':')[2]}`"
    return advice


def _reason(exc: http.client.HTTPException) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
