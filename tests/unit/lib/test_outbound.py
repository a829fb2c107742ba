"""Addresses that no job may reach, in all their spellings."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from bacalhau.lib.outbound import (
    ForbiddenAddressError,
    GuardedResolver,
    _proxy_of,
    check_host,
    guarded_session,
    guarded_socket,
    is_forbidden,
    proxy_for,
    why_unanswered,
)


@pytest.mark.parametrize(
    ("host", "forbidden"),
    [
        ("169.254.169.254", True),
        ("169.254.0.1", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("fd00:ec2::254", True),
        ("::ffff:169.254.169.254", True),
        ("::ffff:a9fe:a9fe", True),
        ("2002:a9fe:a9fe::", True),
        ("100.100.100.200", True),
        ("224.0.0.1", True),
        ("ff02::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("192.0.2.1", False),
        ("::1", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_addresses(host: str, forbidden: bool) -> None:
    assert is_forbidden(host) is forbidden


def test_urls() -> None:
    check_host("http://127.0.0.1:9000/x")
    for url in ("http://169.254.169.254/x", "http://user@169.254.169.254:80", "http://[fe80::1]/"):
        with pytest.raises(ForbiddenAddressError, match="an address that jobs may not reach"):
            check_host(url)


async def test_names_are_judged_by_where_they_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = GuardedResolver()
    found = await resolver.resolve("localhost", 80)
    assert found[0]["host"] == "127.0.0.1"
    monkeypatch.setattr("bacalhau.lib.outbound.is_forbidden", lambda host: host == "127.0.0.1")
    with pytest.raises(ForbiddenAddressError, match=r"localhost leads to 127\.0\.0\.1"):
        await resolver.resolve("localhost", 80)
    await resolver.close()


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1,.internal")
    monkeypatch.delenv("https_proxy", raising=False)
    _proxy_of.cache_clear()
    assert proxy_for("http://example.com/x") == "http://proxy:3128"
    assert proxy_for("https://example.com/x") is None
    assert proxy_for("http://127.0.0.1:9000/x") is None
    assert proxy_for("http://s3.internal/x") is None


async def test_sockets_lead_to_no_forbidden_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ForbiddenAddressError):
        await guarded_socket("http://169.254.169.254/")
    monkeypatch.setattr("bacalhau.lib.outbound.is_forbidden", lambda host: host == "127.0.0.1")
    with pytest.raises(ForbiddenAddressError, match="localhost leads to"):
        await guarded_socket("http://localhost:80/")


async def test_a_server_that_is_away_is_told_with_its_address() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        async with guarded_session(connections=1, silence_seconds=5) as session:
            with pytest.raises(aiohttp.ClientConnectorError) as caught:
                await session.get(f"http://127.0.0.1:{port}/")
    told = why_unanswered(caught.value)
    assert told == f"cannot connect to 127.0.0.1:{port}: Connection refused"
