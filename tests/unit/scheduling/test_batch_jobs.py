"""Batch jobs: what one look at a job decides."""

from __future__ import annotations

import msgspec
import pytest

from bacalhau.lifecycle.changes import JobChanges
from bacalhau.lifecycle.connection import Presence
from bacalhau.lifecycle.execution import LOST
from bacalhau.models import (
    ComputeState,
    DesiredState,
    EvaluationStatus,
    JobState,
    Resources,
    State,
    TimeoutConfig,
)
from bacalhau.protocol.messages import AskForBid, CancelExecution
from bacalhau.scheduling.counted import schedule_batch
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

STORED = make_evaluation()
CLAIM = Claim(STORED, (STORED,))
RUNNING = State[JobState](state_type=JobState.RUNNING)
WANTED = DesiredState.RUNNING
FULL = make_node(booked=Resources(cpu=6))


def changes(plan: Plan) -> JobChanges:
    assert plan.changes is not None
    return plan.changes


def job_state(plan: Plan) -> tuple[JobState, str]:
    job = changes(plan).job
    assert job is not None
    return job.state.state_type, job.state.message


def events(plan: Plan) -> list[str]:
    return [draft.event.message for draft in changes(plan).history]


def test_a_new_job_is_offered_to_a_node() -> None:
    plan = decide(schedule_batch, make_snapshot(make_job()), CLAIM, make_context(make_node()))

    (run,) = changes(plan).executions
    assert (run.node_id, run.compute_state.state_type) == ("n-1", ComputeState.NEW)
    ((node_id, message),) = changes(plan).messages
    assert node_id == "n-1"
    assert isinstance(message, AskForBid)
    assert message.execution.job == make_job()
    assert events(plan) == ["Requested execution on n-1"]
    assert [(b.execution_id, b.resources.cpu) for b in plan.bookings] == [("e-100", 1)]
    assert changes(plan).job is None


def test_the_evaluation_is_dropped_with_the_decision() -> None:
    plan = decide(schedule_batch, make_snapshot(make_job()), CLAIM, make_context(make_node()))

    assert [item.status for item in changes(plan).evaluations] == [EvaluationStatus.COMPLETE]


def test_a_decision_holds_only_for_what_it_saw() -> None:
    snapshot = make_snapshot(make_job(), generation=7)

    plan = decide(schedule_batch, snapshot, CLAIM, make_context(make_node()))

    assert changes(plan).expected_generation == 7


def test_what_a_job_has_too_many_of_is_cancelled_youngest_first() -> None:
    runs = [
        # The clock was set back meanwhile: the youngest has the earliest date.
        make_execution(ComputeState.BID_ACCEPTED, id=f"e-{age}", create_time=START_NS + age)
        for age in (3, 2, 1)
    ]
    job = make_job(state=RUNNING, count=2)

    plan = decide(schedule_batch, make_snapshot(job, *runs), CLAIM, make_context(make_node()))

    (run,) = changes(plan).executions
    assert (run.id, run.compute_state.state_type) == ("e-1", ComputeState.CANCELLED)
    assert changes(plan).messages == (
        ("n-1", CancelExecution(execution_id=run.id, reason=run.compute_state.message)),
    )
    assert events(plan) == [
        "Execution stop requested because there are more executions than needed"
    ]


def test_an_execution_that_its_node_agreed_to_stays_before_one_that_is_asked_for() -> None:
    asked = make_execution(create_time=START_NS - 1)
    agreed = make_execution(ComputeState.BID_ACCEPTED, id="e-2")
    snapshot = make_snapshot(make_job(state=RUNNING), asked, agreed)

    plan = decide(schedule_batch, snapshot, CLAIM, make_context(make_node()))

    assert [run.id for run in changes(plan).executions] == ["e-1"]


def test_the_job_completes_when_enough_executions_have() -> None:
    done = make_execution(ComputeState.COMPLETED, DesiredState.STOPPED)
    job = make_job(state=RUNNING, revision=2)

    plan = decide(schedule_batch, make_snapshot(job, done), CLAIM, make_context(make_node()))

    assert job_state(plan) == (JobState.COMPLETED, "")
    assert changes(plan).job.revision == 3  # type: ignore[union-attr]
    assert plan.next_deadline_ns is None


def test_a_job_of_count_zero_completes_at_once() -> None:
    plan = decide(schedule_batch, make_snapshot(make_job(count=0)), CLAIM, make_context())

    assert job_state(plan)[0] is JobState.COMPLETED


def test_several_executions_spread_over_nodes_before_they_share_one() -> None:
    context = make_context(make_node("n-1"), make_node("n-2"))

    plan = decide(schedule_batch, make_snapshot(make_job(count=3)), CLAIM, context)

    nodes = sorted(run.node_id for run in changes(plan).executions)
    assert set(nodes) == {"n-1", "n-2"}
    assert len(nodes) == 3


