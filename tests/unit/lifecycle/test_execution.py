"""Executions: orders to nodes, and which answers of a node are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.lifecycle import events
from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle.changes import JobChanges, JobDraft, ProvenanceDraft
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Event,
    Execution,
    ExecutionID,
    JobState,
    JobType,
    RunOutput,
    SpecConfig,
    Topic,
)
from bacalhau.protocol.messages import (
    Answer,
    BidResult,
    CancelExecution,
    ComputeError,
    InputsRead,
    RunResult,
)
from bacalhau.testing.contracts._store_records import make_input, make_outputs
from tests.support.records import START_NS, make_execution, make_job, make_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

E1 = ExecutionID("e-1")
OUTPUT = RunOutput(stdout="hello\n", exit_code=0)
BOOM = Event(message="boom", topic=Topic.RUNNING_EXECUTION.value, timestamp="", details={"a": "b"})
BID = BidResult(execution_id=E1, accepted=True)
REFUSAL = BidResult(execution_id=E1, accepted=False, events=(BOOM,))
RESULT = RunResult(
    execution_id=E1, run_output=OUTPUT, published_result=SpecConfig(type="urlDownload")
)
ERROR = ComputeError(execution_id=E1, events=(BOOM,), run_output=OUTPUT)

NEW = make_execution()
RUNNING = make_execution(ComputeState.BID_ACCEPTED, DesiredState.RUNNING)
ENDED = [make_execution(state, DesiredState.STOPPED) for state in ComputeState if state.is_terminal]


def draft_of(execution: Execution) -> JobDraft:
    return JobDraft(make_snapshot(make_job(), execution), START_NS + 5)


def answered(execution: Execution, message: Answer) -> tuple[bool, Execution]:
    draft = draft_of(execution)
    taken = lifecycle.answer(draft, execution, message)
    assert taken or draft.is_empty
    return taken, draft.executions[0]


@pytest.mark.parametrize(
    ("execution", "message", "state", "desired"),
    [
        (NEW, BID, ComputeState.BID_ACCEPTED, DesiredState.RUNNING),
        (NEW, REFUSAL, ComputeState.ASK_FOR_BID_REJECTED, DesiredState.STOPPED),
        (RUNNING, RESULT, ComputeState.COMPLETED, DesiredState.STOPPED),
        (NEW, RESULT, ComputeState.COMPLETED, DesiredState.STOPPED),
        (NEW, ERROR, ComputeState.FAILED, DesiredState.STOPPED),
        (RUNNING, ERROR, ComputeState.FAILED, DesiredState.STOPPED),
    ],
)
def test_an_answer_that_fits_is_taken(
    execution: Execution, message: Answer, state: ComputeState, desired: DesiredState
) -> None:
    taken, after = answered(execution, message)

    assert taken
    assert (after.compute_state.state_type, after.desired_state.state_type) == (state, desired)


@pytest.mark.parametrize("execution", ENDED, ids=lambda run: run.compute_state.state_type.title)
@pytest.mark.parametrize("message", [BID, REFUSAL, RESULT, ERROR], ids=lambda m: type(m).__name__)
def test_an_execution_that_has_ended_takes_nothing_more(
    execution: Execution, message: Answer
) -> None:
    draft = draft_of(execution)

    assert not lifecycle.answer(draft, execution, message)
    assert draft.is_empty


def test_a_second_bid_has_no_effect() -> None:
    assert answered(RUNNING, BID) == (False, RUNNING)


def test_the_job_runs_as_soon_as_its_first_node_has_agreed() -> None:
    first, second = make_execution(), make_execution(id=ExecutionID("e-2"))
    draft = JobDraft(make_snapshot(make_job(count=2), first, second), START_NS + 5)

    lifecycle.answer(draft, first, BID)
    lifecycle.answer(draft, second, BidResult(execution_id=second.id, accepted=True))

    assert draft.job.state.state_type is JobState.RUNNING
    history = draft.changes(guard_job=True).history
    assert [(item.execution_id, item.event.message) for item in history] == [
        ("", "Running"),
        ("e-1", "Running"),
        ("e-2", "Running"),
    ]


def test_a_result_keeps_output_and_location() -> None:
    _, after = answered(RUNNING, RESULT)

    assert (after.run_output, after.published_result.type) == (OUTPUT, "urlDownload")
    assert after.desired_state.message == "execution completed"


def test_a_failure_keeps_its_reason_its_details_and_what_was_printed() -> None:
    _, after = answered(RUNNING, ERROR)

    assert (after.compute_state.message, after.compute_state.details) == ("boom", {"a": "b"})
    assert after.run_output == OUTPUT
    assert lifecycle.may_retry(after)


def test_a_permanent_failure_is_marked() -> None:
    _, after = answered(RUNNING, ComputeError(execution_id=E1, events=(BOOM,), retryable=False))

    assert not lifecycle.may_retry(after)


@pytest.mark.parametrize(
    ("order", "state"),
    [
        (lambda d, e: lifecycle.cancel(d, e, BOOM), ComputeState.CANCELLED),
        (lambda d, e: lifecycle.give_up(d, e, BOOM), ComputeState.FAILED),
    ],
)
def test_an_order_changes_the_record_tells_the_node_and_the_history(
    order: Callable[[JobDraft, Execution], None], state: ComputeState
) -> None:
    draft = draft_of(NEW)

    order(draft, NEW)
    changes = draft.changes(guard_job=True)

    assert changes.executions[0].compute_state.state_type is state
    assert changes.executions[0].revision == NEW.revision + 1
    assert changes.executions[0].modify_time == START_NS + 5
    assert [(node, type(sent)) for node, sent in changes.messages] == [("n-1", CancelExecution)]
    assert len(changes.history) == 1


def test_a_lost_execution_is_told_apart_from_one_that_failed() -> None:
    draft = draft_of(RUNNING)

    lifecycle.give_up(draft, RUNNING, BOOM, cause=lifecycle.LOST)

    assert lifecycle.is_lost(draft.executions[0])


def test_an_execution_given_up_keeps_what_is_known_of_its_failure() -> None:
    draft = draft_of(RUNNING)

    lifecycle.give_up(draft, RUNNING, events.execution_timed_out(START_NS, 5))

    details = draft.executions[0].compute_state.details
    assert details["ErrorCode"] == "Orchestrator:ExecutionTimeout"
    assert details["Hint"] == events.TIMEOUT_HINT


def test_a_refusal_keeps_the_nodes_hint() -> None:
    said = events.event(START_NS, Topic.EXEC_SCANNING, "no room", Hint="ask for less")
    draft = draft_of(NEW)

    lifecycle.answer(draft, NEW, BidResult(execution_id=E1, accepted=False, events=(said,)))

    state = draft.executions[0].compute_state
    assert (state.message, state.details) == ("no room", {"Hint": "ask for less"})


def test_a_failed_job_has_a_code_also_where_the_execution_had_none() -> None:
    assert events.job_failed(START_NS, "why", {}).details["ErrorCode"] == (
        "Orchestrator:ExecutionFailed"
    )
    told = events.job_failed(START_NS, "why", {"ErrorCode": "Docker:ImageNotFound"})
    assert told.details["ErrorCode"] == "Docker:ImageNotFound"


def test_events_of_the_job_come_before_those_of_executions() -> None:
    draft = draft_of(RUNNING)
    draft.execution_event(RUNNING.id, BOOM)
    draft.job_event(events.job_submitted(START_NS))

    history = draft.changes(guard_job=False).history

    assert [item.execution_id for item in history] == ["", "e-1"]


def test_what_follows_from_an_answer_comes_after_it_in_the_history() -> None:
    draft = draft_of(RUNNING)
    draft.execution_event(RUNNING.id, BOOM)
    draft.end_step()
    draft.job_event(events.job_submitted(START_NS))

    history = draft.changes(guard_job=False).history

    assert [item.execution_id for item in history] == ["e-1", ""]


def test_a_service_whose_task_ends_has_failed() -> None:
    snapshot = make_snapshot(make_job(type=JobType.SERVICE), RUNNING)
    draft = JobDraft(snapshot, START_NS + 5)

    assert lifecycle.answer(draft, RUNNING, RESULT)

    after = draft.executions[0]
    assert after.compute_state.state_type is ComputeState.FAILED
    assert after.compute_state.message == "execution completed unexpectedly"
    assert "use batch" in after.compute_state.details["Hint"]
    assert after.run_output == OUTPUT
    assert lifecycle.may_retry(after)


def test_what_was_read_is_noted() -> None:
    message = InputsRead(execution_id=E1, inputs=(make_input(),))
    assert lifecycle.inputs_read(RUNNING.job_id, [message]) == JobChanges(
        job_id=RUNNING.job_id,
        provenance=(ProvenanceDraft(execution_id=E1, inputs=(make_input(),)),),
    )


def test_what_was_written_is_noted_with_the_result() -> None:
    draft = draft_of(RUNNING)
    result = RunResult(execution_id=E1, run_output=OUTPUT, outputs=make_outputs())
    assert lifecycle.answer(draft, RUNNING, result)
    assert draft.changes(guard_job=True).provenance == (
        ProvenanceDraft(execution_id=E1, outputs=make_outputs()),
    )
