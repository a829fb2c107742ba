"""Time-outs, and what the log tells, on a machine whose clock is set."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bacalhau.models import JobID
from bacalhau.orchestrator.deadlines import Deadlines
from bacalhau.orchestrator.wall_time import KEPT_ERAS, WallTime
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


def test_a_setting_of_the_clock_is_told_once() -> None:
    @simulated
    async def play() -> None:
        clock = MachineClock()
        wall = WallTime(clock)
        for seconds in (-HOUR, 2 * HOUR, -0.5):
            clock.put_forward(seconds)
            for _ in range(5):
                await asyncio.sleep(10)
                assert wall.now_ns() == clock.now_ns()
                wall.monotonic()
                wall.present(clock.now_ns())

    with capture_logs() as logs:
        play()
    assert [(each["event"], each["log_level"], each["seconds"]) for each in logs] == [
        ("clock_was_set_back", "warning", HOUR),
        ("clock_was_set_forward", "info", 2 * HOUR),
    ]


@simulated
async def test_a_clock_that_is_set_all_the_time_costs_no_more_and_more() -> None:
    clock = MachineClock()
    wall = WallTime(clock)
    moments = []
    for _ in range(KEPT_ERAS + 100):
        await asyncio.sleep(1)
        clock.put_forward(-HOUR)
        moments.append(wall.now_ns())
    assert age(wall, clock, moments[-100]) == pytest.approx(99)


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


@simulated
async def test_a_job_has_one_moment_and_once_it_has_come_none() -> None:
    clock = MachineClock()
    deadlines = Deadlines(clock)
    fired: list[tuple[JobID, int]] = []
    later, never, past = (JobID(f"j-{name}") for name in ("later", "never", "past"))
    async with asyncio.TaskGroup() as tasks:
        runs = tasks.create_task(deadlines.run(lambda job_id: fired.append((job_id, round(now())))))
        for job_id, seconds in [(later, 5), (later, 50), (never, 10), (past, -10)]:
            deadlines.set(job_id, clock.now_ns() + seconds * SECOND_NS)
        deadlines.set(never, None)
        await asyncio.sleep(1)
        assert [job_id in deadlines for job_id in (later, never, past)] == [True, False, False]
        await asyncio.sleep(100)
        runs.cancel()
    assert fired == [(past, 0), (later, 50)]


@simulated
async def test_what_is_left_is_forgotten_when_it_ends() -> None:
    clock = MachineClock()
    deadlines = Deadlines(clock)
    async with asyncio.TaskGroup() as tasks:
        runs = tasks.create_task(deadlines.run(lambda _: pytest.fail("it has ended")))
        deadlines.set(JobID("j-1"), clock.now_ns() + 90 * SECOND_NS)
        await asyncio.sleep(10)
        runs.cancel()
    assert JobID("j-1") not in deadlines
    await asyncio.sleep(100)
