"""Nodes that have a job's inputs: which is preferred, and how long a job waits for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bacalhau.lifecycle.connection import Presence
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Evaluation,
    EvaluationStatus,
    ExecutionID,
    InputSource,
    Job,
    JobState,
    JobType,
    NodeID,
    Resources,
    SpecConfig,
    State,
    TimeoutConfig,
)
from bacalhau.models.fingerprint import fingerprint
from bacalhau.protocol.messages import HeldInput
from bacalhau.scheduling.cluster import NodeView
from bacalhau.scheduling.counted import schedule_batch, schedule_service
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
    make_task,
)

GB = 1_000_000_000
DATA = SpecConfig(type="s3", params={"Bucket": "b", "Key": "data/*"})
MORE = SpecConfig(type="s3", params={"Bucket": "b", "Key": "more/*"})
FULL = Resources(cpu=6)
BUSY = Resources(cpu=4)
"""Room in the node's own queue alone."""


def job(*sources: SpecConfig, **changes: Any) -> Job:
    inputs = [InputSource(source=each, target=f"/{n}") for n, each in enumerate(sources or (DATA,))]
    return make_job(task=make_task(input_sources=inputs), **changes)


def holding(
    source: SpecConfig = DATA, held: int = GB, total: int = GB, part: tuple[int, int] = (0, 1)
) -> HeldInput:
    return HeldInput(fingerprint=fingerprint(source, *part), held_bytes=held, total_bytes=total)


def node(name: str, *held: HeldInput, **changes: Any) -> NodeView:
    return make_node(name, held={each.fingerprint: each for each in held}, **changes)


def look(
    of: Job,
    *nodes: NodeView,
    evaluation: Evaluation | None = None,
    after_seconds: float = 0,
    runs: tuple[Any, ...] = (),
    **context: Any,
) -> Plan:
    stored = evaluation or make_evaluation()
    around = make_context(*nodes, now_ns=START_NS + int(after_seconds * SECOND))
    scheduler = schedule_service if of.type is JobType.SERVICE else schedule_batch
    claim = Claim(stored, (stored,))
    return decide(scheduler, make_snapshot(of, *runs), claim, around._replace(**context))


def chosen(plan: Plan) -> list[NodeID]:
    return [booking.node_id for booking in plan.bookings]


def told(plan: Plan) -> list[str]:
    assert plan.changes is not None
    return [draft.event.message for draft in plan.changes.history]


# -- which node -------------------------------------------------------------------------


