"""Time-outs of executions go on counting while their node is away."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.models import ComputeState, ExecutionID
from bacalhau.protocol.messages import ComputeError, RunResult
from bacalhau.testing.loop import VirtualClock
from tests.support.compute_node import Machine, now, offer, simulated, task, until, with_timeout

E1 = ExecutionID("e-1")


@pytest.mark.parametrize("is_orderly", [False, True])
def test_the_time_that_an_earlier_process_used_counts(is_orderly: bool) -> None:
    @simulated
    async def play() -> None:
        machine = Machine()
        async with machine.orchestrator() as orchestrator:
            async with machine.node() as process:
                await orchestrator.ask(offer(with_timeout(task(engine={"Seconds": 500}), 60)))
                await until(lambda: machine.tasks.started)
                begin = now()
                await asyncio.sleep(30)
                if is_orderly:
                    await process.stop()
                else:
                    process.crash()
            await asyncio.sleep(10)
            async with machine.node():
                await until(lambda: orchestrator.of_type(ComputeError))
                assert now() - begin == pytest.approx(60, abs=2)
                await until(lambda: machine.tasks.ends == {} and not machine.disk.leftovers())
        (error,) = orchestrator.of_type(ComputeError)
        assert error.events[0].message == "Execution timed out after 1m0s"
        assert machine.tasks.started == [E1]

    play()


@simulated
async def test_the_time_for_inputs_counts_too() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        begin = now()
        async with machine.node() as process:
            await orchestrator.ask(offer(with_timeout(task({"FetchSeconds": 500}), 60)))
            await until(lambda: machine.source.fetching)
            await asyncio.sleep(40)
            process.crash()
        async with machine.node():
            await until(lambda: orchestrator.of_type(ComputeError))
    assert now() - begin == pytest.approx(60, abs=2)


@simulated
async def test_a_task_that_ended_while_nobody_looked_is_in_time() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(with_timeout(task(engine={"Seconds": 20}), 30)))
            await until(lambda: machine.tasks.started)
            process.crash()
        await asyncio.sleep(1000)
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
    assert machine.tasks.started == [E1]


@simulated
async def test_a_task_that_is_still_not_done_after_its_time_is_ended_soon() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(with_timeout(task(engine={"Seconds": -1}), 30)))
            await until(lambda: machine.tasks.started)
            process.crash()
        await asyncio.sleep(1000)
        begin = now()
        async with machine.node():
            await until(lambda: orchestrator.of_type(ComputeError))
            assert now() - begin < 15
            await until(lambda: machine.tasks.ends == {})


class _SteppedClock(VirtualClock):
    """A clock whose date is changed by the machine's owner."""

    step_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.step_ns


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_date_that_is_changed_does_not_change_how_long_a_task_may_take(hours: int) -> None:
    @simulated
    async def play() -> None:
        clock = _SteppedClock()
        machine = Machine(clock=clock)
        async with machine.cluster() as orchestrator:
            await orchestrator.ask(offer(with_timeout(task(engine={"Seconds": -1}), 60)))
            await orchestrator.ask(
                offer(with_timeout(task(engine={"Seconds": 50}), 60), name="e-2")
            )
            await until(lambda: len(machine.tasks.started) == 2)
            begin = now()
            await asyncio.sleep(10)
            clock.step_ns = hours * 3600 * 10**9
            await until(lambda: orchestrator.of_type(RunResult))
            assert now() - begin == pytest.approx(50, abs=1)
            await until(lambda: orchestrator.of_type(ComputeError))
            assert now() - begin == pytest.approx(60, abs=1)
        assert machine.state("e-2") is ComputeState.COMPLETED
        assert machine.state() is ComputeState.FAILED

    play()


@simulated
async def test_a_date_set_back_over_a_restart_takes_no_time_away() -> None:
    clock = _SteppedClock()
    machine = Machine(clock=clock)
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(with_timeout(task(engine={"Seconds": 80}), 60)))
            await until(lambda: machine.tasks.started)
            await asyncio.sleep(30)
            process.crash()
        clock.step_ns = -3600 * 10**9
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
