"""Streaming output over a WebSocket (spec api.md 5)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bacalhau.errors import TransientError
from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import (
    ComputeState,
    Connection,
    DesiredState,
    Execution,
    ExecutionID,
    JobID,
    JobState,
    NodeID,
    RunOutput,
    State,
)
from bacalhau.protocol.messages import LogFrame, LogRequest
from tests.support.api_server import Api, Stage, call, make_api, make_node_state, store_job
from tests.support.records import make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from websockets.asyncio.client import ClientConnection

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(30)]

_LOGS = "/api/v1/orchestrator/jobs/j-1/logs"
_OUT = LogFrame(stream=1, data=b"out\n")
_STOPPED = State[JobState](state_type=JobState.STOPPED)


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api())


class Node:
    """A compute node that says what a test tells it to say."""

    def __init__(self, *frames: LogFrame, stays: bool = False) -> None:
        self.requests: list[LogRequest] = []
        self.is_left = asyncio.Event()
        self._frames = frames
        self._stays = stays

    async def answer(self, request: LogRequest) -> AsyncIterator[LogFrame]:
        self.requests.append(request)
        try:
            for frame in self._frames:
                yield frame
            if self._stays:
                await asyncio.Event().wait()
        finally:
            self.is_left.set()


class Looks:
    """Counts how often the server looks whether something has begun."""

    def __init__(self, look: Callable[[JobID], Awaitable[Any]]) -> None:
        self._look = look
        self._happened = asyncio.Event()

    async def look(self, job_id: JobID) -> Any:
        self._happened.set()
        return await self._look(job_id)

    async def another(self) -> None:
        """Wait for a look that begins after now."""
        self._happened.clear()
        await self._happened.wait()


@contextlib.asynccontextmanager
async def _dial(
    api: Api, query: str = "", *, node: Node | None = None
) -> AsyncIterator[ClientConnection]:
    async with contextlib.AsyncExitStack() as stack:
        if node is not None:
            endpoint = api.transport.endpoint(NodeID("n-here"), logs=node.answer)
            await stack.enter_async_context(endpoint)
        url = f"ws://{api.address}{_LOGS}{query}"
        yield await stack.enter_async_context(connect(url, proxy=None))


async def _read(api: Api, query: str = "", *, node: Node | None = None) -> list[Any]:
    """Read a stream to its end, which is always a close with code 1000."""
    async with _dial(api, query, node=node) as socket:
        frames = [json.loads(frame) async for frame in socket]
        assert (socket.close_code, socket.close_reason) == (1000, "")
    return frames


def _lines(frames: Sequence[Any]) -> list[tuple[int, str]]:
    return [(frame["value"]["Type"], frame["value"]["Line"]) for frame in frames]


def _execution(state: ComputeState, **changes: Any) -> Execution:
    desired = DesiredState.STOPPED if state.is_terminal else DesiredState.RUNNING
    return make_execution(state, desired, **{"node_id": NodeID("n-here"), **changes})


async def test_a_running_execution_is_streamed_from_its_node(api: Api) -> None:
    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    node = Node(_OUT, LogFrame(stream=2, data=b"err"))
    frames = await _read(api, "?follow=true&tail=True", node=node)
    assert frames == [
        {"value": {"Type": 1, "Line": "out\n"}},
        {"value": {"Type": 2, "Line": "err"}},
    ]
    assert node.requests == [LogRequest(execution_id=ExecutionID("e-1"), follow=True, tail=True)]


async def test_a_character_cut_apart_by_frames_arrives_whole(api: Api) -> None:
    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    first, second = "aé".encode()[:2], "é!".encode()[1:]
    node = Node(
        LogFrame(stream=1, data=first),
        LogFrame(stream=2, data=b"\xff"),
        LogFrame(stream=1, data=second),
        LogFrame(stream=1, data=b"\xc3"),
    )
    expected = [(1, "a"), (2, "\ufffd"), (1, "é!"), (1, "\ufffd")]
    assert _lines(await _read(api, node=node)) == expected


async def test_ended_executions_are_read_from_their_node_in_full(api: Api) -> None:
    output = RunOutput(stdout="sta", stdout_truncated=True)
    await store_job(
        api.store, make_job(state=_STOPPED), [_execution(ComputeState.COMPLETED, run_output=output)]
    )
    node = Node(LogFrame(stream=1, data=b"start and end"))
    assert _lines(await _read(api, "?follow=1&tail=1", node=node)) == [(1, "start and end")]
    assert node.requests == [LogRequest(execution_id=ExecutionID("e-1"))]


@pytest.mark.parametrize(
    "node", [None, Node(), Node(LogFrame(error="nothing is known of this execution"))]
)
async def test_the_recorded_output_is_shown_when_the_node_has_none(
    api: Api, node: Node | None
) -> None:
    output = RunOutput(stdout="one\n\nthree", stderr="wrong\n")
    await store_job(
        api.store, make_job(state=_STOPPED), [_execution(ComputeState.FAILED, run_output=output)]
    )
    expected = [(1, "one\n"), (1, "\n"), (1, "three\n"), (2, "wrong\n")]
    assert _lines(await _read(api, node=node)) == expected


async def test_a_node_that_is_gone_is_not_asked(api: Api) -> None:
    api.nodes.listed = [make_node_state("n-here", connection=Connection.DISCONNECTED)]
    output = RunOutput(stdout="one\n")
    await store_job(
        api.store, make_job(state=_STOPPED), [_execution(ComputeState.COMPLETED, run_output=output)]
    )
    node = Node(_OUT)
    assert _lines(await _read(api, node=node)) == [(1, "one\n")]
    assert node.requests == []


async def test_a_line_of_any_length_is_one_frame(api: Api) -> None:
    output = RunOutput(stdout="x" * 300_000)
    await store_job(
        api.store, make_job(state=_STOPPED), [_execution(ComputeState.COMPLETED, run_output=output)]
    )
    ((_, line),) = _lines(await _read(api))
    assert line == "x" * 300_000 + "\n"


async def test_the_newest_execution_that_was_not_discarded_is_shown(api: Api) -> None:
    def ended(name: str, state: ComputeState, moment: int) -> Execution:
        output = RunOutput(stdout=name)
        execution_id = ExecutionID(f"e-{name}")
        return _execution(state, id=execution_id, modify_time=moment, run_output=output)

    executions = [
        ended("old", ComputeState.COMPLETED, 1),
        ended("new", ComputeState.COMPLETED, 2),
        ended("failed", ComputeState.FAILED, 3),
    ]
    await store_job(api.store, make_job(state=_STOPPED), executions)
    assert _lines(await _read(api)) == [(1, "new\n")]
    for name in ("e-failed", "failed", "e-f"):
        assert _lines(await _read(api, f"?execution_id={name}")) == [(1, "failed\n")]


async def test_a_failed_job_shows_its_last_attempt(api: Api) -> None:
    executions = [
        _execution(
            ComputeState.FAILED,
            id=ExecutionID(f"e-{number}"),
            modify_time=number,
            run_output=RunOutput(stdout=f"attempt {number}"),
        )
        for number in (1, 2)
    ]
    await store_job(api.store, make_job(state=_STOPPED), executions)
    assert _lines(await _read(api)) == [(1, "attempt 2\n")]


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("", "no executions found for job j-1"),
        ("?execution_id=e-9", "execution not found: e-9"),
        ("?execution_id=a%2Fb", "'a/b' is not the id of an execution"),
    ],
)
async def test_failures_are_told_in_a_frame(api: Api, query: str, cause: str) -> None:
    await store_job(api.store, make_job())
    text = f"failed to open log stream for job j-1: {cause}"
    assert await _read(api, query) == [{"error": text, "value": {"Type": 0, "Line": ""}}]


async def test_an_unknown_job_is_told_in_a_frame(api: Api) -> None:
    (frame,) = await _read(api, "?follow=true")
    assert frame["error"] == "failed to open log stream for job j-1: job not found: j-1"


async def test_a_node_that_does_not_answer_is_told_in_a_frame(api: Api) -> None:
    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    (frame,) = await _read(api)
    assert "does not answer" in frame["error"]


async def test_a_stream_that_breaks_off_says_so_after_what_it_had(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaking(_node_id: NodeID, _request: LogRequest) -> AsyncIterator[LogFrame]:
        yield _OUT
        raise TransientError("the node went away")

    monkeypatch.setattr(api.transport, "stream_logs", breaking)
    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    first, last = await _read(api)
    assert _lines([first]) == [(1, "out\n")]
    assert last["error"] == "log stream of job j-1 broke off: the node went away"


async def test_following_waits_until_an_execution_runs(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt that is only offered, or was refused, has no output yet."""
    looks = Looks(api.store.whole)
    monkeypatch.setattr(api.store, "whole", looks.look)
    await store_job(api.store, make_job())
    node = Node(_OUT)
    refused = _execution(ComputeState.ASK_FOR_BID_REJECTED, id=ExecutionID("e-0"))
    offered = _execution(ComputeState.ASK_FOR_BID)
    accepted = _execution(ComputeState.BID_ACCEPTED, revision=2)
    async with _dial(api, "?follow=true", node=node) as socket:
        for execution in (refused, offered, accepted):
            await looks.another()
            assert node.requests == []
            await api.store.apply(JobChanges(job_id=make_job().id, executions=(execution,)))
        assert _lines([json.loads(await socket.recv())]) == [(1, "out\n")]
    assert [request.execution_id for request in node.requests] == ["e-1"]


