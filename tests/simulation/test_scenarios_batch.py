"""Scenarios 1 to 11: what becomes of one batch job. Each test is named after its scenario."""

from __future__ import annotations

import pytest

from bacalhau.models import (
    ComputeState,
    JobState,
    NetworkConfig,
    NetworkType,
    ResourcesConfig,
    TimeoutConfig,
)
from tests.support.cluster_stage import cluster
from tests.support.compute_node import now, simulated, task, until

ENDLESS = {"Seconds": -1}
FAILS = {"Seconds": 1, "Failure": "cannot start", "Retryable": True}


@simulated
async def test_01_batch_on_one_node_ends_completed_whatever_the_exit_code() -> None:
    async with cluster() as stage:
        await stage.node()
        job = await stage.submit()
        await stage.until_state(job, JobState.COMPLETED)
        three = await stage.submit(task(engine={"ExitCode": 3}))
        await stage.until_state(three, JobState.COMPLETED)

        assert await stage.history(job) == [
            "Job submitted",
            "Requested execution on n-1",
            "Running",
            "Running",
            "Completed successfully",
            "Completed",
        ]
        items = await stage.store.history(job)
        assert [bool(item.execution_id) for item in items] == [
            False,
            True,
            False,
            True,
            True,
            False,
        ]
        assert stage.executions(three)[0].run_output.exit_code == 3


@simulated
async def test_02_a_failing_start_on_one_node_is_tried_twice() -> None:
    async with cluster() as stage:
        await stage.node()
        job = await stage.submit(task(engine=FAILS))
        failed = await stage.until_state(job, JobState.FAILED)

        assert stage.where(job) == ["n-1", "n-1"]
        assert stage.observed(job) == [ComputeState.FAILED, ComputeState.FAILED]
        assert "cannot start" in failed.state.message


@simulated
async def test_03_a_failing_start_on_three_nodes_is_tried_on_each_and_on_each_again() -> None:
    async with cluster() as stage:
        for name in ("n-1", "n-2", "n-3"):
            await stage.node(name)
        job = await stage.submit(task(engine=FAILS))
        await stage.until_state(job, JobState.FAILED)

        where = stage.where(job)
        assert len(where) == 6
        assert sorted(where[:3]) == sorted(where[3:]) == ["n-1", "n-2", "n-3"]


@simulated
async def test_04_count_three_on_two_nodes_waits_for_room_where_there_will_be_some() -> None:
    async with cluster() as stage:
        for name in ("n-1", "n-2"):
            await stage.node(name, cpu=1)
        job = await stage.submit(task(engine={"Seconds": 10}), count=3)
        await stage.until_observed(job, ComputeState.BID_ACCEPTED, ComputeState.BID_ACCEPTED)
        await stage.until_state(job, JobState.COMPLETED)
        assert len(stage.where(job)) == 3

        without_a_node = await stage.submit(task(resources=ResourcesConfig(cpu="2")), count=3)
        await stage.until_state(without_a_node, JobState.FAILED)
        assert stage.executions(without_a_node) == ()


@simulated
async def test_05_count_three_on_two_nodes_with_a_queue_timeout_fails_when_it_is_over() -> None:
    async with cluster() as stage:
        nodes = [await stage.node(name, cpu=1) for name in ("n-1", "n-2")]
        begin = now()
        timeouts = TimeoutConfig(queue_timeout=60)
        job = await stage.submit(task(engine=ENDLESS, timeouts=timeouts), count=3)
        await stage.until_observed(job, ComputeState.BID_ACCEPTED, ComputeState.BID_ACCEPTED)
        failed = await stage.until_state(job, JobState.FAILED)

        assert now() - begin == pytest.approx(60, abs=2)
        assert failed.state.message.startswith("not enough nodes to run job.")
        assert stage.observed(job) == [ComputeState.CANCELLED, ComputeState.CANCELLED]
        await until(lambda: not any(node.tasks.ends for node in nodes))


@simulated
async def test_06_without_a_node_a_job_is_queued_until_one_joins() -> None:
    async with cluster() as stage:
        job = await stage.submit(task(timeouts=TimeoutConfig(queue_timeout=300)))
        queued = await stage.until_state(job, JobState.QUEUED)
        assert queued.state.message.startswith("Job queued. not enough nodes to run job.")
        begin = now()
        await stage.node()
        await stage.until_state(job, JobState.COMPLETED)
        assert now() - begin < 10


@simulated
async def test_07_a_networked_job_is_refused_by_default() -> None:
    async with cluster() as stage:
        await stage.node()
        job = await stage.submit(task(network=NetworkConfig(type=NetworkType.FULL)))
        failed = await stage.until_state(job, JobState.FAILED)

        refusal = "this node does not run jobs that require network access"
        assert stage.observed(job) == [ComputeState.ASK_FOR_BID_REJECTED]
        assert refusal in stage.executions(job)[0].compute_state.message
        assert refusal in failed.state.message


@simulated
async def test_08_a_job_bigger_than_a_node_is_never_offered_to_it() -> None:
    async with cluster() as stage:
        small = await stage.node("n-small", cpu=1)
        await stage.node("n-large", cpu=4)
        fits = await stage.submit(task(resources=ResourcesConfig(cpu="3")))
        await stage.until_state(fits, JobState.COMPLETED)
        too_big = await stage.submit(task(resources=ResourcesConfig(cpu="5")))
        failed = await stage.until_state(too_big, JobState.FAILED)

        assert stage.where(fits) == ["n-large"]
        assert stage.executions(too_big) == ()
        assert "CPU" in failed.state.message
        assert small.states() == []


@simulated
async def test_09_an_execution_timeout_fails_the_execution_and_it_is_tried_again() -> None:
    async with cluster() as stage:
        await stage.node()
        timeouts = TimeoutConfig(execution_timeout=5)
        job = await stage.submit(task(engine=ENDLESS, timeouts=timeouts))
        await stage.until_state(job, JobState.FAILED)

        assert stage.observed(job) == [ComputeState.FAILED, ComputeState.FAILED]
        for run in stage.executions(job):
            assert run.compute_state.message == "Execution timed out after 5s"
        assert (await stage.history(job)).count("Execution timed out after 5s") == 2


@simulated
async def test_10_a_total_timeout_fails_the_job() -> None:
    async with cluster() as stage:
        node = await stage.node()
        begin = now()
        timeouts = TimeoutConfig(total_timeout=100)
        job = await stage.submit(task(engine=ENDLESS, timeouts=timeouts))
        failed = await stage.until_state(job, JobState.FAILED)

        assert now() - begin <= 100 + 120 + 30
        assert failed.state.message == "Job timed out. Job took longer than 1m40s"
        await until(lambda: not node.tasks.ends)


@simulated
async def test_11_a_stop_reaches_the_node_and_its_task() -> None:
    async with cluster() as stage:
        node = await stage.node()
        job = await stage.submit(task(engine=ENDLESS))
        await until(lambda: node.tasks.ends)
        await stage.orchestrator.intake.stop(job, "enough")
        stopped = await stage.until_state(job, JobState.STOPPED)

        assert stopped.state.message == "enough"
        await stage.until_observed(job, ComputeState.CANCELLED)
        await until(lambda: node.states() == [ComputeState.CANCELLED] and not node.tasks.ends)
