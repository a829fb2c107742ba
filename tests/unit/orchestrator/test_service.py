"""The orchestrator as its clients and its nodes see it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import ConflictError, TransientError, ValidationError
from bacalhau.models import (
    ComputeState,
    JobState,
    JobType,
)
from bacalhau.orchestrator import service
from bacalhau.protocol.messages import (
    AskForBid,
    BidResult,
    CancelExecution,
    Heartbeat,
    Rejoin,
)
from tests.support.orchestrator_stage import Stage, finish, submit, take_and_run
from tests.support.scripted_node import OFFER, scripted_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.models import Job


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_job_runs_to_its_end(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        await finish(node, execution)
        await stage.until_state(job_id, JobState.COMPLETED)

    history = [item.event.message for item in await stage.store.history(job_id)]
    assert history == [
        "Job submitted",
        "Requested execution on n-1",
        "Running",
        "Running",
        "Completed successfully",
        "Completed",
    ]
    assert stage.executions(job_id)[0].run_output.stdout == "hello\n"
    assert await stage.store.open_evaluations() == []


async def test_an_unknown_session_is_told_to_join_again(stage: Stage) -> None:
    async with stage.orchestrator().run(), scripted_node(stage.transport) as node:
        await node.say(Heartbeat(load=OFFER))
        await node.hear(Rejoin)


async def test_the_same_answer_twice_has_one_effect(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        await finish(node, execution)
        await finish(node, execution)
        job = await stage.until_state(job_id, JobState.COMPLETED)
        other = await submit(orchestrator)
        await finish(node, await take_and_run(node))
        await stage.until_state(other, JobState.COMPLETED)

    assert stage.store.job(job_id) == job


async def test_a_stop_is_final_and_reaches_the_node(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        await orchestrator.intake.stop(job_id, "enough")
        await finish(node, execution)
        cancelled = await node.hear(CancelExecution)

        again = await orchestrator.intake.stop(job_id, "really")

    assert cancelled.execution_id == execution.id
    assert again.evaluation_id == ""
    job = stage.store.job(job_id)
    assert job is not None
    assert (job.state.state_type, job.state.message) == (JobState.STOPPED, "enough")
    assert stage.executions(job_id)[0].compute_state.state_type is ComputeState.CANCELLED


async def test_a_completed_job_cannot_be_stopped(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator:
        job_id = await submit(orchestrator, count=0)
        await stage.until_state(job_id, JobState.COMPLETED)
        with pytest.raises(ConflictError, match="cannot stop job in state Completed"):
            await orchestrator.intake.stop(job_id, "late")


async def test_what_is_refused_leaves_nothing_behind(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator:
        with pytest.raises(ValidationError, match="missing job tasks"):
            await submit(orchestrator, tasks=[])

    assert await stage.store.unfinished_jobs() == []
    assert await stage.store.open_evaluations() == []


async def test_a_job_without_room_waits_and_is_woken_by_freed_capacity(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        first = await submit(orchestrator)
        execution = await take_and_run(node)
        second = await submit(orchestrator)
        waiting = await stage.until_state(second, JobState.QUEUED)
        await finish(node, execution)
        await finish(node, await take_and_run(node))
        await stage.until_state(first, JobState.COMPLETED)
        await stage.until_state(second, JobState.COMPLETED)

    assert waiting.state.message.startswith("Job queued. not enough nodes to run job.")


async def test_a_restart_goes_on_where_it_stood(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        running = await submit(orchestrator)
        execution = await take_and_run(node)
        waiting = await submit(orchestrator)
        await stage.until_state(waiting, JobState.QUEUED)

    async with (
        stage.orchestrator().run(),
        scripted_node(stage.transport, session="s-2") as node,
    ):
        await node.hello()
        # That it was delivered may be forgotten, so it comes once more.
        assert (await node.hear(AskForBid)).execution.id == execution.id
        await finish(node, execution)
        await finish(node, await take_and_run(node))
        await stage.until_state(running, JobState.COMPLETED)
        await stage.until_state(waiting, JobState.COMPLETED)

    assert len(stage.executions(running)) == 1


async def test_a_node_that_forgot_an_execution_is_offered_it_again(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        await submit(orchestrator)
        execution = await take_and_run(node)
        await node.report()

        again = await node.hear(AskForBid)

    assert again.execution.id == execution.id
    assert again.execution.job is not None


async def test_an_execution_that_should_not_live_is_cancelled(stage: Stage) -> None:
    async with stage.orchestrator().run(), scripted_node(stage.transport) as node:
        await node.hello()
        await node.report(**{"e-stray": ComputeState.RUNNING})

        cancelled = await node.hear(CancelExecution)

    assert cancelled.execution_id == "e-stray"


async def test_silence_does_not_count_while_the_orchestrator_stands_still(stage: Stage) -> None:
    """A process that was stopped by a signal has heard nobody; its nodes may be well."""
    async with (
        stage.orchestrator(disconnect_timeout_seconds=0.4).run() as orchestrator,
        scripted_node(stage.transport) as node,
    ):
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        time.sleep(1)  # noqa: ASYNC251 - nothing of the process goes on meanwhile
        for _ in range(10):
            await asyncio.sleep(0)
        await node.say(Heartbeat(load=OFFER))
        await finish(node, execution)
        await stage.until_state(job_id, JobState.COMPLETED)

    assert [run.id for run in stage.executions(job_id)] == [execution.id]


async def test_a_silent_node_loses_its_executions_to_another(stage: Stage) -> None:
    async with (
        stage.orchestrator(disconnect_timeout_seconds=0.2).run() as orchestrator,
        scripted_node(stage.transport) as silent,
        scripted_node(stage.transport, "n-2") as other,
    ):
        await silent.hello()
        job_id = await submit(orchestrator)
        lost = await take_and_run(silent)
        await other.hello()
        async with asyncio.timeout(5):
            offered = None
            while offered is None:
                await other.say(Heartbeat(load=OFFER))
                try:
                    async with asyncio.timeout(0.05):
                        offered = await other.hear(AskForBid)
                except TimeoutError:
                    continue
        await finish(silent, lost)
        await other.answer(BidResult(execution_id=offered.execution.id, accepted=True))
        await finish(other, offered.execution)
        await stage.until_state(job_id, JobState.COMPLETED)

    first, second = stage.executions(job_id)
    assert first.compute_state.state_type is ComputeState.FAILED
    assert second.compute_state.state_type is ComputeState.COMPLETED


async def test_what_is_not_acknowledged_is_sent_again(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        await submit(orchestrator)
        first = await node.hear(AskForBid, acknowledge=False)

        second = await node.hear(AskForBid)

    assert second == first


async def test_a_daemon_runs_on_every_node_that_joins(stage: Stage) -> None:
    async with (
        stage.orchestrator().run() as orchestrator,
        scripted_node(stage.transport) as first,
        scripted_node(stage.transport, "n-2") as second,
    ):
        job_id = await submit(orchestrator, type=JobType.DAEMON)
        await first.hello()
        await first.hear(AskForBid)
        await second.hello()
        await second.hear(AskForBid)

    assert [run.node_id for run in stage.executions(job_id)] == ["n-1", "n-2"]


async def test_a_node_that_joins_while_the_store_fails_gets_its_daemons(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "DAEMONS_AGAIN_SECONDS", 0.01)
    read, failures = stage.store.unfinished_jobs, iter([TransientError("the disk refuses")])

    async def read_at_last() -> Sequence[Job]:
        if failure := next(failures, None):
            raise failure
        return await read()

    async with (
        stage.orchestrator().run() as orchestrator,
        scripted_node(stage.transport) as node,
    ):
        job_id = await submit(orchestrator, type=JobType.DAEMON)
        monkeypatch.setattr(stage.store, "unfinished_jobs", read_at_last)
        await node.hello()
        offer = await node.hear(AskForBid)
    assert offer.execution.job_id == job_id
