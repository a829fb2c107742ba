"""The only way out for a task with the HTTP network: a proxy that knows where it may go.

Source: spec engines.md 2.9, security.md T-J2.

A request is for a host that the task's domains name. The host's address is looked up here, once,
and connected to: a name cannot mean something else a moment later. Addresses that are not public
are refused unless the operator lists them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import structlog

from bacalhau.lib.addresses import address_meant
from bacalhau.lib.parallel import ungrouped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Sequence
    from ipaddress import IPv4Network, IPv6Network

_log = structlog.get_logger(__name__)

_HEAD_BYTES = 64 * 1024
_HEAD_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_CHUNK_BYTES = 64 * 1024
_CONNECTIONS = 256
_REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]")
_HOP_BY_HOP = frozenset(
    {b"connection", b"host", b"keep-alive", b"proxy-authorization", b"proxy-connection"}
)


def reduced_domains(domains: Iterable[str]) -> tuple[str, ...]:
    """Return domains in lower case without those that another covers.

    ``.example.com`` covers itself, ``example.com`` and everything below.
    """
    wanted = dict.fromkeys(domain.strip().lower().rstrip(".") for domain in domains)
    return tuple(
        domain
        for domain in wanted
        if domain and not any(domain != other and _covers(other, domain) for other in wanted)
    )


def _covers(other: str, domain: str) -> bool:
    return other.startswith(".") and allows((other,), domain)


def allows(domains: Collection[str], host: str) -> bool:
    """Tell whether a host is one of the domains, or below one that begins with a dot."""
    host = host.lower().strip(".")
    return any(
        host == domain.lstrip(".") or (domain.startswith(".") and host.endswith(domain))
        for domain in domains
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayRules:
    """Where one task may go, and what it is called.

    Attributes:
        domains: Hosts in lower case; one that begins with a dot stands for all below it, too.
        private_networks: Addresses that are not public and may be reached all the same.
        job_id: Told to servers in the header ``X-Bacalhau-Job-ID``, where nothing is encrypted.
    """

    domains: tuple[str, ...]
    private_networks: tuple[IPv4Network | IPv6Network, ...]
    job_id: str

    def may_connect(self, address: str) -> bool:
        """Tell whether an address is public, or one that the operator lists."""
        ip = address_meant(address)
        if any(ip in network for network in self.private_networks):
            return True
        return ip.is_global and not ip.is_multicast


class _RefusedError(Exception):
    """A request that is answered with an error: a status and why."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: SplitResult
    headers: Sequence[bytes]

    @property
    def is_tunnel(self) -> bool:
        return self.method == "CONNECT"


@asynccontextmanager
async def http_gateway(rules: GatewayRules, host: str, port: int) -> AsyncIterator[int]:
    """Serve one task at an address of this machine; yield the port, which 0 leaves to chance.

    Raises:
        OSError: this machine does not have the address, or the port is taken.
    """
    gateway = _Gateway(rules)
    server = await asyncio.start_server(gateway.serve, host, port, limit=_HEAD_BYTES)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await gateway.hang_up()


class _Gateway:
    def __init__(self, rules: GatewayRules) -> None:
        self._rules = rules
        self._open: set[asyncio.Task[object]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection: a request for each."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) > _CONNECTIONS:
                raise _RefusedError("503 Service Unavailable", "too many connections")
            await self._answer(reader, writer)
        except _RefusedError as exc:
            _log.info("gateway_refused", job_id=self._rules.job_id, reason=str(exc))
            with contextlib.suppress(OSError):
                writer.write(_refusal(exc))
                await writer.drain()
        except OSError:
            pass  # One of the two ends has hung up.
        finally:
            self._open.discard(task)
            writer.close()

    async def hang_up(self) -> None:
        """End all connections."""
        for task in tuple(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(tuple(self._open))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read_request(reader)
        host, port = _target(request)
        if not allows(self._rules.domains, host):
            raise _RefusedError("403 Forbidden", f"the job's domains do not include {host}")
        address = await self._address_of(host, port)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                far_reader, far_writer = await asyncio.open_connection(*address)
        except OSError as exc:
            raise _RefusedError(
                "502 Bad Gateway", f"cannot connect to {host}: {_why(exc)}"
            ) from exc
        try:
            if request.is_tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far_writer.write(_forwarded(request, self._rules.job_id))
            with ungrouped():
                async with asyncio.TaskGroup() as group:
                    outward = group.create_task(_pipe(reader, far_writer))
                    await _pipe(far_reader, writer)
                    outward.cancel()
        finally:
            far_writer.close()

    async def _address_of(self, host: str, port: int) -> tuple[str, int]:
        """Look a host up; all of its addresses must be such as may be connected to."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as exc:
            raise _RefusedError("502 Bad Gateway", f"cannot look up {host}: {_why(exc)}") from exc
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not self._rules.may_connect(address):
                raise _RefusedError(
                    "403 Forbidden", f"{host} leads to {address}, which jobs may not reach"
                )
        return addresses[0], port


async def _read_request(reader: asyncio.StreamReader) -> _Request:
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as exc:
        raise _RefusedError("431 Request Header Fields Too Large", "the head is too long") from exc
    except (asyncio.IncompleteReadError, TimeoutError) as exc:
        raise _RefusedError("408 Request Timeout", "no request came") from exc
    line, *headers = head[:-4].split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _RefusedError("400 Bad Request", "this is no HTTP request")
    method, target = match[1].decode(), match[2].decode("latin-1")
    try:
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        _ = url.port
    except ValueError as exc:
        raise _RefusedError("400 Bad Request", f"the address makes no sense: {exc}") from exc
    return _Request(method, url, headers)


def _target(request: _Request) -> tuple[str, int]:
    url = request.url
    if not url.hostname or (not request.is_tunnel and url.scheme != "http"):
        raise _RefusedError(
            "400 Bad Request", "this is a proxy: ask for http://HOST/..., or CONNECT HOST:PORT"
        )
    return url.hostname, url.port or (443 if request.is_tunnel else 80)


def _forwarded(request: _Request, job_id: str) -> bytes:
    """Return the head of a request as the server is to see it; it closes when it has answered."""
    url = request.url
    path = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
    address = url.netloc.rpartition("@")[2]
    kept = [
        header
        for header in request.headers
        if (name := header.partition(b":")[0].strip().lower()) not in _HOP_BY_HOP
        and name != b"x-bacalhau-job-id"
    ]
    own = f"Host: {address}\r\nX-Bacalhau-Job-ID: {job_id}\r\nConnection: close"
    lines = [f"{request.method} {path} HTTP/1.1".encode("latin-1"), own.encode("latin-1"), *kept]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _why(exc: OSError) -> str:
    if isinstance(exc, TimeoutError):
        return f"no answer within {_CONNECT_SECONDS:g} seconds"
    return exc.strerror or str(exc)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


def _refusal(exc: _RefusedError) -> bytes:
    body = f"{exc}\n".encode("utf-8", "replace")
    head = (
        f"HTTP/1.1 {exc.status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
