"""What every store checks before it writes, as pure functions over what it has stored.

A store reads the heads of the records that a transaction touches, asks here whether the transaction
still fits, and writes. So all stores refuse the same things with the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import ConflictError, StaleWriteError
from bacalhau.lib.timestamps import rfc3339
from bacalhau.models import (
    Evaluation,
    EvaluationStatus,
    HistoryType,
    Job,
    JobHistory,
    JobID,
    NodeID,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bacalhau.lifecycle.changes import JobChanges
    from bacalhau.models import Execution, ExecutionID
    from bacalhau.ports.store import LocalChanges, LocalExecution

JOB_STORE = "JobStore"
EXECUTION_STORE = "ExecutionStore"
_AGAIN = "Nothing was stored. Load the current state and decide again."


class JobHead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a store must know of a job to judge a transaction on it.

    ``events`` is the sequence number of the job's last history entry, 0 when it has none. The
    other three are what nothing may change, but that a job ends.
    """

    revision: int
    generation: int
    events: int
    namespace: str
    create_time: int
    is_ended: bool


class ExecutionHead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a store must know of an execution to judge a transaction on it."""

    job_id: JobID
    node_id: NodeID
    revision: int
    is_ended: bool


class LocalHead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a compute node's store must know of a record to judge a transaction on it."""

    revision: int
    is_ended: bool


def job_head_after(
    changes: JobChanges,
    stored: JobHead | None,
    executions: Mapping[ExecutionID, ExecutionHead],
) -> JobHead:
    """Judge a transaction and return the head that the job has after it.

    ``executions`` holds those of the transaction's executions that are stored already.

    Raises:
        ConflictError: code ``ResourceInUse``, when a new job's id is taken.
        StaleWriteError: a revision or the generation has moved on.
    """
    if changes.job is not None and changes.job.revision == 1 and stored is not None:
        raise ConflictError(f"job already exists: {changes.job_id}", component=JOB_STORE)
    generation = stored.generation if stored else 0
    if changes.expected_generation not in (None, generation):
        raise StaleWriteError(
            f"job {changes.job_id} is at generation {generation}, "
            f"but this change was decided at generation {changes.expected_generation}",
            hint=_AGAIN,
            component=JOB_STORE,
        )
    revision = _job_revision_after(changes, stored.revision if stored else 0)
    revisions = {execution_id: head.revision for execution_id, head in executions.items()}
    _check_executions(changes.executions, revisions, JOB_STORE)
    _assert_lasting(changes, stored, executions)
    kept = changes.job or stored
    assert kept is not None, "a change to a job that is not stored is refused"
    return JobHead(
        revision=revision,
        generation=generation + (not changes.is_for_the_record),
        events=(stored.events if stored else 0) + len(changes.history),
        namespace=kept.namespace,
        create_time=kept.create_time,
        is_ended=kept.is_terminal if isinstance(kept, Job) else kept.is_ended,
    )


def _assert_lasting(
    changes: JobChanges, stored: JobHead | None, executions: Mapping[ExecutionID, ExecutionHead]
) -> None:
    """Assert what no correct author gets wrong, and what updates of stores rely on."""
    job_id = changes.job_id
    if changes.job is not None and stored is not None:
        assert changes.job.namespace == stored.namespace, f"{job_id} keeps its namespace"
        assert changes.job.create_time == stored.create_time, f"{job_id} keeps its creation time"
        assert changes.job.is_terminal or not stored.is_ended, f"{job_id} has ended for good"
    for execution in changes.executions:
        head = executions.get(execution.id)
        if head is not None:
            assert head.job_id == job_id, f"an execution of {head.job_id} stays with it"
            assert head.node_id == execution.node_id, f"{execution.id} stays on {head.node_id}"
            assert execution.is_terminal or not head.is_ended, f"{execution.id} has ended for good"


def _job_revision_after(changes: JobChanges, stored: int) -> int:
    if changes.job is not None:
        _check_follows(f"job {changes.job_id}", changes.job.revision, stored, JOB_STORE)
        return changes.job.revision
    if stored == 0:
        problem = f"job {changes.job_id} is not stored"
        raise StaleWriteError(problem, hint=_AGAIN, component=JOB_STORE)
    return stored


def check_local_changes(changes: LocalChanges, stored: Mapping[ExecutionID, LocalHead]) -> None:
    """Judge a transaction on a compute node.

    ``stored`` holds those of its executions that are stored already.

    Raises:
        StaleWriteError: a revision has moved on, or a new record exists already.
    """
    revisions = {execution_id: head.revision for execution_id, head in stored.items()}
    _check_executions(changes.executions, revisions, EXECUTION_STORE)
    for execution in changes.executions:
        head = stored.get(execution.id)
        is_back = head is not None and head.is_ended and not execution.state.is_terminal
        assert not is_back, f"{execution.id} has ended for good"


def _check_executions(
    wanted: Iterable[Execution | LocalExecution],
    stored: Mapping[ExecutionID, int],
    component: str,
) -> None:
    for execution in wanted:
        revision = stored.get(execution.id, 0)
        _check_follows(f"execution {execution.id}", execution.revision, revision, component)


def _check_follows(subject: str, revision: int, stored: int, component: str) -> None:
    if revision == stored + 1:
        return
    if stored == 0:
        problem = f"{subject} is not stored, so it cannot be given revision {revision}"
    elif revision == 1:
        problem = f"{subject} is stored already, at revision {stored}"
    else:
        problem = f"{subject} is at revision {stored}, but this change follows {revision - 1}"
    raise StaleWriteError(problem, hint=_AGAIN, component=component)


def assert_one_job(changes: JobChanges) -> None:
    """Assert what no correct author of a transaction gets wrong: it concerns one job only."""
    job_id = changes.job_id
    assert job_id, "a transaction names its job"
    assert changes.job is None or changes.job.id == job_id, f"the job is {job_id}"
    for execution in changes.executions:
        assert execution.job_id == job_id, f"execution {execution.id} belongs to {job_id}"
    for evaluation in changes.evaluations:
        assert evaluation.job_id == job_id, f"evaluation {evaluation.id} belongs to {job_id}"
    assert_distinct(execution.id for execution in changes.executions)


def assert_distinct(execution_ids: Iterable[ExecutionID]) -> None:
    """Assert that a transaction writes each execution once."""
    listed = list(execution_ids)
    assert len(listed) == len(set(listed)), "a transaction writes each execution once"


def history_entries(changes: JobChanges, head: JobHead) -> list[JobHistory]:
    """Turn the drafts of a transaction into entries; ``head`` is the job's after it."""
    first = head.events - len(changes.history) + 1
    return [
        JobHistory(
            seq_num=number,
            type=HistoryType.EXECUTION_LEVEL if draft.execution_id else HistoryType.JOB_LEVEL,
            job_id=changes.job_id,
            execution_id=draft.execution_id,
            event=draft.event,
            time=rfc3339(draft.time_ns),
        )
        for number, draft in enumerate(changes.history, start=first)
    ]


def is_open(evaluation: Evaluation) -> bool:
    """Tell whether an evaluation is kept: it waits for a worker, or for capacity."""
    return evaluation.status in (EvaluationStatus.PENDING, EvaluationStatus.BLOCKED)
