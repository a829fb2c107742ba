"""What holds for every decision on a batch job, whatever the job and the cluster look like."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from bacalhau.lifecycle.changes import JobSnapshot
from bacalhau.lifecycle.connection import Presence
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Execution,
    ExecutionID,
    InputSource,
    Job,
    JobState,
    Membership,
    NodeID,
    Resources,
    SpecConfig,
    State,
    TimeoutConfig,
)
from bacalhau.models.fingerprint import fingerprint
from bacalhau.ports.store import WholeJob
from bacalhau.protocol.messages import HeldInput
from bacalhau.scheduling.cluster import Cluster, NodeView
from bacalhau.scheduling.counted import schedule_batch
from bacalhau.scheduling.feasibility import OVERSUBSCRIPTION
from bacalhau.scheduling.plan import Claim, Context, Plan
from tests.support.records import (
    SECOND,
    START_NS,
    decide,
    make_evaluation,
    make_execution,
    make_job,
    make_node,
    make_task,
)

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

DATA = SpecConfig(type="s3", params={"Bucket": "b"})
NODES = ("n-1", "n-2", "n-3")
STANDINGS = (
    (ComputeState.NEW, DesiredState.RUNNING),
    (ComputeState.BID_ACCEPTED, DesiredState.RUNNING),
    (ComputeState.ASK_FOR_BID_REJECTED, DesiredState.STOPPED),
    (ComputeState.COMPLETED, DesiredState.STOPPED),
    (ComputeState.FAILED, DesiredState.STOPPED),
    (ComputeState.CANCELLED, DesiredState.STOPPED),
)
CLAIM = Claim(make_evaluation())


@st.composite
def holdings(draw: DrawFn) -> dict[str, HeldInput]:
    held = draw(st.sampled_from([None, 0, 100_000_000, 1_000_000_000]))
    if held is None:
        return {}
    name = fingerprint(DATA)
    return {name: HeldInput(fingerprint=name, held_bytes=held, total_bytes=1_000_000_000)}


@st.composite
def nodes(draw: DrawFn) -> tuple[NodeView, ...]:
    names = draw(st.lists(st.sampled_from(NODES), unique=True))
    return tuple(
        make_node(
            name,
            presence=draw(st.sampled_from(Presence)),
            membership=draw(st.sampled_from([Membership.APPROVED, Membership.PENDING])),
            engines=draw(st.sampled_from([frozenset({"wasm"}), frozenset({"docker"})])),
            capacity=Resources(cpu=draw(st.integers(0, 4)), memory=4_000_000_000),
            booked=Resources(cpu=draw(st.integers(0, 4))),
            held=draw(holdings()),
        )
        for name in names
    )


@st.composite
def executions(draw: DrawFn) -> tuple[Execution, ...]:
    standings = draw(st.lists(st.sampled_from(STANDINGS), max_size=5))
    return tuple(
        make_execution(
            compute,
            desired,
            id=ExecutionID(f"e-{number}"),
            node_id=NodeID(draw(st.sampled_from(NODES))),
            details=draw(st.sampled_from([{}, {"Retryable": "false"}, {"Cause": "NodeLost"}])),
            partition_index=draw(st.integers(0, 4)),
            create_time=START_NS + draw(st.integers(0, 100)),
        )
        for number, (compute, desired) in enumerate(standings)
    )


@st.composite
def jobs(draw: DrawFn) -> Job:
    reads = InputSource(source=DATA, target="/inputs")
    return make_job(
        task=make_task(input_sources=draw(st.sampled_from([[], [reads]]))),
        count=draw(st.integers(0, 4)),
        state=State[JobState](
            state_type=draw(
                st.sampled_from(
                    [JobState.PENDING, JobState.QUEUED, JobState.RUNNING, JobState.STOPPED]
                )
            )
        ),
        timeouts=TimeoutConfig(
            total_timeout=draw(st.sampled_from([0, 60])),
            queue_timeout=draw(st.sampled_from([0, 5, 50])),
        ),
    )


@st.composite
def situations(draw: DrawFn) -> tuple[WholeJob, Context]:
    numbers = itertools.count(100)
    whole = WholeJob(job=draw(jobs()), executions=draw(executions()))
    context = Context(
        cluster=Cluster(nodes=draw(nodes())),
        now_ns=START_NS + draw(st.sampled_from([0, 10, 100])) * SECOND,
        draw=lambda: 0.5,
        new_execution_id=lambda: ExecutionID(f"e-{next(numbers)}"),
    )
    return whole, context


def look(whole: WholeJob, claim: Claim, context: Context) -> Plan:
    """Decide on what a store tells of a job for that."""
    snapshot = JobSnapshot.of(whole.job, whole.executions, 1)
    return decide(schedule_batch, snapshot, claim, context)


def after(whole: WholeJob, plan: Plan) -> WholeJob:
    """Return what a store holds once a plan is applied."""
    if plan.changes is None:
        return whole
    merged = {run.id: run for run in (*whole.executions, *plan.changes.executions)}
    return WholeJob(job=plan.changes.job or whole.job, executions=tuple(merged.values()))


@settings(deadline=None)
@given(situations())
def test_a_new_execution_works_on_a_partition_that_nobody_has(
    situation: tuple[WholeJob, Context],
) -> None:
    whole, context = situation
    result = after(whole, look(whole, CLAIM, context))

    known = {run.id for run in whole.executions}
    held = {
        run.partition_index
        for run in whole.executions
        if run.compute_state.state_type is ComputeState.COMPLETED
        or (run in result.executions and not run.is_terminal)
    }
    new = [run.partition_index for run in result.executions if run.id not in known]
    assert len(set(new)) == len(new)
    assert not held & set(new)
    assert all(0 <= index < whole.job.count for index in new)


@given(situations())
def test_no_more_executions_than_the_job_wants(situation: tuple[WholeJob, Context]) -> None:
    whole, context = situation
    result = after(whole, look(whole, CLAIM, context))

    live = [run for run in result.executions if not run.is_terminal]
    done = [
        run for run in whole.executions if run.compute_state.state_type is ComputeState.COMPLETED
    ]
    assert len(live) <= max(0, whole.job.count - len(done))


@given(situations())
def test_a_job_that_has_ended_has_nothing_live_and_stays_as_it_is(
    situation: tuple[WholeJob, Context],
) -> None:
    whole, context = situation
    result = after(whole, look(whole, CLAIM, context))

    if result.job.is_terminal:
        assert all(run.is_terminal for run in result.executions)
    if whole.job.is_terminal:
        assert result.job == whole.job


@given(situations())
def test_executions_are_only_placed_where_they_fit(
    situation: tuple[WholeJob, Context],
) -> None:
    whole, context = situation
    plan = look(whole, CLAIM, context)

    views = {node.node_id: node for node in context.cluster.nodes}
    booked = {node_id: node.booked for node_id, node in views.items()}
    for booking in plan.bookings:
        node = views[booking.node_id]
        booked[booking.node_id] += booking.resources
        assert node.presence is Presence.CONNECTED
        assert node.membership is Membership.APPROVED
        assert "wasm" in node.engines
        assert booked[booking.node_id].fits_into(node.capacity.scaled(OVERSUBSCRIPTION))


@settings(deadline=None)
@given(situations())
def test_a_job_waits_for_its_inputs_for_a_bounded_time_and_once(
    situation: tuple[WholeJob, Context],
) -> None:
    whole, context = situation
    first = look(whole, CLAIM, context)
    if first.kept is None or not first.kept.awaited_since:
        return
    until = first.next_deadline_ns
    assert until is not None
    assert context.now_ns < until <= context.now_ns + context.locality_seconds * SECOND

    claim = Claim(first.kept, (first.kept,))
    second = look(after(whole, first), claim, context._replace(now_ns=until))
    assert second.bookings
    assert second.next_deadline_ns is None or second.next_deadline_ns > until


@given(situations())
def test_what_has_ended_is_not_touched(situation: tuple[WholeJob, Context]) -> None:
    whole, context = situation
    plan = look(whole, CLAIM, context)

    ended = {run.id for run in whole.executions if run.is_terminal}
    changed = {run.id for run in plan.changes.executions} if plan.changes else set()
    assert not ended & changed


@given(situations())
def test_a_second_look_without_news_decides_nothing(
    situation: tuple[WholeJob, Context],
) -> None:
    whole, context = situation
    first = look(whole, CLAIM, context)
    booked = {
        node.node_id: sum(
            (item.resources for item in first.bookings if item.node_id == node.node_id),
            node.booked,
        )
        for node in context.cluster.nodes
    }
    nodes_then = tuple(
        make_node(
            node.node_id,
            presence=node.presence,
            membership=node.membership,
            engines=node.engines,
            capacity=node.capacity,
            booked=booked[node.node_id],
            held=node.held,
        )
        for node in context.cluster.nodes
    )
    kept = first.changes.evaluations[-1] if first.blocked_shape and first.changes else None
    claim = Claim(kept, (kept,)) if kept else CLAIM

    second = look(after(whole, first), claim, context._replace(cluster=Cluster(nodes=nodes_then)))

    if second.changes is not None:
        assert second.changes.executions == ()
        assert second.changes.job is None


@given(situations())
def test_a_job_that_goes_on_has_something_to_wait_for(
    situation: tuple[WholeJob, Context],
) -> None:
    whole, context = situation
    plan = look(whole, CLAIM, context)
    result = after(whole, plan)

    if not result.job.is_terminal:
        live = any(not run.is_terminal for run in result.executions)
        assert live or plan.blocked_shape is not None
