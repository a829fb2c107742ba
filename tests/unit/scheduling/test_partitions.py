"""Which partition of a job each of its executions works on."""

from __future__ import annotations

import pytest

from bacalhau.lifecycle.execution import LOST
from bacalhau.models import ComputeState, DesiredState, Execution, JobState, JobType, State
from bacalhau.scheduling.counted import schedule_batch, schedule_service
from bacalhau.scheduling.daemon import schedule_daemon
from bacalhau.scheduling.ops import schedule_ops
from bacalhau.scheduling.plan import Claim, Scheduler
from tests.support.records import (
    decide,
    make_context,
    make_evaluation,
    make_execution,
    make_job,
    make_node,
    make_snapshot,
)

RUNNING = State[JobState](state_type=JobState.RUNNING)
ACCEPTED = ComputeState.BID_ACCEPTED


def attempt(index: int, compute: ComputeState, **changes: object) -> Execution:
    desired = DesiredState.STOPPED if compute.is_terminal else DesiredState.RUNNING
    fields = {"id": f"e-{index}", "partition_index": index, **changes}
    return make_execution(compute, desired, **fields)  # type: ignore[arg-type]


def placed(scheduler: Scheduler, *runs: Execution, count: int = 3, **job: object) -> list[int]:
    """Return the partitions of the executions that one look creates, in their order."""
    snapshot = make_snapshot(make_job(count=count, state=RUNNING, **job), *runs)  # type: ignore[arg-type]
    context = make_context(make_node("n-1"), make_node("n-2"))
    plan = decide(scheduler, snapshot, Claim(make_evaluation()), context)
    known = {run.id for run in runs}
    assert plan.changes is not None
    return [run.partition_index for run in plan.changes.executions if run.id not in known]


@pytest.mark.parametrize("scheduler", [schedule_batch, schedule_service])
def test_each_execution_gets_a_partition_of_its_own(scheduler: Scheduler) -> None:
    assert placed(scheduler) == [0, 1, 2]


@pytest.mark.parametrize(
    "ended",
    [
        attempt(1, ComputeState.FAILED),
        attempt(1, ComputeState.FAILED, details={"Cause": LOST}),
        attempt(1, ComputeState.ASK_FOR_BID_REJECTED),
        attempt(1, ComputeState.CANCELLED),
    ],
    ids=["failed", "lost", "refused", "cancelled"],
)
@pytest.mark.parametrize("scheduler", [schedule_batch, schedule_service])
def test_a_replacement_works_on_the_same_partition(scheduler: Scheduler, ended: Execution) -> None:
    others = attempt(0, ACCEPTED), attempt(2, ACCEPTED)
    assert placed(scheduler, others[0], ended, others[1]) == [1]


def test_a_partition_that_is_done_is_not_done_again() -> None:
    runs = attempt(0, ComputeState.COMPLETED), attempt(1, ComputeState.FAILED)
    assert placed(schedule_batch, *runs) == [1, 2]


def test_what_has_no_room_yet_keeps_its_partition_for_later() -> None:
    assert placed(schedule_batch, count=20) == list(range(12))  # two nodes have room for six each
    assert placed(schedule_batch, attempt(0, ACCEPTED), attempt(7, ACCEPTED), count=9) == [
        1, 2, 3, 4, 5, 6, 8
    ]  # fmt: skip


def test_executions_of_an_earlier_release_all_had_partition_0() -> None:
    runs = [attempt(0, ACCEPTED, id=f"e-{number}") for number in range(2)]
    assert placed(schedule_batch, *runs) == [1]


@pytest.mark.parametrize(
    ("scheduler", "kind"), [(schedule_ops, JobType.OPS), (schedule_daemon, JobType.DAEMON)]
)
def test_jobs_on_every_node_are_not_divided(scheduler: Scheduler, kind: JobType) -> None:
    assert placed(scheduler, type=kind) == [0, 0]
