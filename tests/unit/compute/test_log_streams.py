"""Output for those who ask, at any time in the life of an execution."""

from __future__ import annotations

import asyncio

from bacalhau.models import ComputeState, ExecutionID
from bacalhau.protocol.messages import LogFrame, LogRequest, RunResult
from tests.support.compute_node import NODE, Machine, now, offer, simulated, task, until

E1 = ExecutionID("e-1")


async def read(machine: Machine, *, follow: bool = False, tail: bool = False) -> list[LogFrame]:
    request = LogRequest(execution_id=E1, follow=follow, tail=tail)
    return [frame async for frame in machine.transport.stream_logs(NODE, request)]


@simulated
async def test_output_of_a_running_task_so_far_and_to_its_end() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Stdout": "a", "Stderr": "b", "Seconds": 50})))
        await until(lambda: machine.tasks.started)
        expected = [LogFrame(stream=1, data=b"a"), LogFrame(stream=2, data=b"b")]
        assert await read(machine) == expected
        assert now() < 10
        assert await read(machine, follow=True) == expected
        assert now() >= 50
        assert await read(machine) == expected


@simulated
async def test_following_waits_for_an_execution_to_begin() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator, asyncio.TaskGroup() as group:
        reading = group.create_task(read(machine, follow=True))
        await asyncio.sleep(2)
        await orchestrator.ask(
            offer(task({"PlanSeconds": 20, "FetchSeconds": 20}, engine={"Stdout": "a"}))
        )
        assert await reading == [LogFrame(stream=1, data=b"a")]


@simulated
async def test_without_following_a_waiting_execution_has_no_output() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task({"FetchSeconds": -1})))
        await until(lambda: machine.state() is ComputeState.BID_ACCEPTED)
        assert await read(machine) == []


@simulated
async def test_an_unknown_execution_is_an_error_after_a_while() -> None:
    machine = Machine()
    async with machine.cluster():
        began = now()
        (frame,) = await read(machine, follow=True)
        assert frame.error == "execution e-1 is not known on this node"
        assert 4 < now() - began < 7


@simulated
async def test_following_ends_when_the_execution_ends_without_beginning() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task({"PlanFailure": "no"})))
        assert await read(machine, follow=True) == []


@simulated
async def test_the_summary_stands_in_for_a_log_that_is_gone() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Stdout": "a", "Stderr": "b"})))
        await until(lambda: orchestrator.of_type(RunResult))
        machine.disk.files.clear()
        expected = [LogFrame(stream=1, data=b"a"), LogFrame(stream=2, data=b"b")]
        assert await read(machine) == expected
        assert await read(machine, follow=True) == expected
        assert await read(machine, tail=True) == []


@simulated
async def test_a_failed_task_keeps_its_log() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Stdout": "last words", "Failure": "died"})))
        await until(lambda: machine.state() is ComputeState.FAILED)
        assert await read(machine) == [LogFrame(stream=1, data=b"last words")]
