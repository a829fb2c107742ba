"""The node's own copy of an execution: every step in every state."""

from __future__ import annotations

import pytest

from bacalhau.lifecycle.local import Refusal, Step, next_state
from bacalhau.models import ComputeState

LIVE = [
    ComputeState.NEW,
    ComputeState.BID_ACCEPTED,
    ComputeState.RUNNING,
    ComputeState.PUBLISHING,
]
ENDED = [state for state in ComputeState if state.is_terminal]

ALLOWED = {
    (ComputeState.NEW, Step.BID): ComputeState.BID_ACCEPTED,
    (ComputeState.NEW, Step.REFUSED): ComputeState.ASK_FOR_BID_REJECTED,
    (ComputeState.BID_ACCEPTED, Step.BEGUN): ComputeState.BID_ACCEPTED,
    (ComputeState.RUNNING, Step.BEGUN): ComputeState.RUNNING,
    (ComputeState.BID_ACCEPTED, Step.STARTED): ComputeState.RUNNING,
    (ComputeState.RUNNING, Step.STARTED): ComputeState.RUNNING,
    (ComputeState.RUNNING, Step.TASK_ENDED): ComputeState.PUBLISHING,
    (ComputeState.RUNNING, Step.COMPLETED): ComputeState.COMPLETED,
    (ComputeState.PUBLISHING, Step.COMPLETED): ComputeState.COMPLETED,
    (ComputeState.NEW, Step.FAILED): ComputeState.FAILED,
    (ComputeState.BID_ACCEPTED, Step.FAILED): ComputeState.FAILED,
    (ComputeState.RUNNING, Step.FAILED): ComputeState.FAILED,
    (ComputeState.PUBLISHING, Step.FAILED): ComputeState.FAILED,
    **{(state, Step.CANCELLED): ComputeState.CANCELLED for state in LIVE},
}


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", LIVE)
def test_each_step_in_each_live_state(state: ComputeState, step: Step) -> None:
    refused = Refusal.KNOWN if step is Step.OFFERED else Refusal.OUT_OF_TURN
    assert next_state(state, step) is ALLOWED.get((state, step), refused)


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", ENDED)
def test_an_end_is_final(state: ComputeState, step: Step) -> None:
    assert next_state(state, step) is Refusal.ENDED


@pytest.mark.parametrize("step", Step)
def test_only_an_offer_makes_an_execution_known(step: Step) -> None:
    expected = ComputeState.NEW if step is Step.OFFERED else Refusal.UNKNOWN
    assert next_state(None, step) is expected
