"""Executions that divide an input as a whole have to have listed the same."""

from __future__ import annotations

import pytest

from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle.changes import JobDraft
from bacalhau.lifecycle.completed import Completed
from bacalhau.lifecycle.listings import contradiction, settled
from bacalhau.models import ComputeState, DesiredState, Execution, ExecutionID
from bacalhau.protocol.messages import AskForBid, BidResult, CancelExecution, RunResult
from tests.support.records import START_NS, make_execution, make_job, make_snapshot

X, Y = {"/in": "x"}, {"/in": "y"}
FIRST, SECOND = ExecutionID("e-1"), ExecutionID("e-2")


def run(name: ExecutionID, state: ComputeState, listings: dict[str, str]) -> Execution:
    desired = DesiredState.STOPPED if state.is_terminal else DesiredState.RUNNING
    return make_execution(state, desired, id=name, listings=listings)


def draft_of(*executions: Execution) -> JobDraft:
    return JobDraft(make_snapshot(make_job(), *executions), START_NS)


def bid(draft: JobDraft, name: ExecutionID, listings: dict[str, str]) -> Execution:
    execution = next(each for each in draft.executions if each.id == name)
    message = BidResult(execution_id=name, accepted=True, listings=listings)
    assert lifecycle.answer(draft, execution, message)
    return next(each for each in draft.executions if each.id == name)


def test_the_first_bid_settles_the_listing() -> None:
    draft = draft_of(run(FIRST, ComputeState.NEW, {}), run(SECOND, ComputeState.NEW, {}))
    assert bid(draft, FIRST, X).listings == X
    assert bid(draft, SECOND, X).compute_state.state_type is ComputeState.BID_ACCEPTED


@pytest.mark.parametrize("state", [ComputeState.BID_ACCEPTED, ComputeState.COMPLETED])
def test_another_listing_ends_the_execution_for_good(state: ComputeState) -> None:
    """Both were asked before either had answered, and the second runs already."""
    draft = draft_of(run(FIRST, state, X), run(SECOND, ComputeState.NEW, {}))
    after = bid(draft, SECOND, Y)
    assert after.compute_state.state_type is ComputeState.FAILED
    assert after.compute_state.details["ErrorCode"] == "InputSources:InputListingChanged"
    assert "run the job again" in after.compute_state.details["Hint"]
    assert not lifecycle.may_retry(after)
    ((_, message),) = draft.changes(guard_job=True).messages
    assert isinstance(message, CancelExecution)
    result = RunResult(execution_id=SECOND, run_output=after.run_output)
    assert not lifecycle.answer(draft, after, result), "what it has done does not count"


@pytest.mark.parametrize(
    "state", [ComputeState.FAILED, ComputeState.CANCELLED, ComputeState.ASK_FOR_BID_REJECTED]
)
def test_what_does_not_count_settles_nothing(state: ComputeState) -> None:
    draft = draft_of(run(FIRST, state, X), run(SECOND, ComputeState.NEW, {}))
    assert bid(draft, SECOND, Y).listings == Y


def test_an_offer_tells_what_is_settled() -> None:
    draft = draft_of(run(FIRST, ComputeState.COMPLETED, X))
    lifecycle.create(draft, run(SECOND, ComputeState.NEW, {}))
    ((_, message),) = draft.changes(guard_job=True).messages
    assert isinstance(message, AskForBid)
    assert message.execution.listings == X
    assert draft.executions[-1].listings == {}


def test_inputs_are_compared_one_by_one() -> None:
    completed = Completed.of([run(FIRST, ComputeState.COMPLETED, X)])
    known = settled(completed, [run(SECOND, ComputeState.NEW, Y)])
    assert known == X
    assert contradiction(known, {"/in": "x", "/other": "z"}) is None
    found = contradiction(known, {"/other": "z", "/in": "y"})
    assert found is not None
    assert 'the input for "/in" has changed' in found.message
    assert not found.retryable