async def test_following_ends_with_a_job_that_never_ran(api: Api) -> None:
    await store_job(api.store, make_job())
    async with _dial(api, "?follow=true") as socket:
        stopped = make_job(state=_STOPPED, revision=2)
        await api.store.apply(JobChanges(job_id=stopped.id, job=stopped))
        assert "no executions" in json.loads(await socket.recv())["error"]


async def test_a_client_that_leaves_ends_the_stream_at_the_node(api: Api) -> None:
    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    node = Node(_OUT, stays=True)
    async with _dial(api, "?follow=true", node=node) as socket:
        await socket.recv()
        assert not node.is_left.is_set()
        await socket.close()
        async with asyncio.timeout(5):
            await node.is_left.wait()


async def test_a_client_that_vanishes_ends_the_stream_at_the_node(api: Api) -> None:
    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    node = Node(_OUT, stays=True)
    async with _dial(api, "?follow=true", node=node) as socket:
        await socket.recv()
        socket.transport.abort()
        async with asyncio.timeout(5):
            await node.is_left.wait()


async def test_pings_are_answered_and_messages_ignored(api: Api) -> None:
    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    async with _dial(api, "?follow=true", node=Node(_OUT, stays=True)) as socket:
        await socket.send("what is this?")
        async with asyncio.timeout(5):
            await (await socket.ping())
        assert _lines([json.loads(await socket.recv())]) == [(1, "out\n")]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{_LOGS}?follow=perhaps", {}, 400),
        ("/api/v1/orchestrator/nowhere", {}, 404),
        ("/api/v1/agent/alive", {}, 404),
        (_LOGS, {"X-Bacalhau-Git-Version": "v1.2.0"}, 403),
        (_LOGS, {"X-Bacalhau-Git-Version": "nonsense"}, 400),
    ],
)
async def test_what_is_wrong_before_the_upgrade_is_an_ordinary_answer(
    api: Api, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"ws://{api.address}{path}", proxy=None, additional_headers=headers):
            pass
    response = caught.value.response
    assert response.status_code == status
    assert response.headers["X-Bacalhau-Git-Version"] == "v1.5.2"
    assert isinstance(json.loads(response.body or b""), dict)


