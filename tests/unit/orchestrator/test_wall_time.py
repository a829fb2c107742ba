"""How long ago something was by a clock that is set."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.models import JobID
from bacalhau.orchestrator.deadlines import Deadlines
from bacalhau.orchestrator.wall_time import WallTime
from bacalhau.simulation.clock import MachineClock
from tests.support.compute_node import now, simulated

HOUR = 3600
SECOND_NS = 1_000_000_000


def age(wall: WallTime, clock: MachineClock, moment_ns: int) -> float:
    return (clock.now_ns() - wall.present(moment_ns)) / 1e9


@simulated
async def test_without_a_step_moments_are_as_they_are_written() -> None:
    clock = MachineClock()
    wall = WallTime(clock)
    moment = clock.now_ns()
    await asyncio.sleep(100_000)
    assert wall.present(moment) == moment
    assert wall.present(moment - HOUR * SECOND_NS) == moment - HOUR * SECOND_NS


@pytest.mark.parametrize("hours", [-3, -1, 1, 3])
def test_the_age_of_a_moment_is_what_has_elapsed(hours: int) -> None:
    @simulated
    async def play() -> None:
        clock = MachineClock()
        wall = WallTime(clock)
        before_us = clock.now_ns() - 60 * SECOND_NS
        await asyncio.sleep(10)
        first = clock.now_ns()
        wall.now_ns()
        await asyncio.sleep(20)
        clock.put_forward(hours * HOUR)
        second = clock.now_ns()
        wall.now_ns()
        await asyncio.sleep(30)
        clock.put_forward(-hours * HOUR)
        assert age(wall, clock, first) == pytest.approx(50)
        assert age(wall, clock, second) == pytest.approx(30)
        assert age(wall, clock, before_us) == pytest.approx(120)

    play()


@simulated
async def test_what_is_yet_to_come_was_before_our_start() -> None:
    clock = MachineClock()
    wall = WallTime(clock)
    await asyncio.sleep(10)
    assert age(wall, clock, clock.now_ns() + HOUR * SECOND_NS) == pytest.approx(10)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_deadline_comes_after_the_time_that_was_left(hours: int) -> None:
    @simulated
    async def play() -> None:
        clock = MachineClock()
        deadlines = Deadlines(clock)
        fired: list[float] = []
        async with asyncio.TaskGroup() as tasks:
            runs = tasks.create_task(deadlines.run(lambda _: fired.append(now())))
            deadlines.set(JobID("j-1"), clock.now_ns() + 90 * SECOND_NS)
            await asyncio.sleep(10)
            clock.put_forward(hours * HOUR)
            await asyncio.sleep(200)
            runs.cancel()
        assert fired == [pytest.approx(90, abs=0.01)]

    play()