@pytest.mark.parametrize("held", [GB, GB // 2, 2 << 20])
def test_a_node_that_has_more_of_the_inputs_goes_before_one_with_more_room(held: int) -> None:
    near = node("n-1", holding(held=held), booked=Resources(cpu=3))
    assert chosen(look(job(), near, node("n-2"))) == ["n-1"]


def test_what_is_hardly_more_does_not_count() -> None:
    near = node("n-1", holding(held=1 << 20), booked=Resources(cpu=3))
    assert chosen(look(job(), near, node("n-2"))) == ["n-2"]


def test_other_inputs_do_not_count() -> None:
    near = node("n-1", holding(MORE), booked=Resources(cpu=3))
    assert chosen(look(job(), near, node("n-2"))) == ["n-2"]
    assert chosen(look(make_job(), near, node("n-2"))) == ["n-2"]


def test_all_inputs_count_together() -> None:
    first = node("n-1", holding(DATA, held=GB))
    second = node("n-2", holding(MORE, held=2 * GB, total=3 * GB))
    assert chosen(look(job(DATA, MORE), first, second)) == ["n-2"]


def test_a_node_with_an_older_listing_counts_what_that_lacks() -> None:
    old = node("n-1", holding(held=GB, total=GB))
    new = node("n-2", holding(held=GB, total=2 * GB))
    assert chosen(look(job(), old, new)) == ["n-1"]


def test_a_node_on_which_the_job_failed_comes_last_all_the_same() -> None:
    failed = make_execution(ComputeState.FAILED, DesiredState.STOPPED)
    plan = look(job(), node("n-1", holding()), node("n-2"), runs=(failed,))
    assert chosen(plan) == ["n-2"]


def test_each_partition_goes_where_its_part_is() -> None:
    divided = SpecConfig(type="s3", params={**DATA.params, "Partition": {"Type": "object"}})
    nodes = [node(f"n-{i}", holding(divided, part=(2 - i, 3))) for i in range(3)]
    plan = look(job(divided, count=3), *nodes)
    assert plan.changes is not None
    where = {run.partition_index: run.node_id for run in plan.changes.executions}
    assert where == {0: "n-2", 1: "n-1", 2: "n-0"}


# -- waiting ----------------------------------------------------------------------------


@pytest.mark.parametrize("booked", [FULL, BUSY], ids=["full", "with room in its own queue"])
@pytest.mark.parametrize("kind", [JobType.BATCH, JobType.SERVICE])
def test_a_job_waits_for_a_node_that_has_its_inputs(booked: Resources, kind: JobType) -> None:
    near = node("n-1", holding(held=GB * 6 // 10, total=GB), booked=booked)
    plan = look(job(type=kind), near, node("n-2"))

    assert chosen(plan) == []
    assert plan.next_deadline_ns == START_NS + 6 * SECOND
    assert told(plan) == [
        "Job queued. waiting up to 6 s for node n-1 which has 600 MB of the inputs"
    ]
    assert plan.changes is not None
    assert plan.changes.job is not None
    assert plan.changes.job.state.state_type is JobState.QUEUED
    (kept,) = plan.changes.evaluations
    assert (kept.status, kept.awaited_since) == (EvaluationStatus.BLOCKED, START_NS)
    assert plan.kept == kept


@pytest.mark.parametrize(
    ("held", "seconds"), [(64 << 20, 0.671), (GB // 2, 5), (GB, 10), (90 * GB, 10)]
)
def test_it_waits_as_long_as_fetching_would_take_and_no_longer_than_allowed(
    held: int, seconds: float
) -> None:
    near = node("n-1", holding(held=held, total=held), booked=FULL)
    until = look(job(), near, node("n-2")).next_deadline_ns
    assert until is not None
    assert (until - START_NS) / SECOND == pytest.approx(seconds, abs=0.001)


@pytest.mark.parametrize(
    "others",
    [
        [node("n-1", holding(held=(64 << 20) - 1, total=64 << 20), booked=FULL)],
        [node("n-1", holding(), booked=FULL), node("n-3", holding(held=GB - (60 << 20)))],
        [node("n-1", holding(), booked=FULL, presence=Presence.AWAITED)],
        [node("n-1", holding(), engines=frozenset({"docker"}))],
        [node("n-1", holding(), capacity=Resources(cpu=0.5))],
    ],
    ids=["too little", "another has most", "not connected", "never fits", "too small"],
)
def test_it_does_not_wait_where_that_is_not_worth_it(others: list[NodeView]) -> None:
    assert len(chosen(look(job(), *others, node("n-2")))) == 1


def test_nobody_waits_where_waiting_is_turned_off() -> None:
    plan = look(job(), node("n-1", holding(), booked=FULL), node("n-2"), locality_seconds=0)
    assert chosen(plan) == ["n-2"]


def test_it_takes_the_node_once_there_is_room() -> None:
    near = node("n-1", holding(), booked=FULL)
    waiting = look(job(), near, node("n-2"))
    freed = msgspec.structs.replace(near, booked=Resources())
    plan = look(job(), freed, node("n-2"), evaluation=waiting.kept, after_seconds=3)
    assert chosen(plan) == ["n-1"]
    assert plan.kept is None


def test_looks_in_between_neither_prolong_the_wait_nor_tell_it_again() -> None:
    nodes = node("n-1", holding(), booked=FULL), node("n-2")
    waiting = look(job(), *nodes)
    queued = job(state=State[JobState](state_type=JobState.QUEUED))
    plan = look(queued, *nodes, evaluation=waiting.kept, after_seconds=9)
    assert plan.changes is None
    assert plan.next_deadline_ns == START_NS + 10 * SECOND
    assert plan.blocked_shape == waiting.blocked_shape


def test_the_wait_is_remembered_when_something_else_asks_for_a_look() -> None:
    nodes = node("n-1", holding(), booked=FULL), node("n-2")
    kept = look(job(), *nodes).kept
    assert kept is not None
    other = make_evaluation(id="v-2")
    context = make_context(*nodes, now_ns=START_NS + 3 * SECOND)
    claim = Claim(other, (kept,))
    plan = decide(schedule_batch, make_snapshot(job()), claim, context)
    assert plan.kept is not None
    assert (plan.kept.id, plan.kept.awaited_since) == ("v-2", START_NS)
    assert plan.next_deadline_ns == START_NS + 10 * SECOND


def test_when_the_time_is_over_it_takes_another_node() -> None:
    nodes = node("n-1", holding(), booked=FULL), node("n-2")
    kept = look(job(), *nodes).kept
    assert chosen(look(job(), *nodes, evaluation=kept, after_seconds=10)) == ["n-2"]


def test_it_waits_once_although_there_was_no_room_at_all_in_between() -> None:
    near, far = node("n-1", holding(), booked=FULL), node("n-2")
    waiting = look(job(), near, far)
    crowded = msgspec.structs.replace(far, booked=FULL)
    assert waiting.changes is not None
    queued = waiting.changes.job
    assert queued is not None
    blocked = look(queued, near, crowded, evaluation=waiting.kept, after_seconds=10)
    assert blocked.kept is not None
    assert told(blocked)[0].startswith("Job queued. not enough nodes to run job.")
    assert blocked.changes is not None
    assert blocked.changes.job is not None
    assert "waiting" not in blocked.changes.job.state.message
    again = look(blocked.changes.job, near, crowded, evaluation=blocked.kept, after_seconds=20)
    assert again.changes is None, "told once"
    assert chosen(look(job(), near, far, evaluation=blocked.kept, after_seconds=99)) == ["n-2"]


def test_a_job_that_waited_for_any_room_may_still_wait_for_the_right_node() -> None:
    near, far = node("n-1", holding(), booked=FULL), node("n-2", booked=FULL)
    queued = look(job(), near, far)
    freed = msgspec.structs.replace(far, booked=Resources())
    state = State[JobState](state_type=JobState.QUEUED)
    plan = look(job(state=state), near, freed, evaluation=queued.kept, after_seconds=500)
    assert chosen(plan) == []
    assert told(plan) == [
        "Job queued. waiting up to 10 s for node n-1 which has 1.0 GB of the inputs"
    ]
    assert plan.blocked_shape != queued.blocked_shape


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [(TimeoutConfig(queue_timeout=4), 4), (TimeoutConfig(total_timeout=20), 2)],
    ids=["queue", "total"],
)
def test_no_time_out_comes_of_waiting(timeouts: TimeoutConfig, seconds: int) -> None:
    nodes = node("n-1", holding(), booked=FULL), node("n-2")
    wanted = job(timeouts=timeouts)
    waiting = look(wanted, *nodes)
    assert waiting.next_deadline_ns == START_NS + seconds * SECOND
    plan = look(wanted, *nodes, evaluation=waiting.kept, after_seconds=seconds)
    assert chosen(plan) == ["n-2"]


def test_executions_that_need_not_wait_are_placed() -> None:
    divided = SpecConfig(type="s3", params={**DATA.params, "Partition": {"Type": "object"}})
    near = node("n-1", holding(divided, part=(0, 3)), booked=FULL)
    far = node("n-2", holding(divided, part=(2, 3)))
    plan = look(job(divided, count=3), near, far)
    assert plan.changes is not None
    assert [run.partition_index for run in plan.changes.executions] == [1, 2]
    assert plan.blocked_shape is not None
    assert told(plan)[0].startswith("Job queued. waiting up to 10 s for node n-1")
    assert plan.changes.job is None, "it has an execution that goes on"


def test_a_huge_count_is_not_gone_through_to_wait() -> None:
    divided = SpecConfig(type="s3", params={**DATA.params, "Partition": {"Type": "object"}})
    held = [holding(divided, part=(index, 10**9)) for index in range(100)]
    plan = look(job(divided, count=10**9), node("n-1", *held, booked=FULL), node("n-2"))
    assert plan.blocked_shape is not None


def test_jobs_that_wait_for_one_node_speak_for_each_other_alone() -> None:
    near = node("n-1", holding(), holding(MORE), booked=FULL)
    shapes = {look(job(each), near, node("n-2")).blocked_shape for each in (DATA, MORE)}
    assert len(shapes) == 1
    assert look(job(), node("n-2", booked=FULL)).blocked_shape not in shapes


def test_a_running_execution_does_not_keep_the_next_from_waiting() -> None:
    live = make_execution(ComputeState.BID_ACCEPTED, id=ExecutionID("e-0"))
    wanted = job(count=2, state=State[JobState](state_type=JobState.RUNNING))
    plan = look(wanted, node("n-1", holding(), booked=FULL), node("n-2"), runs=(live,))
    assert chosen(plan) == []
    assert plan.changes is not None
    assert plan.changes.job is None
    assert len(told(plan)) == 1