async def test_the_upgrade_itself_tells_the_version(api: Api) -> None:
    async with _dial(api) as socket:
        assert socket.response is not None
        assert socket.response.headers["X-Bacalhau-Git-Version"] == "v1.5.2"


async def test_a_defect_ends_the_stream_in_a_frame_and_is_logged_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.store, "job", _broken)
    await store_job(api.store, make_job())
    with structlog.testing.capture_logs() as logs:
        (frame,) = await _read(api)
    assert frame["error"].startswith("Internal server error (request ")
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["request_failed"]


def _broken(*_: Any) -> None:
    raise ZeroDivisionError


async def test_a_plain_get_is_answered_without_output(api: Api) -> None:
    """The generated Python client asks in this way, and must not fail."""
    reply = await call(api, "GET", f"{_LOGS}?execution_id=e&tail=True&follow=False")
    assert (reply.status, reply.body) == (200, "")
    assert reply.headers["sec-websocket-version"] == "13"


async def test_a_slow_reader_holds_the_node_back(api: Api) -> None:
    """Nothing is buffered without bound: the node is asked for more only as the client reads."""
    given = 0

    async def endless(_request: LogRequest) -> AsyncIterator[LogFrame]:
        nonlocal given
        while True:
            given += 1
            yield LogFrame(stream=1, data=b"x" * 1_000_000)

    await store_job(api.store, make_job(), [_execution(ComputeState.RUNNING)])
    node = NodeID("n-here")
    url = f"ws://{api.address}{_LOGS}"
    async with (
        api.transport.endpoint(node, logs=endless),
        connect(url, proxy=None, max_size=None, max_queue=1, compression=None) as socket,
    ):
        settled = await _settled(lambda: given)
        assert settled < 100
        for _ in range(settled + 5):
            await socket.recv()
        assert given > settled
        socket.transport.abort()


async def _settled(read: Callable[[], int]) -> int:
    """Return a number once it has stopped growing."""
    before = -1
    while before != read():
        before = read()
        await asyncio.sleep(0.1)
    return before
