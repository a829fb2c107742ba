"""Requests to addresses that job authors choose: which are never made, and through which proxy.

Link-local addresses are refused, because that is where clouds hand out the node's own credentials.
The check is on the address that is connected to, after the look-up of its name, so that neither a
redirect nor a name that changes its meaning gets around it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bacalhau.lib.addresses import address_meant, with_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CONNECT_SECONDS = 10.0
_METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
# Those that derive from them are about certificates, and say so by themselves.
_UNCONNECTED = (aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError)


class ForbiddenAddressError(ValueError):
    """A host whose address no job may reach."""


def is_forbidden(host: str) -> bool:
    """Tell whether a host, written as an address, is link-local, multicast or cloud metadata."""
    try:
        address = address_meant(host)
    except ValueError:
        return False
    return address.is_link_local or address.is_multicast or address in _METADATA


def check_host(url: str) -> None:
    """Refuse a URL whose host is written as a forbidden address.

    Raises:
        ForbiddenAddressError: it is.
    """
    host = urlsplit(url).hostname or ""
    if is_forbidden(host):
        raise ForbiddenAddressError(f"{host} is an address that jobs may not reach")


class GuardedResolver(AbstractResolver):
    """Looks names up and refuses those that lead to a forbidden address."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            ForbiddenAddressError: one of them is forbidden.
            OSError: the name is not known.
        """
        results = await self._resolver.resolve(host, port, family)
        for result in results:
            if is_forbidden(result["host"]):
                raise ForbiddenAddressError(
                    f"{host} leads to {result['host']}, an address that jobs may not reach"
                )
        return results

    async def close(self) -> None:
        """Release what the look-up holds."""
        await self._resolver.close()


@asynccontextmanager
async def guarded_session(
    *, connections: int, silence_seconds: float, trust: ssl.SSLContext | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open an HTTP session that reaches no forbidden address.

    Bodies are handed on as they are sent, cookies are dropped. A request fails after
    ``silence_seconds`` without a byte; there is no limit on its whole duration.
    """
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(), limit=connections, ssl=True if trust is None else trust
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence_seconds
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


async def guarded_socket(url: str) -> socket.socket:
    """Connect to the host of a URL, without any proxy, and return a socket that does not block.

    Raises:
        ForbiddenAddressError: no job may reach it.
        OSError: it cannot be reached.
        TimeoutError: it does not answer.
    """
    check_host(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    failure = OSError(f"{host} has no address")
    for found in await GuardedResolver().resolve(host, port, socket.AF_UNSPEC):
        try:
            return await _connect(found, port)
        except OSError as exc:
            failure = exc
    raise failure


async def _connect(found: ResolveResult, port: int) -> socket.socket:
    connecting = socket.socket(found["family"], socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(connecting, (found["host"], port))
    except BaseException:
        connecting.close()
        raise
    return connecting


def why_unanswered(cause: Exception) -> str:
    """Say on one line why an answer did not come, or broke off."""
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return f'the name "{cause.host}" does not resolve'
    if type(cause) in _UNCONNECTED and isinstance(cause, aiohttp.ClientConnectorError):
        number = cause.os_error.errno
        why = os.strerror(number) if number else str(cause.os_error)
        return f"cannot connect to {cause.host}:{cause.port}: {why}"
    broken = cause.os_error if isinstance(cause, aiohttp.ClientConnectorError) else cause
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        broken = cause.certificate_error
    if isinstance(broken, ssl.SSLError):
        return _why_not_encrypted(broken, cause)
    # The texts of these have the address in full, whose query may be a secret.
    if isinstance(cause, aiohttp.ClientResponseError):
        return " ".join(f"the answer is broken: {cause.message}".split())
    if isinstance(cause, aiohttp.InvalidURL):
        return "the address is not valid"
    return " ".join(str(cause).split()) or type(cause).__name__


def _why_not_encrypted(broken: ssl.SSLError, cause: Exception) -> str:
    host, port = getattr(cause, "host", ""), getattr(cause, "port", 0)
    server = with_port(host, port) if host else "the server"
    if isinstance(broken, ssl.SSLCertVerificationError):
        return f"the certificate of {server} is not trusted: {broken.verify_message}"
    return f"TLS with {server} failed: {(broken.reason or str(broken)).replace('_', ' ').lower()}"


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a URL.

    aiohttp would find it by itself, but it would then also send the operator's passwords from
    ``.netrc`` to whichever host a job names.
    """
    parts = urlsplit(url)
    return _proxy_of(parts.scheme, parts.hostname) if parts.hostname else None


@lru_cache(maxsize=1024)
def _proxy_of(scheme: str, host: str) -> str | None:
    """Read the environment once for each host: it takes longer than signing a request."""
    return None if proxy_bypass(host) else getproxies().get(scheme)
