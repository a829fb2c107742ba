"""The server of the local publisher gives out archives, one at a time, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
import structlog

from bacalhau.errors import UserError, ValidationError
from bacalhau.lib import listener
from bacalhau.models import SpecConfig
from bacalhau.publishers import local
from bacalhau.publishers.local import LocalPublisher
from bacalhau.testing.contracts.publisher import ToldProgress, execution_with, write_results
from tests.support.engines import plugin_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.config.keys import Value

SPEC = SpecConfig(type="local")


def settings(port: int = 0, address: str = "127.0.0.1") -> dict[str, Value]:
    return {
        "Publishers.Types.Local.Port": port,
        "Publishers.Types.Local.Address": address,
    }


async def link_to(publisher: LocalPublisher, results: Path) -> str:
    published = await publisher.publish(execution_with(SPEC, "e-1"), results, ToldProgress())
    url: str = published.spec.params["URL"]
    return url


async def test_ranges_and_heads(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", {"stdout": b"hello\n"})
    context = plugin_context(tmp_path / "node", settings())
    async with LocalPublisher.open(context) as publisher, aiohttp.ClientSession() as session:
        url = await link_to(publisher, results)
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/e-1.tar.gz")
        async with session.get(url) as response:
            whole = await response.read()
            assert response.headers["Content-Type"] == "application/gzip"
            assert "Content-Encoding" not in response.headers
        async with session.head(url) as response:
            assert response.headers["Content-Length"] == str(len(whole))
        async with session.get(url, headers={"Range": "bytes=5-9"}) as response:
            assert response.status == 206
            assert await response.read() == whole[5:10]
    stored = tmp_path / "node/compute/results/local-publisher/e-1.tar.gz"
    assert stored.read_bytes() == whole


async def test_what_is_left_out_is_logged_with_its_execution(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", {"stdout": b"hello\n"})
    os.mkfifo(results / "pipe")
    context = plugin_context(tmp_path / "node", settings())
    with structlog.testing.capture_logs() as logged:
        async with LocalPublisher.open(context) as publisher:
            await publisher.publish(execution_with(SPEC, "e-1"), results, ToldProgress())
    (line,) = [each for each in logged if each["event"] == "results_left_out"]
    assert (line["execution_id"], line["names"], line["count"]) == ("e-1", ["pipe"], 1)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/e-2.tar.gz",
        "/.e-1.tar.gz.part",
        "/secret.txt",
        "/../secret.tar.gz",
        "/%2e%2e/secret.tar.gz",
        "/..%2fsecret.tar.gz",
        "//e-1.tar.gz",
    ],
)
async def test_nothing_else_is_served(path: str, tmp_path: Path) -> None:
    context = plugin_context(tmp_path / "node", settings())
    results = write_results(tmp_path / "results", {"stdout": b""})
    async with LocalPublisher.open(context) as publisher:
        published = await publisher.publish(execution_with(SPEC, "e-1"), results, ToldProgress())
        place = tmp_path / "node/compute/results"
        (place / "secret.tar.gz").write_bytes(b"secret")
        (place / "local-publisher/secret.txt").write_bytes(b"secret")
        (place / "local-publisher/.e-1.tar.gz.part").write_bytes(b"secret")
        base = published.spec.params["URL"].removesuffix("/e-1.tar.gz")
        assert await status_of(base, path) == 404


@pytest.mark.parametrize("sent", ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\0\r\n\r\n", "A" * 9000])
async def test_a_request_that_is_none_is_no_failure_of_the_node(
    sent: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = plugin_context(tmp_path, settings(port=(port := free_port())))
    async with asyncio.timeout(10), LocalPublisher.open(context):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent.encode())
        assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
        writer.close()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def status_of(base: str, path: str) -> int:
    """Send a path as it is, which a client library would tidy up first."""
    host, _, port = base.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        await loop.sock_sendall(connection, request.encode())
        answer = await loop.sock_recv(connection, 100)
    return int(answer.split()[1])


async def test_links_to_other_machines_are_served_at_every_address(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", {"stdout": b"hello\n"})
    context = plugin_context(tmp_path / "node", settings(address="node.example.org"))
    async with LocalPublisher.open(context) as publisher, aiohttp.ClientSession() as session:
        url = await link_to(publisher, results)
        for host in ["127.0.0.1"] + ["[::1]"] * socket.has_ipv6:
            async with session.get(url.replace("node.example.org", host)) as response:
                assert response.status == 200


async def test_whoever_connects_too_often_leaves_files_to_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = write_results(tmp_path / "results", {"stdout": b"hello\n"})
    context = plugin_context(tmp_path / "node", settings())
    async with LocalPublisher.open(context) as publisher, aiohttp.ClientSession() as session:
        url = await link_to(publisher, results)
        with monkeypatch.context() as patched:
            patched.setattr(listener, "_most_files", lambda: 0)
            async with session.get(url) as response:
                assert response.status == 503
                assert response.headers["Retry-After"] == "1"
        async with session.get(url) as response:
            assert response.status == 200


class TestWhoeverKeepsAConnectionOpen:
    @pytest.mark.parametrize(
        "sent",
        ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /"],
    )
    async def test_without_a_request_is_sent_away(
        self, sent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local, "HEAD_SECONDS", 0.1)
        context = plugin_context(tmp_path, settings(port=(port := free_port())))
        async with asyncio.timeout(10), LocalPublisher.open(context):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent.encode())
            answers = await reader.read()
            writer.close()
        assert answers.count(b"HTTP/1.1 404 ") == sent.count("\r\n\r\n")

    async def test_with_a_request_that_comes_in_drops_is_sent_away(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local, "HEAD_SECONDS", 0.2)
        context = plugin_context(tmp_path, settings(port=(port := free_port())))
        async with asyncio.timeout(10), LocalPublisher.open(context):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():  # For as long as anybody listens.
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            writer.close()

    async def test_and_takes_nothing_of_a_download_is_cut_off(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local, "_IDLE_READER_SECONDS", 0.5)
        # More than the system keeps on the way between the two ends.
        results = write_results(tmp_path / "results", {"stdout": os.urandom(32 * 2**20)})
        context = plugin_context(tmp_path / "node", settings(port=(port := free_port())))
        async with asyncio.timeout(30), LocalPublisher.open(context) as publisher:
            await publisher.publish(execution_with(SPEC, "e-1"), results, ToldProgress())
            with socket.socket() as idle:
                idle.connect(("127.0.0.1", port))
                idle.sendall(b"GET /e-1.tar.gz HTTP/1.1\r\nHost: x\r\n\r\n")
                await until(lambda: served(port) == 1)
                await until(lambda: served(port) == 0)

    async def test_but_a_slow_download_comes_to_its_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local, "HEAD_SECONDS", 0.2)
        monkeypatch.setattr(local, "_IDLE_READER_SECONDS", 0.5)
        results = write_results(tmp_path / "results", {"stdout": os.urandom(16 * 2**20)})
        context = plugin_context(tmp_path / "node", settings())
        async with LocalPublisher.open(context) as publisher, aiohttp.ClientSession() as session:
            url = await link_to(publisher, results)
            received = 0
            async with session.get(url) as response:
                async for chunk in response.content.iter_chunked(2**20):
                    received += len(chunk)
                    await asyncio.sleep(0.1)
            assert received == response.content_length


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def served(port: int) -> int:
    """Count the connections to a port of this machine that the server's end still has."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ends = [line.split()[1:4] for line in lines]
    return sum(own.endswith(f":{port:04X}") and state == "01" for own, _, state in ends)


