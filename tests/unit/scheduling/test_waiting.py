"""Jobs that wait: when they are looked at again, and who speaks for whom."""

from __future__ import annotations

import msgspec
import pytest

from bacalhau.models import (
    ComputeState,
    DesiredState,
    Execution,
    ExecutionID,
    JobState,
    Resources,
    State,
    TimeoutConfig,
)
from bacalhau.scheduling.counted import schedule_batch
from bacalhau.scheduling.deadlines import next_deadline
from bacalhau.scheduling.plan import Claim, Plan
from tests.support.records import (
    SECOND,
    START_NS,
    decide,
    make_context,
    make_evaluation,
    make_execution,
    make_job,
    make_node,
    make_snapshot,
)

QUEUED = State[JobState](state_type=JobState.QUEUED)
WAITING = msgspec.structs.replace(
    make_job(count=2, timeouts=TimeoutConfig(queue_timeout=60)), state=QUEUED
)
QUEUE_DEADLINE = START_NS + 60 * SECOND


@pytest.mark.parametrize(
    "placed", [make_execution(), make_execution(ComputeState.BID_ACCEPTED, DesiredState.RUNNING)]
)
def test_the_queue_deadline_counts_until_everything_is_placed(placed: Execution) -> None:
    assert next_deadline(WAITING, [], 0) == QUEUE_DEADLINE
    assert next_deadline(WAITING, [placed], 0) == QUEUE_DEADLINE
    assert next_deadline(WAITING, [], 1) == QUEUE_DEADLINE
    assert next_deadline(WAITING, [placed], 1) is None


def test_a_failed_execution_is_not_placed() -> None:
    failed = make_execution(ComputeState.FAILED, DesiredState.STOPPED)
    assert next_deadline(WAITING, [failed], 1) == QUEUE_DEADLINE


def test_a_bid_that_is_late_does_not_keep_the_scheduler_busy() -> None:
    asked = [make_execution(id=ExecutionID(f"e-{number}")) for number in (1, 2)]
    context = make_context(make_node(), now_ns=QUEUE_DEADLINE + SECOND)

    plan = decide(schedule_batch, make_snapshot(WAITING, *asked), claim(), context)

    assert plan.changes is None or plan.changes.job is None
    assert plan.next_deadline_ns is None


def claim() -> Claim:
    return Claim(make_evaluation())


def blocked_shape(*failures: str) -> bytes | None:
    """Look at a job that failed twice on each of these nodes, while all nodes are busy."""
    runs = [
        make_execution(
            ComputeState.FAILED,
            DesiredState.STOPPED,
            id=ExecutionID(f"e-{node}-{attempt}"),
            node_id=node,
        )
        for node in failures
        for attempt in (1, 2)
    ]
    busy = [make_node(name, booked=Resources(cpu=6)) for name in ("n-1", "n-2")]
    plan: Plan = decide(
        schedule_batch, make_snapshot(make_job(), *runs), claim(), make_context(*busy)
    )
    return plan.blocked_shape


def test_a_job_that_has_used_up_a_node_does_not_speak_for_one_that_has_not() -> None:
    assert blocked_shape() is not None
    assert blocked_shape() == blocked_shape()
    assert blocked_shape() != blocked_shape("n-1")
    assert blocked_shape("n-1") != blocked_shape("n-2")
