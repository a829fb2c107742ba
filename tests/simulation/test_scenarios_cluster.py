"""Scenarios 12 to 18: other types of jobs, restarts, and nodes that come and go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bacalhau.errors import ExecutionError
from bacalhau.models import (
    ComputeState,
    Connection,
    JobState,
    JobType,
    Membership,
    TimeoutConfig,
)
from bacalhau.testing.engine_fake import FakeEngine
from tests.support.cluster_stage import cluster
from tests.support.compute_node import now, simulated, task, until

if TYPE_CHECKING:
    from bacalhau.ports import TaskExit, TaskRun

ENDLESS = {"Seconds": -1}
NAMES = ("n-1", "n-2", "n-3")


class BrokenEngine(FakeEngine):
    """An engine of a machine on which nothing works."""

    async def run(self, run: TaskRun) -> TaskExit:
        await asyncio.sleep(1)
        raise ExecutionError("broken", component="Test", retryable=True)


@simulated
async def test_12_an_ops_job_fails_only_after_all_its_executions_have_ended() -> None:
    async with cluster() as stage:
        for name in NAMES:
            await stage.node(name, engine=BrokenEngine if name == "n-2" else FakeEngine)
        begin = now()
        job = await stage.submit(task(engine={"Seconds": 50}), type=JobType.OPS)
        failed = await stage.until_state(job, JobState.FAILED)

        assert now() - begin >= 50
        assert sorted(stage.where(job)) == list(NAMES)
        assert sorted(stage.observed(job)) == sorted(
            [ComputeState.COMPLETED, ComputeState.FAILED, ComputeState.COMPLETED]
        )
        assert "broken" in failed.state.message


@simulated
async def test_13_a_daemon_runs_on_every_node_and_again_on_one_that_comes_back() -> None:
    async with cluster() as stage:
        for name in NAMES[:2]:
            await stage.node(name)
        job = await stage.submit(task(engine=ENDLESS), type=JobType.DAEMON)
        await until(lambda: sorted(stage.where(job)) == ["n-1", "n-2"])
        joined = await stage.node("n-3")
        await until(lambda: joined.tasks.ends)
        assert sorted(stage.where(job)) == list(NAMES)

        assert joined.process is not None
        await joined.process.crash()
        joined.tasks.ends.clear()
        await until(lambda: stage.connection("n-3") is Connection.DISCONNECTED)
        await until(lambda: stage.observed(job)[-1] is ComputeState.FAILED)
        await joined.start()
        await until(lambda: joined.tasks.ends)
        assert stage.where(job).count("n-3") == 2
        assert stage.job(job).state.state_type is JobState.RUNNING


@simulated
async def test_14_a_service_whose_process_exits_is_replaced() -> None:
    async with cluster() as stage:
        node = await stage.node()
        job = await stage.submit(task(engine={"Seconds": 10}), type=JobType.SERVICE)
        await until(lambda: len(stage.executions(job)) == 2 and node.tasks.ends)

        first = stage.executions(job)[0]
        assert first.compute_state.state_type is ComputeState.FAILED
        assert first.compute_state.message == "execution completed unexpectedly"


@simulated
async def test_15_a_restart_of_a_node_joins_what_runs_and_repeats_what_does_not() -> None:
    async with cluster() as stage:
        node = await stage.node()
        batch = await stage.submit(task(engine={"Seconds": 100}))
        service = await stage.submit(task(engine=ENDLESS), type=JobType.SERVICE)
        await until(lambda: len(node.tasks.ends) == 2)
        assert node.process is not None
        await node.process.crash()
        lost = stage.executions(batch)[0].id
        del node.tasks.ends[lost]  # the machine lost this task, and kept the container
        await node.start()
        await stage.until_state(batch, JobState.COMPLETED)

        adopted = stage.executions(service)[0].id
        assert node.tasks.started.count(adopted) == 1
        assert node.tasks.started.count(lost) == 2
        assert len(stage.executions(batch)) == len(stage.executions(service)) == 1
        assert stage.observed(service) == [ComputeState.BID_ACCEPTED]


@simulated
async def test_16_a_restart_of_the_orchestrator_goes_on_with_queued_and_running_jobs() -> None:
    async with cluster() as stage:
        node = await stage.node(cpu=1)
        running = await stage.submit(task(engine={"Seconds": 100}))
        await until(lambda: node.tasks.ends)
        queued = await stage.submit(task(timeouts=TimeoutConfig(queue_timeout=500)))
        await stage.until_state(queued, JobState.QUEUED)
        await stage.crash()
        await asyncio.sleep(30)
        await stage.start()
        await stage.until_state(running, JobState.COMPLETED)
        await stage.until_state(queued, JobState.COMPLETED)

        assert len(stage.executions(running)) == len(stage.executions(queued)) == 1
        assert len(node.tasks.started) == 2


@simulated
async def test_17_a_silent_node_is_disconnected_excluded_and_back_after_one_heartbeat() -> None:
    async with cluster() as stage:
        await stage.node()
        stage.transport.isolate("n-1")
        begin = now()
        await until(lambda: stage.connection("n-1") is Connection.DISCONNECTED)
        assert now() - begin <= 60 + 20 + 15
        job = await stage.submit(task(timeouts=TimeoutConfig(queue_timeout=500)))
        await stage.until_state(job, JobState.QUEUED)
        assert stage.executions(job) == ()

        stage.transport.rejoin("n-1")
        begin = now()
        await until(lambda: stage.connection("n-1") is Connection.CONNECTED)
        assert now() - begin <= 30
        await stage.until_state(job, JobState.COMPLETED)


@simulated
async def test_18_a_pending_node_gets_nothing_until_it_is_approved() -> None:
    async with cluster(is_approval_manual=True) as stage:
        await stage.node()
        (pending,) = stage.orchestrator.registry.states()
        assert pending.membership is Membership.PENDING
        job = await stage.submit(task(timeouts=TimeoutConfig(queue_timeout=500)))
        await asyncio.sleep(100)
        assert stage.job(job).state.state_type is JobState.QUEUED
        assert stage.executions(job) == ()

        await stage.orchestrator.admission.decide("n-1", "approve", "known")
        await stage.until_state(job, JobState.COMPLETED)
