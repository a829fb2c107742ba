"""Service, ops and daemon jobs: what one look at a job decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.lifecycle.connection import Presence
from bacalhau.models import (
    ComputeState,
    DesiredState,
    ExecutionID,
    JobState,
    JobType,
    NodeID,
    Resources,
    State,
    TimeoutConfig,
)
from bacalhau.protocol.messages import AskForBid, CancelExecution
from bacalhau.scheduling.counted import schedule_service
from bacalhau.scheduling.daemon import schedule_daemon
from bacalhau.scheduling.ops import schedule_ops
from bacalhau.scheduling.plan import Claim
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

if TYPE_CHECKING:
    from bacalhau.lifecycle.changes import JobChanges
    from bacalhau.models import Job
    from bacalhau.scheduling.plan import Plan

CLAIM = Claim(make_evaluation())
RUNNING = State[JobState](state_type=JobState.RUNNING)
LIVE = (ComputeState.BID_ACCEPTED, DesiredState.RUNNING)
DONE = (ComputeState.COMPLETED, DesiredState.STOPPED)
FAILED = (ComputeState.FAILED, DesiredState.STOPPED)


def changes(plan: Plan) -> JobChanges:
    assert plan.changes is not None
    return plan.changes


def state(plan: Plan) -> JobState:
    job = changes(plan).job
    assert job is not None
    return job.state.state_type


def offered(plan: Plan) -> list[NodeID]:
    sent = changes(plan).messages
    return [node_id for node_id, message in sent if isinstance(message, AskForBid)]


# -- service -----------------------------------------------------------------------------


def service(**changed: Any) -> Job:
    return make_job(type=JobType.SERVICE, **changed)


def test_a_service_replaces_an_execution_that_ended() -> None:
    ended = make_execution(*FAILED, message="execution completed unexpectedly")

    plan = decide(
        schedule_service,
        make_snapshot(service(state=RUNNING), ended),
        CLAIM,
        make_context(make_node()),
    )

    assert offered(plan) == ["n-1"]


def test_a_service_never_ends_by_itself_and_knows_no_timeout() -> None:
    job = service(state=RUNNING, timeouts=TimeoutConfig(total_timeout=1, execution_timeout=1))
    late = make_context(make_node(), now_ns=START_NS + 3600 * SECOND)

    plan = decide(schedule_service, make_snapshot(job, make_execution(*LIVE)), CLAIM, late)

    assert plan.changes is None
    assert plan.next_deadline_ns is None


def test_a_service_of_count_zero_stops_what_runs_and_stays() -> None:
    snapshot = make_snapshot(service(count=0, state=RUNNING), make_execution(*LIVE))

    plan = decide(schedule_service, snapshot, CLAIM, make_context(make_node()))

    assert [type(message) for _, message in changes(plan).messages] == [CancelExecution]
    assert changes(plan).job is None


# -- ops ---------------------------------------------------------------------------------


def ops(**changed: Any) -> Job:
    return make_job(type=JobType.OPS, **changed)


def test_an_ops_job_starts_at_once_on_every_node_that_fits() -> None:
    context = make_context(
        make_node("n-1"),
        make_node("n-2", engines=frozenset({"docker"})),
        make_node("n-3", booked=Resources(cpu=6)),
        make_node("n-4", presence=Presence.AWAITED),
    )

    plan = decide(schedule_ops, make_snapshot(ops()), CLAIM, context)

    assert offered(plan) == ["n-1", "n-3"]
    assert state(plan) is JobState.RUNNING


def test_an_ops_job_without_a_fitting_node_fails_with_the_reasons() -> None:
    context = make_context(make_node("n-1", engines=frozenset({"docker"})))

    plan = decide(schedule_ops, make_snapshot(ops()), CLAIM, context)

    job = changes(plan).job
    assert job is not None
    assert (job.state.state_type, job.state.message.splitlines()) == (
        JobState.FAILED,
        [
            "not matching nodes to run job out of 1 available nodes.",
            "• Node n-1: does not support wasm, only docker",
        ],
    )


def test_an_ops_job_waits_for_nodes_that_are_expected_back() -> None:
    context = make_context(make_node(presence=Presence.AWAITED))

    plan = decide(schedule_ops, make_snapshot(ops()), CLAIM, context)

    assert state(plan) is JobState.QUEUED
    assert plan.blocked_shape is not None


def test_an_ops_job_ends_when_all_have_ended() -> None:
    done = make_execution(*DONE)
    live = make_execution(*LIVE, id=ExecutionID("e-2"), node_id=NodeID("n-2"))
    context = make_context(make_node("n-1"), make_node("n-2"))

    waits = decide(schedule_ops, make_snapshot(ops(state=RUNNING), done, live), CLAIM, context)
    ends = decide(schedule_ops, make_snapshot(ops(state=RUNNING), done), CLAIM, context)

    assert waits.changes is None
    assert state(ends) is JobState.COMPLETED


def test_an_ops_job_with_a_failure_fails_after_the_others_and_is_not_retried() -> None:
    done = make_execution(*DONE)
    failed = make_execution(*FAILED, id=ExecutionID("e-2"), node_id=NodeID("n-2"), message="boom")

    plan = decide(
        schedule_ops,
        make_snapshot(ops(state=RUNNING), done, failed),
        CLAIM,
        make_context(make_node("n-1"), make_node("n-2")),
    )

    job = changes(plan).job
    assert job is not None
    assert job.state.message == "Job failed because one or more executions failed: boom"
    assert changes(plan).executions == ()


def test_an_ops_job_that_every_node_refused_has_not_completed() -> None:
    refused = make_execution(ComputeState.ASK_FOR_BID_REJECTED, DesiredState.STOPPED)

    plan = decide(
        schedule_ops, make_snapshot(ops(state=RUNNING), refused), CLAIM, make_context(make_node())
    )

    assert state(plan) is JobState.FAILED


def test_the_total_timeout_of_an_ops_job_places_nothing_more() -> None:
    job = ops(timeouts=TimeoutConfig(total_timeout=10))
    late = make_context(make_node(), now_ns=START_NS + 10 * SECOND)

    plan = decide(schedule_ops, make_snapshot(job), CLAIM, late)

    assert state(plan) is JobState.FAILED
    assert changes(plan).executions == ()


# -- daemon ------------------------------------------------------------------------------


def daemon(**changed: Any) -> Job:
    return make_job(type=JobType.DAEMON, **changed)


def test_a_daemon_runs_once_on_each_node_and_on_those_that_join_later() -> None:
    live = make_execution(*LIVE)
    context = make_context(make_node("n-1"), make_node("n-2"))

    first = decide(schedule_daemon, make_snapshot(daemon()), CLAIM, context)
    later = decide(schedule_daemon, make_snapshot(daemon(state=RUNNING), live), CLAIM, context)

    assert offered(first) == ["n-1", "n-2"]
    assert offered(later) == ["n-2"]


def test_a_daemon_without_a_node_waits_without_failing() -> None:
    plan = decide(schedule_daemon, make_snapshot(daemon()), CLAIM, make_context())

    assert plan.changes is None
    assert plan.blocked_shape is None


def test_a_daemon_waits_for_room_on_a_busy_node() -> None:
    plan = decide(
        schedule_daemon,
        make_snapshot(daemon()),
        CLAIM,
        make_context(make_node(booked=Resources(cpu=6))),
    )

    assert plan.blocked_shape is not None
    assert plan.bookings == ()


def test_a_daemon_that_failed_is_tried_once_more_on_its_node() -> None:
    failures = [make_execution(*FAILED, id=ExecutionID(f"e-{n}")) for n in (1, 2)]
    context = make_context(make_node())

    second = decide(
        schedule_daemon, make_snapshot(daemon(state=RUNNING), failures[0]), CLAIM, context
    )
    third = decide(schedule_daemon, make_snapshot(daemon(state=RUNNING), *failures), CLAIM, context)

    assert offered(second) == ["n-1"]
    assert third.changes is None


def test_a_daemon_is_started_again_on_a_node_that_was_lost() -> None:
    live = make_execution(*LIVE)
    gone = make_context(make_node(presence=Presence.LOST))

    lost = decide(schedule_daemon, make_snapshot(daemon(state=RUNNING), live), CLAIM, gone)
    (given_up,) = changes(lost).executions
    back = decide(
        schedule_daemon,
        make_snapshot(daemon(state=RUNNING), given_up),
        CLAIM,
        make_context(make_node()),
    )

    assert given_up.compute_state.state_type is ComputeState.FAILED
    assert offered(back) == ["n-1"]
