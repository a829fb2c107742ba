"""Stores that keep everything in memory, for tests and for the simulation.

They do the same as the durable ones, and are held to it by the same contract suite. They use no
thread, no clock and no chance: what happens depends only on the order of the calls. Each write
gives other tasks a turn before and after it takes effect, as a disk would.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from bacalhau.lifecycle.changes import JobSnapshot
from bacalhau.models.provenance import ExecutionProvenance
from bacalhau.models.selectors import matches
from bacalhau.ports.guards import (
    ExecutionHead,
    JobHead,
    LocalHead,
    assert_distinct,
    assert_one_job,
    check_local_changes,
    history_entries,
    is_open,
    job_head_after,
)
from bacalhau.ports.paging import page_request
from bacalhau.ports.store import WholeJob
from bacalhau.protocol.messages import ORCHESTRATOR, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
    from bacalhau.models import (
        Evaluation,
        EvaluationID,
        Execution,
        ExecutionID,
        Job,
        JobHistory,
        JobID,
        NodeID,
        NodeState,
    )
    from bacalhau.ports.paging import PageRequest
    from bacalhau.ports.store import JobPage, JobQuery, LocalChanges, LocalExecution
    from bacalhau.protocol.messages import Sequenced, ToNode


class _Outbox:
    """Waiting messages by receiver; all receivers share one sequence of numbers."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[StoredMessage]] = {}
        self._floors: dict[str, int] = {}
        self._given = 0

    def append(self, receiver: str, message: Sequenced) -> None:
        self._given += 1
        stored = StoredMessage(seq=self._given, message=message)
        self._waiting.setdefault(receiver, []).append(stored)

    def waiting(self, receiver: str, after: int, limit: int) -> list[StoredMessage]:
        found = [each for each in self._waiting.get(receiver, ()) if each.seq > after]
        return found[:limit] if limit else found

    def forget(self, receiver: str, up_to: int) -> None:
        floor = max(self.floor(receiver), min(up_to, self._given))
        self._floors[receiver] = floor
        self._waiting[receiver] = self.waiting(receiver, floor, 0)

    def floor(self, receiver: str) -> int:
        return self._floors.get(receiver, 0)


class _StoredJob:
    """A job with what belongs to it; executions are in order of creation."""

    def __init__(self, job: Job, head: JobHead) -> None:
        self.job = job
        self.head = head
        self.executions: dict[ExecutionID, Execution] = {}
        self.history: list[JobHistory] = []
        self.provenance: dict[ExecutionID, ExecutionProvenance] = {}

    def record(self, draft: ProvenanceDraft) -> None:
        """Store what a draft tells of an execution; what it does not tell stays."""
        execution_id = draft.execution_id
        known = self.provenance.get(execution_id)
        if known is None:
            node_id = self.executions[execution_id].node_id
            known = ExecutionProvenance(execution_id=execution_id, node_id=node_id)
        inputs = known.inputs if draft.inputs is None else list(draft.inputs)
        outputs = known.outputs if draft.outputs is None else draft.outputs
        self.provenance[execution_id] = msgspec.structs.replace(
            known, inputs=inputs, outputs=outputs
        )