async def test_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as caught:
            async with LocalPublisher.open(plugin_context(tmp_path, settings(port))):
                pass
    assert caught.value.message == (
        f"the local publisher cannot listen on port {port}: it is in use"
    )
    assert "Publishers.Types.Local.Port=" in caught.value.hint
    assert "Publishers.Disabled=local" in caught.value.hint


async def test_word_for_an_address_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bacalhau.lib.addresses._outward_address", lambda: None)
    with pytest.raises(UserError, match=r"Publishers\.Types\.Local\.Address") as caught:
        async with LocalPublisher.open(plugin_context(tmp_path, settings(address="public"))):
            pass
    assert "this machine has no address but loopback" in caught.value.message


async def test_link_has_an_address_and_not_its_word(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", {"stdout": b""})
    context = plugin_context(tmp_path / "node", settings(address="local"))
    async with LocalPublisher.open(context) as publisher:
        result = (await publisher.publish(execution_with(SPEC), results, ToldProgress())).spec
    assert result.type == "urlDownload"
    assert result.params["URL"].startswith("http://127.0.0.1:")


async def test_what_an_earlier_process_left_unfinished_is_removed(tmp_path: Path) -> None:
    place = tmp_path / "compute/results/local-publisher"
    place.mkdir(parents=True)
    (place / ".e-1.tar.gz.part").write_bytes(b"half")
    (place / "e-0.tar.gz").write_bytes(b"kept")
    async with LocalPublisher.open(plugin_context(tmp_path, settings())):
        assert [path.name for path in place.iterdir()] == ["e-0.tar.gz"]


@pytest.mark.parametrize("execution_id", ["../../x", "/x", ".x", "", "a b"])
async def test_execution_id_is_a_file_name(execution_id: str, tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", {"stdout": b""})
    async with LocalPublisher.open(plugin_context(tmp_path / "node", settings())) as publisher:
        with pytest.raises(ValidationError, match="execution id"):
            await publisher.publish(execution_with(SPEC, execution_id), results, ToldProgress())
