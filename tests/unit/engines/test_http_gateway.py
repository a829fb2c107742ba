"""Where a task with the HTTP network may go (spec engines.md 2.8, 2.9, security.md T-J2)."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from bacalhau.engines.docker.http_gateway import GatewayRules, allows, http_gateway, reduced_domains

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def rules(*domains: str, private: bool = False) -> GatewayRules:
    networks = LOOPBACK if private else ()
    return GatewayRules(domains=reduced_domains(domains), private_networks=networks, job_id="j-1")


@pytest.mark.parametrize(
    ("domains", "reduced"),
    [
        ((" Example.COM ", "example.com"), ("example.com",)),
        ((".example.com", "example.com", "a.example.com"), (".example.com",)),
        ((".example.com", ".a.example.com", "example.org."), (".example.com", "example.org")),
        (("", " "), ()),
    ],
)
def test_domains_that_others_cover_are_left_out(
    domains: tuple[str, ...], reduced: tuple[str, ...]
) -> None:
    assert reduced_domains(domains) == reduced


@pytest.mark.parametrize(
    ("domain", "host", "is_allowed"),
    [
        ("example.com", "example.com", True),
        ("example.com", "EXAMPLE.com.", True),
        ("example.com", "a.example.com", False),
        ("example.com", "example.com.evil.org", False),
        (".example.com", "example.com", True),
        (".example.com", "a.b.example.com", True),
        (".example.com", "notexample.com", False),
        ("1.2.3.4", "1.2.3.4", True),
    ],
)
def test_a_domain_covers_itself_and_with_a_dot_what_is_below(
    domain: str, host: str, is_allowed: bool
) -> None:
    assert allows((domain,), host) is is_allowed


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.17.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("239.1.2.3", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("ff02::1", False),
    ],
)
def test_only_public_addresses_are_connected_to(address: str, may: bool) -> None:
    assert rules("x").may_connect(address) is may


def test_the_operator_can_let_jobs_reach_a_private_network() -> None:
    allowed = rules("x", private=True)
    assert allowed.may_connect("127.0.0.1")
    assert allowed.may_connect("::ffff:127.0.0.1")
    assert not allowed.may_connect("10.0.0.1")


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        (b"GET / HTTP/1.1", b"400", b"this is a proxy"),
        (b"GET ftp://localhost/ HTTP/1.1", b"400", b"this is a proxy"),
        (b"nonsense", b"400", b"no HTTP request"),
        (b"GET http://localhost:x/ HTTP/1.1", b"400", b"makes no sense"),
        (b"GET http://other/ HTTP/1.1", b"403", b"do not include other"),
        (b"CONNECT other:443 HTTP/1.1", b"403", b"do not include other"),
        (b"GET http://0x7f.1/ HTTP/1.1", b"403", b"do not include 0x7f.1"),
        (b"GET http://localhost@other/ HTTP/1.1", b"403", b"do not include other"),
        (b"GET http://localhost/ HTTP/1.1", b"403", b"leads to"),
    ],
)
async def test_what_is_not_allowed_is_refused_with_a_reason(
    request_line: bytes, status: bytes, reason: bytes
) -> None:
    async with http_gateway(rules("localhost"), "127.0.0.1", 0) as port:
        answer = await ask(port, request_line + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert reason in answer


async def test_a_server_that_is_away_is_told() -> None:
    async with http_gateway(rules("localhost", private=True), "127.0.0.1", 0) as port:
        answer = await ask(port, b"GET http://localhost:9/ HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"cannot connect to localhost" in answer


async def test_a_name_that_nobody_knows_is_told_without_numbers_of_errors() -> None:
    async with http_gateway(rules("nowhere.invalid"), "127.0.0.1", 0) as port:
        answer = await ask(port, b"GET http://nowhere.invalid/ HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"cannot look up nowhere.invalid: " in answer
    assert b"Errno" not in answer


async def test_a_body_is_passed_on_and_headers_between_hops_are_not() -> None:
    heads = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head + await reader.readexactly(4))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    origin = await asyncio.start_server(answer, "127.0.0.1", 0)
    target = origin.sockets[0].getsockname()[1]
    request = (
        f"POST http://localhost:{target}/x HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 4\r\n"
        "Proxy-Connection: keep-alive\r\nX-Bacalhau-Job-ID: j-forged\r\n\r\nbody"
    ).encode()
    async with origin, http_gateway(rules("localhost", private=True), "127.0.0.1", 0) as port:
        assert (await ask(port, request)).startswith(b"HTTP/1.1 204 ")
    assert heads == [
        (
            f"POST /x HTTP/1.1\r\nHost: localhost:{target}\r\nX-Bacalhau-Job-ID: j-1\r\n"
            "Connection: close\r\nContent-Length: 4\r\n\r\nbody"
        ).encode()
    ]


async def test_leaving_ends_connections() -> None:
    async with http_gateway(rules("localhost"), "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET ")
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()