class MemoryJobStore:
    """A ``JobStore`` in memory. See the port for what each method promises."""

    def __init__(self) -> None:
        self._jobs: dict[JobID, _StoredJob] = {}
        self._executions: dict[ExecutionID, Execution] = {}
        self._live: dict[ExecutionID, Execution] = {}
        self._evaluations: dict[EvaluationID, Evaluation] = {}
        self._outbox = _Outbox()
        self._nodes: dict[NodeID, NodeState] = {}

    async def apply(self, changes: JobChanges) -> int:
        """Store one transaction on one job."""
        assert_one_job(changes)
        await asyncio.sleep(0)
        generation = self._apply(changes)
        await asyncio.sleep(0)
        return generation

    def _apply(self, changes: JobChanges) -> int:
        stored = self._jobs.get(changes.job_id)
        known = [self._executions.get(each.id) for each in changes.executions]
        executions = {
            each.id: ExecutionHead(
                job_id=each.job_id,
                node_id=each.node_id,
                revision=each.revision,
                is_ended=each.is_terminal,
            )
            for each in known
            if each is not None
        }
        head = job_head_after(changes, stored.head if stored else None, executions)
        entries = history_entries(changes, head)
        # Nothing is refused from here on.
        if changes.job is not None and stored is None:
            stored = self._jobs[changes.job_id] = _StoredJob(changes.job, head)
        assert stored is not None, "a change to a job that is not stored is refused"
        stored.head = head
        stored.job = changes.job or stored.job
        stored.history += entries
        for execution in changes.executions:
            self._put_execution(stored, execution)
        for evaluation in changes.evaluations:
            self._put_evaluation(evaluation)
        for provenance in changes.provenance:
            stored.record(provenance)
        for node_id, message in changes.messages:
            self._outbox.append(node_id, message)
        return head.generation

    def _put_execution(self, owner: _StoredJob, execution: Execution) -> None:
        kept = msgspec.structs.replace(execution, job=None)
        self._executions[kept.id] = kept
        owner.executions[kept.id] = kept
        if kept.is_terminal:
            self._live.pop(kept.id, None)
        else:
            self._live[kept.id] = kept

    def _put_evaluation(self, evaluation: Evaluation) -> None:
        if is_open(evaluation):
            self._evaluations[evaluation.id] = evaluation
        else:
            self._evaluations.pop(evaluation.id, None)

    def job(self, job_id: JobID) -> Job | None:
        """Read one job."""
        stored = self._jobs.get(job_id)
        return stored.job if stored else None

    def execution(self, execution_id: ExecutionID) -> Execution | None:
        """Read one execution, without its job."""
        return self._executions.get(execution_id)

    def snapshot(self, job_id: JobID) -> JobSnapshot | None:
        """Read what decisions about a job are made from."""
        stored = self._jobs.get(job_id)
        if stored is None:
            return None
        return JobSnapshot.of(stored.job, stored.executions.values(), stored.head.generation)

    async def whole(self, job_id: JobID) -> WholeJob | None:
        """Read a job with all its executions."""
        stored = self._jobs.get(job_id)
        if stored is None:
            return None
        return WholeJob(job=stored.job, executions=self.executions_of(job_id))

    def executions_of(self, job_id: JobID) -> tuple[Execution, ...]:
        """Return all executions of a job, in order of creation; for tests that look on."""
        return tuple(self._jobs[job_id].executions.values())

    def find_jobs(self, prefix: str, limit: int) -> Sequence[JobID]:
        """Return ids that start with ``prefix``."""
        return sorted(found for found in self._jobs if found.startswith(prefix))[:limit]

    def find_executions(self, prefix: str, limit: int) -> Sequence[ExecutionID]:
        """Return ids that start with ``prefix``."""
        return sorted(found for found in self._executions if found.startswith(prefix))[:limit]

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """List jobs by key."""
        request = page_request(query)
        jobs = [stored.job for stored in self._jobs.values() if _is_listed(stored.job, request)]
        jobs.sort(key=lambda job: _key(request, job), reverse=request.reverse)
        return request.page(jobs)

    async def history(
        self, job_id: JobID, *, after: int = 0, limit: int = 0
    ) -> Sequence[JobHistory]:
        """Return events of a job."""
        stored = self._jobs.get(job_id)
        entries = stored.history[max(after, 0) :] if stored else []
        return entries[:limit] if limit else entries

    async def provenance(
        self, job_id: JobID, *, after: ExecutionID | None = None, limit: int = 0
    ) -> Sequence[ExecutionProvenance]:
        """Return what executions of a job have read and written."""
        stored = self._jobs.get(job_id)
        order = list(stored.executions) if stored else []
        begin = order.index(after) + 1 if after in order else 0
        known = stored.provenance if stored else {}
        found = [known[each] for each in order[begin:] if each in known]
        return found[: limit or None]

    async def live_executions(self, node_id: NodeID | None = None) -> Sequence[Execution]:
        """Return executions that have not ended."""
        return [each for each in self._live.values() if node_id in (None, each.node_id)]

    async def unfinished_jobs(self) -> Sequence[Job]:
        """Return jobs that are not terminal."""
        return [stored.job for stored in self._jobs.values() if not stored.job.is_terminal]

    async def open_evaluations(self) -> Sequence[Evaluation]:
        """Return pending and blocked evaluations."""
        return list(self._evaluations.values())

    async def drop_evaluation(self, evaluation_id: EvaluationID) -> None:
        """Forget an evaluation."""
        await asyncio.sleep(0)
        self._evaluations.pop(evaluation_id, None)
        await asyncio.sleep(0)

    async def send(self, node_id: NodeID, message: ToNode) -> None:
        """Put a message into a node's outbox that no change to a job causes."""
        await asyncio.sleep(0)
        self._outbox.append(node_id, message)
        await asyncio.sleep(0)

    async def outbox(self, node_id: NodeID, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """Return messages for a node; ``limit`` 0 means all."""
        return self._outbox.waiting(node_id, after, limit)

    async def outbox_delivered(self, node_id: NodeID, *, up_to: int) -> None:
        """Forget messages for a node."""
        await asyncio.sleep(0)
        self._outbox.forget(node_id, up_to)
        await asyncio.sleep(0)

    def outbox_floor(self, node_id: NodeID) -> int:
        """Return the number up to which everything for a node was delivered."""
        return self._outbox.floor(node_id)

    async def put_node(self, node: NodeState) -> None:
        """Create or replace the record of a node."""
        await asyncio.sleep(0)
        self._nodes[node.info.node_id] = node

    async def drop_node(self, node_id: NodeID) -> None:
        """Forget the record of a node."""
        await asyncio.sleep(0)
        self._nodes.pop(node_id, None)

    async def nodes(self) -> Sequence[NodeState]:
        """Return all known nodes."""
        return [self._nodes[node_id] for node_id in sorted(self._nodes)]


def _is_listed(job: Job, request: PageRequest) -> bool:
    if request.namespace and job.namespace != request.namespace:
        return False
    if not matches(request.query.labels, job.labels):
        return False
    if request.after is None:
        return True
    here, after = _key(request, job), (request.after.time_ns, request.after.id)
    return here < after if request.reverse else here > after


def _key(request: PageRequest, job: Job) -> tuple[int, str]:
    position = request.position(job)
    return position.time_ns, position.id


class MemoryExecutionStore:
    """An ``ExecutionStore`` in memory. See the port for what each method promises."""

    def __init__(self) -> None:
        self._executions: dict[ExecutionID, LocalExecution] = {}
        self._live: dict[ExecutionID, LocalExecution] = {}
        self._outbox = _Outbox()

    async def apply(self, changes: LocalChanges) -> None:
        """Store one transaction."""
        assert_distinct(execution.id for execution in changes.executions)
        await asyncio.sleep(0)
        self._apply(changes)
        await asyncio.sleep(0)

    def _apply(self, changes: LocalChanges) -> None:
        stored = self._executions
        known = [stored[each.id] for each in changes.executions if each.id in stored]
        check_local_changes(
            changes,
            {
                each.id: LocalHead(revision=each.revision, is_ended=each.state.is_terminal)
                for each in known
            },
        )
        for execution in changes.executions:
            stored[execution.id] = execution
            if execution.state.is_terminal:
                self._live.pop(execution.id, None)
            else:
                self._live[execution.id] = execution
        for message in changes.messages:
            self._outbox.append(ORCHESTRATOR, message)

    def execution(self, execution_id: ExecutionID) -> LocalExecution | None:
        """Read one record."""
        return self._executions.get(execution_id)

    async def live(self) -> Sequence[LocalExecution]:
        """Return the records whose state is not terminal."""
        return list(self._live.values())

    async def outbox(self, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """Return waiting messages; ``limit`` 0 means all."""
        return self._outbox.waiting(ORCHESTRATOR, after, limit)

    async def outbox_delivered(self, *, up_to: int) -> None:
        """Forget messages."""
        await asyncio.sleep(0)
        self._outbox.forget(ORCHESTRATOR, up_to)
        await asyncio.sleep(0)

    def outbox_floor(self) -> int:
        """Return the number up to which everything was delivered."""
        return self._outbox.floor(ORCHESTRATOR)
