"""What a node does about the work of its earlier processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bacalhau.models import ComputeState, ExecutionID, ResourcesConfig, SpecConfig
from bacalhau.protocol.messages import (
    BidResult,
    CancelExecution,
    ComputeError,
    InputsRead,
    RunResult,
)
from bacalhau.testing.engine_fake import FakeEngine
from bacalhau.testing.loop import VirtualClock
from bacalhau.testing.workspace_fake import _Files
from tests.support.compute_node import Machine, offer, simulated, task, until

E1 = ExecutionID("e-1")
PUBLISHER = SpecConfig(type="fake", params={"Seconds": 30})


@simulated
async def test_a_killed_node_joins_the_task_that_still_runs() -> None:
    machine = Machine()
    slow = task({"Files": {"a": "1"}}, engine={"Seconds": 100, "Stdout": "x"})
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(slow))
            await until(lambda: machine.tasks.started)
            process.crash()
        assert machine.state() is ComputeState.RUNNING
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
    assert machine.tasks.started == [E1]
    assert len(machine.source.fetched) == 1
    assert orchestrator.of_type(RunResult)[0].run_output.stdout == "x"


@simulated
async def test_a_task_that_is_gone_starts_anew_with_nothing_of_what_it_had() -> None:
    """As WebAssembly always does; its inputs may have been changed by it, and so are fetched."""
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task({"Files": {"a": "1"}}, engine={"Seconds": 100})))
            await until(lambda: machine.tasks.started)
            process.crash()
        machine.tasks.ends.clear()
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
    assert machine.tasks.started == [E1, E1]
    assert len(machine.source.fetched) == 2
    assert machine.disk.resumed == []


@simulated
async def test_a_node_that_fails_runs_its_tasks_again() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node():
            await orchestrator.ask(offer(task({}, engine={"Seconds": 100})))
            await until(lambda: machine.tasks.started)
        assert machine.state() is ComputeState.RUNNING
        assert machine.tasks.ends == {}
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
            await until(lambda: machine.disk.leftovers() == [])
    assert machine.tasks.started == [E1, E1]
    assert orchestrator.of_type(ComputeError) == []


@pytest.mark.parametrize("killed", [True, False])
def test_results_that_wait_are_published_without_running_again(killed: bool) -> None:
    @simulated
    async def play() -> None:
        machine = Machine()
        async with machine.orchestrator() as orchestrator:
            async with machine.node() as process:
                await orchestrator.ask(offer(task(engine={"Stdout": "x"}, publisher=PUBLISHER)))
                await until(lambda: machine.shelf.attempts)
                if killed:
                    process.crash()
            async with machine.node():
                await until(lambda: orchestrator.of_type(RunResult))
        result = orchestrator.of_type(RunResult)[0]
        assert machine.tasks.started == [E1]
        assert result.run_output.stdout == "x"
        assert result.published_result.params == {"Shelf": "e-1"}
        assert machine.disk.leftovers() == []

    play()


@simulated
async def test_lost_results_are_told() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task(publisher=PUBLISHER)))
            await until(lambda: machine.shelf.attempts)
            process.crash()
        machine.disk.files.clear()
        async with machine.node():
            await until(lambda: orchestrator.of_type(ComputeError))
    error = orchestrator.of_type(ComputeError)[0]
    assert error.events[0].message == "the results were lost before they could be published"
    assert error.retryable


@simulated
async def test_an_unfinished_bid_is_made_again() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task({"PlanSeconds": 50})))
            await until(lambda: machine.source.plans)
            process.crash()
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))


@simulated
async def test_leftovers_of_nobody_are_removed_at_the_start() -> None:
    machine = Machine()
    stray = ExecutionID("e-9")
    machine.tasks.ends[stray] = 10**6
    machine.disk.files[stray] = _Files(inputs=2, has_results=True)
    async with machine.cluster():
        await until(lambda: machine.tasks.ends == {} and machine.disk.leftovers() == [])


@simulated
async def test_a_task_left_running_is_removed_when_its_execution_ends_first() -> None:
    """The cancellation waits in the outbox and arrives before the task is joined."""
    machine = Machine()
    other = ExecutionID("e-2")
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task(engine={"Seconds": -1})))
            await orchestrator.ask(offer(task(engine={"Seconds": -1}), name=other))
            await until(lambda: len(machine.tasks.started) == 2)
            process.crash()
        # No room any more: the node cannot join, and the task goes on meanwhile.
        machine.capacity = machine.capacity.scaled(0.25)
        async with machine.node():
            await until(lambda: machine.store.execution(other) is not None)
            await orchestrator.send(CancelExecution(execution_id=E1))
            await orchestrator.send(CancelExecution(execution_id=other))
            await until(lambda: machine.tasks.ends == {})
            await until(lambda: machine.disk.leftovers() == [])
    assert sorted(machine.tasks.started) == [E1, other]


@simulated
async def test_running_tasks_keep_their_room_over_a_restart() -> None:
    """What waited before the crash may not take the room of what still runs."""
    machine = Machine()
    whole = ResourcesConfig(cpu="4")
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(
                offer(task(engine={"Seconds": 100}, resources=whole), name="e-2", priority=-1)
            )
            await until(lambda: machine.tasks.started)
            await orchestrator.ask(offer(task(resources=whole), priority=9))
            await until(lambda: machine.state() is ComputeState.BID_ACCEPTED)
            process.crash()
        async with machine.node():
            await until(lambda: len(orchestrator.of_type(RunResult)) == 2)
    assert [result.execution_id for result in orchestrator.of_type(RunResult)] == ["e-2", "e-1"]


@pytest.mark.parametrize("write", range(1, 9))
def test_nothing_is_lost_or_done_twice_wherever_the_node_dies(write: int) -> None:
    @simulated
    async def play() -> None:
        machine = Machine()
        work = task({"Files": {"a": "1"}}, engine={"Stdout": "x"}, publisher=PUBLISHER)
        async with machine.orchestrator() as orchestrator:
            async with machine.node(cut_after=write) as process:
                await orchestrator.ask(offer(work))
                await until(lambda: process.is_dead or _is_over(machine))
            async with machine.node():
                await until(lambda: orchestrator.of_type(RunResult))
                await until(lambda: machine.disk.leftovers() == [])
        assert machine.state() is ComputeState.COMPLETED
        # A message whose delivery was not noted before the crash comes again, as it was.
        kinds = list(dict.fromkeys(map(type, orchestrator.told)))
        assert kinds == [BidResult, InputsRead, RunResult]
        read = orchestrator.of_type(InputsRead)
        assert all(each == read[0] for each in read)
        assert all(result == orchestrator.told[-1] for result in orchestrator.of_type(RunResult))
        assert machine.shelf.published
        assert machine.tasks.started == [E1]

    play()


@pytest.mark.parametrize(
    ("lacks", "message"),
    [
        ("engine", 'this node does not support "fake"'),
        ("source", 'preparing arguments: this node does not support "fake"'),
        ("publisher", 'this node does not support "fake"'),
    ],
)
@simulated
async def test_a_plug_in_that_is_gone_after_a_restart(lacks: str, message: str) -> None:
    machine = Machine()
    work = task({"FetchSeconds": 50}, publisher=PUBLISHER)
    async with machine.orchestrator() as orchestrator:
        async with machine.node():
            await orchestrator.ask(offer(work))
            await until(lambda: machine.source.fetching)
        machine.lacks = lacks
        async with machine.node():
            await until(lambda: orchestrator.of_type(ComputeError))
    error = orchestrator.of_type(ComputeError)[0]
    assert error.events[0].message == message
    assert error.retryable


@simulated
async def test_an_engine_that_cannot_sweep_does_not_keep_the_node_from_starting() -> None:
    machine = Machine()
    machine.engine = _Unwell(VirtualClock(), machine.tasks)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer())
        await until(lambda: orchestrator.of_type(RunResult))


class _Unwell(FakeEngine):
    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        await asyncio.Event().wait()


@simulated
async def test_a_cancellation_that_waited_for_the_restart_removes_the_task() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task(engine={"Seconds": -1})))
            await until(lambda: machine.tasks.started)
            process.crash()
        await orchestrator.send(CancelExecution(execution_id=E1))
        async with machine.node():
            await until(lambda: machine.state() is ComputeState.CANCELLED)
            await until(lambda: machine.tasks.ends == {} and machine.disk.leftovers() == [])


def _is_over(machine: Machine) -> bool:
    return machine.state() is ComputeState.COMPLETED and machine.store.outbox_floor() == 2