def test_nothing_is_written_when_nothing_changes() -> None:
    run = make_execution(ComputeState.BID_ACCEPTED, WANTED)

    plan = decide(
        schedule_batch,
        make_snapshot(make_job(state=RUNNING), run),
        Claim(make_evaluation()),
        make_context(make_node()),
    )

    assert plan.changes is None


# -- nodes that do not fit ---------------------------------------------------------------


def test_without_any_fitting_node_the_job_fails_with_the_reasons_counted() -> None:
    context = make_context(
        make_node("n-1", engines=frozenset({"docker"})),
        make_node("n-2", engines=frozenset({"docker"})),
        make_node("n-3", capacity=Resources(cpu=0.5, memory=8_000_000_000)),
    )

    plan = decide(schedule_batch, make_snapshot(make_job()), CLAIM, context)

    state, message = job_state(plan)
    assert state is JobState.FAILED
    assert message.splitlines() == [
        "not enough nodes to run job. requested: 1, available: 3, suitable: 0.",
        "• 2 of 3 nodes: does not support wasm, only docker",
        "• Node n-3: job requires more CPU (1) than the maximum available (0.5)",
    ]
    assert changes(plan).executions == ()


def test_the_reason_for_each_rejected_node_is_kept() -> None:
    context = make_context(make_node("n-1", engines=frozenset()), make_node("n-2"))

    plan = decide(schedule_batch, make_snapshot(make_job(count=2)), CLAIM, context)

    reasons = {verdict.node.node_id: verdict.reason for verdict in plan.verdicts}
    assert reasons == {"n-1": "does not support wasm, only nothing", "n-2": ""}


def test_a_job_waits_for_a_busy_node_without_limit() -> None:
    plan = decide(schedule_batch, make_snapshot(make_job()), CLAIM, make_context(FULL))

    state, message = job_state(plan)
    assert state is JobState.QUEUED
    assert message.startswith("Job queued. not enough nodes to run job.")
    assert plan.blocked_shape is not None
    assert [item.status for item in changes(plan).evaluations] == [EvaluationStatus.BLOCKED]


def test_equal_jobs_wait_under_one_shape() -> None:
    other = make_job(id="j-2", name="other")

    plans = [
        decide(schedule_batch, make_snapshot(job), CLAIM, make_context(FULL))
        for job in (make_job(), other)
    ]

    assert plans[0].blocked_shape == plans[1].blocked_shape


def test_a_job_that_waits_already_writes_nothing_more() -> None:
    blocked = msgspec.structs.replace(STORED, status=EvaluationStatus.BLOCKED)
    job = make_job(state=State[JobState](state_type=JobState.QUEUED))

    plan = decide(
        schedule_batch, make_snapshot(job), Claim(blocked, (blocked,)), make_context(FULL)
    )

    assert plan.changes is None
    assert plan.blocked_shape is not None


def test_a_queue_timeout_ends_the_wait() -> None:
    job = make_job(timeouts=TimeoutConfig(queue_timeout=10))
    late = START_NS + 10 * SECOND

    waits = decide(schedule_batch, make_snapshot(job), CLAIM, make_context(FULL))
    fails = decide(schedule_batch, make_snapshot(job), CLAIM, make_context(FULL, now_ns=late))

    assert job_state(waits)[0] is JobState.QUEUED
    assert waits.next_deadline_ns == late
    assert job_state(fails)[0] is JobState.FAILED


def test_a_queue_timeout_also_waits_for_nodes_that_do_not_exist_yet() -> None:
    job = make_job(timeouts=TimeoutConfig(queue_timeout=10))

    plan = decide(schedule_batch, make_snapshot(job), CLAIM, make_context())

    assert job_state(plan)[0] is JobState.QUEUED


# -- failures and losses -----------------------------------------------------------------


def test_a_failed_execution_is_tried_again() -> None:
    failed = make_execution(ComputeState.FAILED, DesiredState.STOPPED, message="boom")

    plan = decide(
        schedule_batch,
        make_snapshot(make_job(state=RUNNING), failed),
        CLAIM,
        make_context(make_node()),
    )

    assert [run.id for run in changes(plan).executions] == ["e-100"]


def test_a_permanent_failure_ends_the_job_with_its_own_message() -> None:
    failed = make_execution(
        ComputeState.FAILED,
        DesiredState.STOPPED,
        message="no such key",
        details={"Retryable": "false", "Hint": "check the key"},
    )

    plan = decide(
        schedule_batch,
        make_snapshot(make_job(state=RUNNING), failed),
        CLAIM,
        make_context(make_node()),
    )

    assert job_state(plan) == (JobState.FAILED, "no such key")
    (draft,) = changes(plan).history
    assert draft.event.details["Hint"] == "check the key"


