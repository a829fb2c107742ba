"""Listening, draining and stopping."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import socket
from asyncio import constants
from typing import TYPE_CHECKING

import aiohttp
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bacalhau.api import check_address, connection, serve_app, server
from bacalhau.api.middleware import ErrorBarrier
from bacalhau.errors import UserError
from bacalhau.lib import listener
from bacalhau.models import ComputeState, NodeID
from bacalhau.protocol.messages import LogFrame, LogRequest
from tests.support.api_server import call, running_api, store_job
from tests.support.records import make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.timeout(30)


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


async def _get(port: int, host: str = "127.0.0.1") -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/") as reply:
        return await reply.text()


async def test_the_system_chooses_a_port_for_0() -> None:
    async with serve_app(_hello, "127.0.0.1", 0) as port:
        assert port > 0
        assert await _get(port) == "hello"


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", ""])
async def test_names_and_all_addresses_are_reached_by_ipv4(host: str) -> None:
    async with serve_app(_hello, host, 0) as port:
        assert await _get(port) == "hello"


async def test_a_port_can_be_used_again_at_once() -> None:
    async with serve_app(_hello, "127.0.0.1", 0) as port:
        await _get(port)
    async with serve_app(_hello, "127.0.0.1", port) as again:
        assert again == port
        assert await _get(port) == "hello"


async def test_a_taken_port_is_told_with_address_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError) as caught:
            async with serve_app(_hello, "127.0.0.1", port):
                pass
        with pytest.raises(UserError) as early:
            check_address("127.0.0.1", port)
    assert caught.value.message == (
        f"the API cannot listen on 127.0.0.1:{port}: another program listens there already"
    )
    assert early.value.message == caught.value.message
    assert "API.Port" in caught.value.hint


def test_checking_an_address_leaves_it_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    check_address("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
async def test_an_address_of_another_machine_is_told_with_remedy(host: str) -> None:
    with pytest.raises(UserError, match=f"cannot listen on {host}:0") as caught:
        async with serve_app(_hello, host, 0):
            pass
    assert "API.Host" in caught.value.hint


async def test_an_answer_on_its_way_is_finished_before_the_server_ends() -> None:
    half_way, go_on = asyncio.Event(), asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"first "
        half_way.set()
        await go_on.wait()
        yield b"last"

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(parts())(scope, receive, send)

    async with asyncio.TaskGroup() as group:
        async with serve_app(slow, "127.0.0.1", 0) as port:
            reading = group.create_task(_get(port))
            await half_way.wait()
            asyncio.get_running_loop().call_later(0.3, go_on.set)
        assert await reading == "first last"


async def test_a_request_that_the_end_cuts_off_is_told_so_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0.1)
    arrived = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"request_id": "r-1"}
        await ErrorBarrier(endless)(scope, receive, send)

    async with asyncio.TaskGroup() as group, serve_app(known, "127.0.0.1", 0) as port:
        reading = group.create_task(_get(port))
        await arrived.wait()
    answer = json.loads(reading.result())
    assert (answer["Status"], answer["Code"]) == (503, "ServiceUnavailable")
    assert "the server stops" in answer["Message"]
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_refused_websocket_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async with running_api() as api:
        url = f"ws://{api.address}/api/v1/orchestrator/jobs/j-1/logs?follow=perhaps"
        with pytest.raises(InvalidStatus) as caught:
            await connect(url, proxy=None)
    assert caught.value.response.status_code == 400
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_server_leaves_signals_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serve_app(_hello, "127.0.0.1", 0):
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert before == during


async def test_cancelling_the_block_stops_the_server() -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve_for_ever() -> None:
        async with serve_app(_hello, "127.0.0.1", 0) as port:
            started.set_result(port)
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve_for_ever())
        port = await started
        serving.cancel()
    with pytest.raises(aiohttp.ClientConnectorError):
        await _get(port)


async def test_log_streams_do_not_hold_up_the_end() -> None:
    async def endless(_request: LogRequest) -> AsyncIterator[LogFrame]:
        yield LogFrame(stream=1, data=b"out\n")
        await asyncio.Event().wait()

    async with asyncio.timeout(4), running_api() as api:
        execution = make_execution(ComputeState.RUNNING, node_id=NodeID("n-here"))
        await store_job(api.store, make_job(), [execution])
        async with api.transport.endpoint(NodeID("n-here"), logs=endless):
            url = f"ws://{api.address}/api/v1/orchestrator/jobs/j-1/logs?follow=true"
            stream = await connect(url, proxy=None)
            await stream.recv()
    await stream.wait_closed()
    assert stream.close_code == 1012


async def test_a_client_that_leaves_while_sending_is_no_failure(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_api() as api:
        host, _, port = api.address.partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"PUT /api/v1/orchestrator/jobs HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await call(api, "GET", "/api/v1/livez")).body == "OK"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert "request_failed" not in capsys.readouterr().out


async def _sent(port: int, *parts: bytes) -> bytes:
    """Send parts, and return all that comes until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()


async def test_whoever_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    async with serve_app(_hello, "127.0.0.1", 0) as port:
        assert await _sent(port) == b""
        assert (await _sent(port, b"GET / HT")).startswith(b"HTTP/1.1 408 ")
        half = b"GET / HTTP/1.1\r\nHost: x\r\n"
        assert (await _sent(port, half)).startswith(b"HTTP/1.1 408 ")
        answers = await _sent(port, half + b"\r\n", half)
        assert answers.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in answers


async def test_connections_leave_files_to_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve_app(_hello, "127.0.0.1", 0) as port:
        assert await _get(port) == "hello"
        first = await asyncio.open_connection("127.0.0.1", port)
        # Every number of a file is at least this: as if too many were open.
        monkeypatch.setattr(listener, "_most_files", lambda: 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer
        assert b'"Message":"the server has as many connections as it can have"' in answer
        writer.close()
        # Whoever is connected already is served.
        first[1].write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await first[0].read()).endswith(b"hello")
        first[1].close()
        monkeypatch.undo()
        assert await _get(port) == "hello"


async def test_a_server_without_files_says_so_once_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def refuse(self: socket.socket) -> tuple[socket.socket, object]:
        calls.append(self)
        asyncio.get_running_loop().call_soon(monkeypatch.undo)
        raise OSError(errno.EMFILE, "Too many open files")

    async with serve_app(_hello, "127.0.0.1", 0) as port:
        monkeypatch.setattr(constants, "ACCEPT_RETRY_DELAY", 0.01)
        monkeypatch.setattr(socket.socket, "accept", refuse)
        assert await _get(port) == "hello"
    assert len(calls) == 1
    told = [record for record in caplog.records if "out of system resource" in record.message]
    assert len(told) == 1


async def test_headers_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_LIMIT_BYTES", 1000)
    async with serve_app(_hello, "127.0.0.1", 0) as port:
        long = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 2000
        assert (await _sent(port, long)).startswith(b"HTTP/1.1 431 ")
        assert await _get(port) == "hello"


async def test_a_body_has_to_arrive_in_time() -> None:
    async with running_api(body_seconds=0.1) as api:
        port = int(api.address.partition(":")[2])
        answer = await _sent(
            port,
            b"PUT /api/v1/orchestrator/jobs HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.1 seconds" in body
    assert b'"Code":"TimeOut"' in body
