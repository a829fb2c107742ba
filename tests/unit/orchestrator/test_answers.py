"""What follows from an answer of a node, and in how many transactions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import ComputeState, Event, JobState, RunOutput
from bacalhau.protocol.messages import (
    AskForBid,
    BidResult,
    CancelExecution,
    ComputeError,
    InputsRead,
    RunResult,
)
from bacalhau.testing.contracts._store_records import make_input, make_outputs
from tests.support.orchestrator_stage import Stage, finish, submit, take_and_run
from tests.support.scripted_node import scripted_node

if TYPE_CHECKING:
    from bacalhau.lifecycle.changes import JobChanges
    from bacalhau.models import Execution, JobID
    from tests.support.scripted_node import ScriptedNode

BOOM = Event(message="boom", topic="Running Execution", timestamp="")


@pytest.fixture
def stage() -> Stage:
    return Stage()


def about(stage: Stage, job_id: JobID) -> list[JobChanges]:
    return [changes for changes in stage.store.applied if changes.job_id == job_id]


async def fail(node: ScriptedNode, execution: Execution) -> None:
    await node.answer(ComputeError(execution_id=execution.id, events=(BOOM,)))


async def test_a_job_runs_when_its_first_node_has_agreed(stage: Stage) -> None:
    async with (
        stage.orchestrator().run() as orchestrator,
        scripted_node(stage.transport) as first,
        scripted_node(stage.transport, "n-2") as second,
    ):
        await first.hello()
        await second.hello()
        job_id = await submit(orchestrator, count=2)
        await second.hear(AskForBid)
        await take_and_run(first)

        job = stage.store.job(job_id)
        history = [item.event.message for item in await stage.store.history(job_id)]

    assert job is not None
    assert job.state.state_type is JobState.RUNNING
    assert history[-2:] == ["Running", "Running"]
    states = sorted(run.compute_state.state_type for run in stage.executions(job_id))
    assert states == [ComputeState.NEW, ComputeState.BID_ACCEPTED]


async def test_an_agreement_is_one_write_and_asks_for_no_look(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        offer = await node.hear(AskForBid)
        written = len(about(stage, job_id))
        await node.answer(BidResult(execution_id=offer.execution.id, accepted=True))
        await node.all_acknowledged()

        (agreed,) = about(stage, job_id)[written:]
        assert job_id not in orchestrator.broker

    assert agreed.evaluations == ()
    assert agreed.messages == ()
    assert agreed.job is not None
    assert [run.compute_state.state_type for run in agreed.executions] == [
        ComputeState.BID_ACCEPTED
    ]


async def test_a_result_completes_the_job_in_one_write(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        written = len(about(stage, job_id))
        await finish(node, execution)
        await node.all_acknowledged()

        (ended,) = about(stage, job_id)[written:]
        assert await stage.store.open_evaluations() == []

    assert ended.evaluations == ()
    assert ended.job is not None
    assert ended.job.state.state_type is JobState.COMPLETED
    assert [run.compute_state.state_type for run in ended.executions] == [ComputeState.COMPLETED]


async def test_late_and_repeated_answers_write_nothing(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        agreement = BidResult(execution_id=execution.id, accepted=True)
        await node.answer(agreement)
        await finish(node, execution)
        await node.all_acknowledged()
        written = len(about(stage, job_id))
        await node.answer(agreement)
        await finish(node, execution)
        await fail(node, execution)
        await node.all_acknowledged()

    assert len(about(stage, job_id)) == written


async def test_results_after_a_stop_are_not_taken(stage: Stage) -> None:
    async with (
        stage.orchestrator().run() as orchestrator,
        scripted_node(stage.transport) as first,
        scripted_node(stage.transport, "n-2") as second,
    ):
        await first.hello()
        await second.hello()
        job_id = await submit(orchestrator, count=2)
        one = await take_and_run(first)
        other = await take_and_run(second)
        await orchestrator.intake.stop(job_id, "enough")
        await first.hear(CancelExecution)
        await second.hear(CancelExecution)
        await finish(first, one)
        await finish(second, other)
        await first.all_acknowledged()
        await second.all_acknowledged()

    states = {run.compute_state.state_type for run in stage.executions(job_id)}
    assert states == {ComputeState.CANCELLED}


async def test_what_is_tried_again_waits_for_its_turn(stage: Stage) -> None:
    """A job of higher priority that waits gets the room that a failure leaves."""
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        retried = await submit(orchestrator, priority=1)
        execution = await take_and_run(node)
        urgent = await submit(orchestrator, priority=5)
        await stage.until_state(urgent, JobState.QUEUED)
        written = len(about(stage, retried))
        await fail(node, execution)

        offers = [(await node.hear(AskForBid)).execution]
        await node.answer(BidResult(execution_id=offers[0].id, accepted=True))
        await finish(node, offers[0])
        offers.append((await node.hear(AskForBid)).execution)

    assert [offer.job_id for offer in offers] == [urgent, retried]
    failed = about(stage, retried)[written]
    assert [evaluation.job_id for evaluation in failed.evaluations] == [retried]


async def test_a_permanent_failure_ends_the_job_in_one_write(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        written = len(about(stage, job_id))
        await node.answer(ComputeError(execution_id=execution.id, events=(BOOM,), retryable=False))
        async with asyncio.timeout(5):
            await node.all_acknowledged()

        (ended,) = about(stage, job_id)[written:]

    assert ended.job is not None
    assert (ended.job.state.state_type, ended.job.state.message) == (JobState.FAILED, "boom")
    assert ended.evaluations == ()


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_what_was_read_is_stored_and_nothing_follows_from_it(
    stage: Stage, is_stopped: bool
) -> None:
    """Also when the job was stopped meanwhile: it has been read all the same."""
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        if is_stopped:
            await orchestrator.intake.stop(job_id, "enough")
            await node.hear(CancelExecution)
        before = stage.executions(job_id), stage.store.job(job_id)
        await node.answer(InputsRead(execution_id=execution.id, inputs=(make_input(),)))
        await node.all_acknowledged()

        (write,) = [each for each in about(stage, job_id) if each.provenance]
        assert (write.job, write.executions, write.evaluations) == (None, (), ())
        (told,) = await stage.store.provenance(job_id)

    assert (stage.executions(job_id), stage.store.job(job_id)) == before
    assert (told.execution_id, told.inputs) == (execution.id, [make_input()])


async def test_what_was_written_is_stored_with_the_result(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        job_id = await submit(orchestrator)
        execution = await take_and_run(node)
        written = len(about(stage, job_id))
        await node.answer(
            RunResult(execution_id=execution.id, run_output=RunOutput(), outputs=make_outputs())
        )
        await stage.until_state(job_id, JobState.COMPLETED)
        (told,) = await stage.store.provenance(job_id)

    assert told.outputs == make_outputs()
    assert len(about(stage, job_id)) == written + 1
