"""Where output comes from, and how long it is waited for; in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import TransientError
from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import ComputeState, DesiredState, ExecutionID, JobID, NodeID, RunOutput
from bacalhau.orchestrator.log_source import (
    STORED_LOG_SECONDS,
    await_execution,
    recorded_output,
    stored_output,
)
from bacalhau.protocol.messages import LogFrame, LogRequest
from bacalhau.testing.loop import run_simulation
from bacalhau.testing.store_memory import MemoryJobStore
from bacalhau.transport.memory import MemoryTransport
from tests.support.records import make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.ports.transport import LogHandler

_NODE = NodeID("n-1")
_ENDED = make_execution(
    ComputeState.COMPLETED, DesiredState.STOPPED, run_output=RunOutput(stdout="recorded")
)


async def _read(answer: LogHandler) -> tuple[list[LogFrame], float]:
    """Read the stored output of an execution; return it with the seconds that it took."""
    transport = MemoryTransport()
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with transport.endpoint(_NODE, logs=answer):
        frames = [frame async for frame in stored_output(transport, _ENDED, is_connected=True)]
    return frames, loop.time() - started


def test_a_silent_node_is_given_five_seconds() -> None:
    async def silent(_request: LogRequest) -> AsyncIterator[LogFrame]:
        await asyncio.Event().wait()
        yield LogFrame()

    frames, seconds = run_simulation(_read(silent), seed=1)
    assert frames == [LogFrame(stream=1, data=b"recorded\n")]
    assert seconds == pytest.approx(STORED_LOG_SECONDS)


def test_a_node_that_has_begun_may_take_its_time() -> None:
    async def slow(_request: LogRequest) -> AsyncIterator[LogFrame]:
        for data in (b"first", b"second"):
            yield LogFrame(stream=1, data=data)
            await asyncio.sleep(600)

    frames, seconds = run_simulation(_read(slow), seed=1)
    assert [frame.data for frame in frames] == [b"first", b"second"]
    assert seconds == pytest.approx(1200)


def test_a_node_that_fails_after_it_began_is_not_covered_up() -> None:
    async def failing(_request: LogRequest) -> AsyncIterator[LogFrame]:
        yield LogFrame(stream=1, data=b"first")
        raise TransientError("gone")

    with pytest.raises(TransientError, match="gone"):
        run_simulation(_read(failing), seed=1)


def test_following_waits_as_long_as_the_job_lives() -> None:
    async def main() -> tuple[str, float]:
        store = MemoryJobStore()
        await store.apply(JobChanges(job_id=JobID("j-1"), job=make_job()))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(await_execution(store, JobID("j-1"), "", follow=True))
            await asyncio.sleep(3_600)
            assert not waiting.done()
            running = make_execution(ComputeState.RUNNING, DesiredState.RUNNING)
            await store.apply(JobChanges(job_id=JobID("j-1"), executions=(running,)))
            chosen = await waiting
        return chosen.id, asyncio.get_running_loop().time()

    execution_id, seconds = run_simulation(main(), seed=1)
    assert execution_id == "e-1"
    assert 3_600 <= seconds < 3_601


def test_a_named_execution_is_waited_for_even_when_another_runs() -> None:
    async def main() -> ExecutionID:
        store = MemoryJobStore()
        one = make_execution(ComputeState.RUNNING, id=ExecutionID("e-1"))
        two = make_execution(ComputeState.NEW, id=ExecutionID("e-2"))
        await store.apply(JobChanges(job_id=JobID("j-1"), job=make_job(), executions=(one, two)))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(await_execution(store, JobID("j-1"), "e-2", follow=True))
            await asyncio.sleep(60)
            assert not waiting.done()
            lost = make_execution(ComputeState.FAILED, id=ExecutionID("e-2"), revision=2)
            await store.apply(JobChanges(job_id=JobID("j-1"), executions=(lost,)))
            return (await waiting).id

    assert run_simulation(main(), seed=1) == "e-2"


@pytest.mark.parametrize(
    ("stdout", "stderr", "expected"),
    [
        ("", "", []),
        ("a", "", [(1, b"a\n")]),
        ("a\n", "b", [(1, b"a\n"), (2, b"b\n")]),
        ("\n", "", [(1, b"\n")]),
        ("a\n\nb\r\n", "", [(1, b"a\n"), (1, b"\n"), (1, b"b\r\n")]),
    ],
)
def test_recorded_output_comes_line_by_line(
    stdout: str, stderr: str, expected: list[tuple[int, bytes]]
) -> None:
    frames = recorded_output(RunOutput(stdout=stdout, stderr=stderr))
    assert [(frame.stream, frame.data) for frame in frames] == expected