def test_two_failures_on_the_only_node_end_the_job() -> None:
    failures = [
        make_execution(ComputeState.FAILED, DesiredState.STOPPED, id=f"e-{n}", message="boom")
        for n in (1, 2)
    ]

    plan = decide(
        schedule_batch,
        make_snapshot(make_job(state=RUNNING), *failures),
        CLAIM,
        make_context(make_node()),
    )

    assert job_state(plan) == (
        JobState.FAILED,
        "Job failed because it has been retried too many times: boom",
    )


def test_an_execution_on_a_lost_node_is_given_up_and_replaced() -> None:
    run = make_execution(ComputeState.BID_ACCEPTED, WANTED, node_id="n-gone")

    plan = decide(
        schedule_batch,
        make_snapshot(make_job(state=RUNNING), run),
        CLAIM,
        make_context(make_node()),
    )

    lost, replacement = changes(plan).executions
    assert lost.compute_state.state_type is ComputeState.FAILED
    assert lost.compute_state.message == "Execution stop requested because node has disappeared"
    assert replacement.node_id == "n-1"
    kinds = [(node_id, type(message)) for node_id, message in changes(plan).messages]
    assert kinds == [("n-gone", CancelExecution), ("n-1", AskForBid)]


def test_the_loss_of_a_node_is_not_held_against_the_job() -> None:
    losses = [
        make_execution(
            ComputeState.FAILED, DesiredState.STOPPED, id=f"e-{n}", details={"Cause": LOST}
        )
        for n in range(3)
    ]

    plan = decide(
        schedule_batch,
        make_snapshot(make_job(state=RUNNING), *losses),
        CLAIM,
        make_context(make_node()),
    )

    assert len(changes(plan).executions) == 1


def test_a_node_not_heard_of_since_the_start_keeps_its_executions() -> None:
    run = make_execution(ComputeState.BID_ACCEPTED, WANTED)
    context = make_context(make_node(presence=Presence.AWAITED))

    plan = decide(
        schedule_batch,
        make_snapshot(make_job(state=RUNNING), run),
        Claim(make_evaluation()),
        context,
    )

    assert plan.changes is None


def test_a_node_that_refused_the_job_is_not_asked_again() -> None:
    refused = make_execution(
        ComputeState.ASK_FOR_BID_REJECTED, DesiredState.STOPPED, message="rejected bid: too big"
    )

    plan = decide(
        schedule_batch, make_snapshot(make_job(), refused), CLAIM, make_context(make_node())
    )

    state, message = job_state(plan)
    assert state is JobState.FAILED
    assert "• Node n-1: rejected bid: too big" in message


# -- time and stop -----------------------------------------------------------------------


def test_the_total_timeout_fails_the_job_and_cancels_what_runs() -> None:
    job = make_job(state=RUNNING, timeouts=TimeoutConfig(total_timeout=60))
    run = make_execution(ComputeState.BID_ACCEPTED, WANTED)
    context = make_context(make_node(), now_ns=START_NS + 60 * SECOND)

    plan = decide(schedule_batch, make_snapshot(job, run), CLAIM, context)

    assert job_state(plan) == (JobState.FAILED, "Job timed out. Job took longer than 1m0s")
    assert [type(message) for _, message in changes(plan).messages] == [CancelExecution]


@pytest.mark.parametrize(("seconds", "replaced"), [(129, False), (130, True)])
def test_a_silent_execution_is_given_up_two_minutes_after_its_timeout(
    seconds: int, replaced: bool
) -> None:
    job = make_job(state=RUNNING, timeouts=TimeoutConfig(execution_timeout=10))
    run = make_execution(ComputeState.BID_ACCEPTED, WANTED)
    context = make_context(make_node(), now_ns=START_NS + seconds * SECOND)

    plan = decide(schedule_batch, make_snapshot(job, run), Claim(make_evaluation()), context)

    assert (plan.changes is not None) is replaced
    assert replaced or plan.next_deadline_ns == START_NS + 130 * SECOND


def test_a_stopped_job_cancels_every_live_execution() -> None:
    job = make_job(state=State[JobState](state_type=JobState.STOPPED))
    live = make_execution(ComputeState.BID_ACCEPTED, WANTED)
    ended = make_execution(ComputeState.COMPLETED, DesiredState.STOPPED, id="e-2")

    plan = decide(schedule_batch, make_snapshot(job, live, ended), CLAIM, make_context(make_node()))

    (run,) = changes(plan).executions
    assert (run.id, run.compute_state.state_type) == ("e-1", ComputeState.CANCELLED)
    assert changes(plan).job is None
    assert events(plan) == ["Execution stop requested because job has been stopped"]
