"""Somebody sets the clock by hours: nothing is lost, and time-outs count elapsed time."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.models import JobState, TimeoutConfig
from tests.support.cluster_stage import cluster
from tests.support.compute_node import now, simulated, task, until

HOURS = [-3, 3]
HOUR = 3600.0
ENDLESS = {"Seconds": -1}


@pytest.mark.parametrize("hours", HOURS)
@pytest.mark.parametrize(
    ("timeouts", "is_placed"),
    [
        (TimeoutConfig(total_timeout=100), True),
        (TimeoutConfig(execution_timeout=50), True),
        (TimeoutConfig(queue_timeout=100), False),
    ],
)
def test_a_timeout_lasts_as_long_as_it_says(
    hours: int, timeouts: TimeoutConfig, is_placed: bool
) -> None:
    @simulated
    async def play() -> None:
        async with cluster() as stage:
            if is_placed:
                await stage.node()
            begin = now()
            job = await stage.submit(task(engine=ENDLESS, timeouts=timeouts))
            await asyncio.sleep(10)
            stage.clock.put_forward(hours * HOUR)
            other = await stage.submit(task(timeouts=timeouts))  # somebody looks at the new time
            await stage.until_state(job, JobState.FAILED)

            assert now() - begin == pytest.approx(100, abs=3)
            assert stage.job(other).is_terminal is is_placed

    play()


def test_a_job_submitted_while_the_clock_was_wrong_has_all_its_time() -> None:
    @simulated
    async def play() -> None:
        async with cluster() as stage:
            stage.clock.put_forward(3 * HOUR)
            begin = now()
            job = await stage.submit(task(timeouts=TimeoutConfig(queue_timeout=100)))
            await asyncio.sleep(40)
            stage.clock.put_forward(-3 * HOUR)
            await stage.until_state(job, JobState.FAILED)
            assert now() - begin == pytest.approx(100, abs=3)

    play()


def test_a_clock_set_back_over_a_restart_makes_a_timeout_start_again_at_most() -> None:
    @simulated
    async def play() -> None:
        async with cluster() as stage:
            job = await stage.submit(task(timeouts=TimeoutConfig(queue_timeout=100)))
            await asyncio.sleep(40)
            await stage.crash()
            stage.clock.put_forward(-3 * HOUR)
            await stage.start()
            begin = now()
            await stage.until_state(job, JobState.FAILED)
            assert now() - begin == pytest.approx(100, abs=3)

    play()


@pytest.mark.parametrize("hours", HOURS)
def test_histories_are_in_the_order_of_what_happened(hours: int) -> None:
    @simulated
    async def play() -> None:
        async with cluster() as stage:
            node = await stage.node()
            job = await stage.submit(task(engine={"Seconds": 20}))
            await until(lambda: node.tasks.ends)
            stage.clock.put_forward(hours * HOUR)
            await stage.until_state(job, JobState.COMPLETED)

            items = await stage.store.history(job)
            assert [item.seq_num for item in items] == list(range(1, 7))
            assert [item.event.message for item in items] == [
                "Job submitted",
                "Requested execution on n-1",
                "Running",
                "Running",
                "Completed successfully",
                "Completed",
            ]
            assert (items[-1].time > items[0].time) is (hours > 0)
            assert stage.job(job).revision == 3

    play()


@pytest.mark.parametrize("hours", HOURS)
def test_a_node_is_lost_by_silence_and_not_by_a_date(hours: int) -> None:
    @simulated
    async def play() -> None:
        async with cluster() as stage:
            await stage.node()
            job = await stage.submit(task(engine={"Seconds": 200}))
            for _ in range(4):
                await asyncio.sleep(30)
                stage.clock.put_forward(hours * HOUR)
            await stage.until_state(job, JobState.COMPLETED)
            assert len(stage.executions(job)) == 1

    play()
