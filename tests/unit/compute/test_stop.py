"""A node that is told to stop, as with SIGTERM."""

from __future__ import annotations

import functools

import pytest

from bacalhau.compute.options import ComputeOptions
from bacalhau.models import ComputeState, ExecutionID, ResourcesConfig, SpecConfig
from bacalhau.protocol.messages import CancelExecution, RunResult
from tests.support.compute_node import Machine, now, offer, simulated, task, until

E1, E2, E3 = ExecutionID("e-1"), ExecutionID("e-2"), ExecutionID("e-3")
WHOLE = ResourcesConfig(cpu="4")


def publishing(seconds: float) -> SpecConfig:
    return SpecConfig(type="fake", params={"Seconds": seconds})


@simulated
async def test_tasks_are_left_running_and_joined_by_the_next_process() -> None:
    machine = Machine()
    slow = task({"Files": {"a": "1"}}, engine={"Seconds": 100, "Stdout": "x"})
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(slow))
            await until(lambda: machine.tasks.started)
            begin = now()
            await process.stop()
            assert now() - begin < 1
        assert machine.state() is ComputeState.RUNNING
        assert list(machine.tasks.ends) == [E1]
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
            await until(lambda: machine.disk.leftovers() == [] and not machine.tasks.ends)
    assert machine.tasks.started == [E1]
    assert len(machine.source.fetched) == 1
    assert orchestrator.of_type(RunResult)[0].run_output.stdout == "x"


@simulated
async def test_what_is_being_published_is_finished_and_told() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task(publisher=publishing(10))))
            await until(lambda: machine.shelf.attempts)
            await process.stop()
        assert machine.state() is ComputeState.COMPLETED
        assert orchestrator.of_type(RunResult)
        assert machine.disk.leftovers() == []


@simulated
async def test_publishing_that_takes_too_long_is_done_again_at_the_next_start() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task(engine={"Stdout": "x"}, publisher=publishing(100))))
            await until(lambda: machine.shelf.attempts)
            begin = now()
            await process.stop()
            assert now() - begin <= ComputeOptions().drain_seconds + 1
        assert machine.state() is ComputeState.PUBLISHING
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
    assert machine.tasks.started == [E1]
    assert orchestrator.of_type(RunResult)[0].run_output.stdout == "x"


@simulated
async def test_nothing_new_is_taken_while_the_node_stops() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task(publisher=publishing(10), resources=WHOLE)))
            await until(lambda: machine.shelf.attempts)
            await orchestrator.ask(offer(task(resources=WHOLE), name="e-2"))
            await until(lambda: machine.state("e-2") is ComputeState.BID_ACCEPTED)
            process.leaving.set()
            await until(lambda: not process.node._workforce._is_open)
            await orchestrator.ask(offer(task(), name="e-3"))
            await process.stop()
        assert machine.state() is ComputeState.COMPLETED
        assert machine.state("e-2") is ComputeState.BID_ACCEPTED
        assert machine.state("e-3") is ComputeState.NEW
        assert machine.tasks.started == [E1]
        async with machine.node():
            results = functools.partial(orchestrator.of_type, RunResult)
            await until(lambda: {each.execution_id for each in results()} == {E1, E2, E3})
    assert sorted(machine.tasks.started) == [E1, E2, E3]


@simulated
async def test_an_execution_can_be_cancelled_while_the_node_stops() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator, machine.node() as process:
        await orchestrator.ask(offer(task(publisher=publishing(10))))
        await until(lambda: machine.shelf.attempts)
        process.leaving.set()
        await orchestrator.send(CancelExecution(execution_id=E1))
        begin = now()
        await process.stop()
        assert now() - begin < 5
    assert machine.state() is ComputeState.CANCELLED
    assert machine.disk.leftovers() == []


@simulated
async def test_inputs_that_are_being_fetched_are_fetched_at_the_next_start() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(task({"FetchSeconds": 50})))
            await until(lambda: machine.source.fetching)
            begin = now()
            await process.stop()
            assert now() - begin < 1
        assert machine.state() is ComputeState.BID_ACCEPTED
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
    assert machine.tasks.started == [E1]


@simulated
async def test_without_a_next_process_no_task_is_left() -> None:
    machine = Machine(options=ComputeOptions(leaves_tasks=False))
    async with machine.orchestrator() as orchestrator, machine.node() as process:
        await orchestrator.ask(offer(task(engine={"Seconds": 100})))
        await until(lambda: machine.tasks.started)
        await process.stop()
        assert machine.tasks.ends == {}


@pytest.mark.parametrize("priority", [0, 9])
@simulated
async def test_what_runs_has_its_room_before_anything_new(priority: int) -> None:
    machine = Machine()
    half = ResourcesConfig(cpu="2")
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            for name in ("e-1", "e-2"):
                await orchestrator.ask(
                    offer(task(engine={"Seconds": 100}, resources=half), name=name)
                )
            await until(lambda: len(machine.tasks.started) == 2)
            for name in ("e-3", "e-4"):
                await orchestrator.ask(offer(task(resources=half), name=name, priority=priority))
            await until(lambda: machine.state("e-4") is ComputeState.BID_ACCEPTED)
            process.crash()
        async with machine.node():
            await until(lambda: len(orchestrator.hellos) == 2)
            load = orchestrator.hellos[1].info.compute_node_info
            assert load is not None
            assert (load.running_executions, load.enqueued_executions) == (2, 2)
            assert load.available_capacity.cpu == 0
            await until(lambda: len(orchestrator.of_type(RunResult)) == 4)
    assert sorted(machine.tasks.started[:2]) == [E1, E2]
    assert len(machine.tasks.started) == 4
