"""Durable state, read as values and written as whole transactions.

A write is a value that says everything about one job that changes together: the new records, their
history, and the messages they cause. The store applies all of it or nothing. Each record carries
its revision; a write whose record was changed by somebody else in the meantime is refused with
``StaleWriteError``, and its author loads again and decides again.

A job with everything that belongs to it has a *generation*, which every write raises by one that
anybody decides by. Decisions that depend on the whole job name the generation they saw.

Some things never change, and stores rely on it: the namespace, type and creation time of a job, and
the job and node of an execution. What has ended may be amended, but never comes back. An author who
gets that wrong has a defect; ``ports.guards`` asserts what a store has at hand when it judges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from bacalhau.models import (
    ComputeState,
    Evaluation,
    EvaluationID,
    Event,
    Execution,
    ExecutionID,
    Job,
    JobHistory,
    JobID,
    LabelSelectorRequirement,
    NodeID,
    NodeState,
    RunOutput,
    SpecConfig,
)
from bacalhau.models.provenance import OutputRecord
from bacalhau.protocol.messages import FromNode, StoredMessage, ToNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.lifecycle.changes import JobChanges, JobSnapshot
    from bacalhau.models.provenance import ExecutionProvenance


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    pass


class JobQuery(_Value, frozen=True, kw_only=True):
    """Which jobs to list. An empty namespace or ``*`` means all; ``limit`` 0 means all.

    ``order_by`` is ``created_at``, ``modified_at`` or ``id``. ``after`` is the cursor of the last
    item of the previous page; it brings the order and the limit of that page along, which win over
    those given here.
    """

    namespace: str = ""
    labels: tuple[LabelSelectorRequirement, ...] = ()
    order_by: str = "created_at"
    reverse: bool = False
    limit: int = 0
    after: str = ""


class JobPage(_Value, frozen=True, kw_only=True):
    """Some jobs, and the cursor to go on from; empty when there are no more."""

    jobs: tuple[Job, ...]
    cursor: str = ""


class WholeJob(_Value, frozen=True, kw_only=True):
    """A job with all its executions, in order of creation, as they were at one moment."""

    job: Job
    executions: tuple[Execution, ...]


class JobStore(Protocol):
    """The orchestrator's truth."""

    async def apply(self, changes: JobChanges) -> int:
        """Store one transaction and return the job's new generation.

        Returns only after the data would survive a power cut. Messages of one job keep their
        order. Cancelling the caller does not undo a transaction already handed over.

        Raises:
            ConflictError: code ``ResourceInUse``, when a new job's id is taken.
            StaleWriteError: a revision or the generation has moved on; nothing was stored.
        """
        ...

    def job(self, job_id: JobID) -> Job | None:
        """Read one job."""
        ...

    def execution(self, execution_id: ExecutionID) -> Execution | None:
        """Read one execution, without its job."""
        ...

    def snapshot(self, job_id: JobID) -> JobSnapshot | None:
        """Read what decisions about a job are made from, at one moment."""
        ...

    async def whole(self, job_id: JobID) -> WholeJob | None:
        """Read a job with all its executions, without holding anybody up: there may be many."""
        ...

    def find_jobs(self, prefix: str, limit: int) -> Sequence[JobID]:
        """Return at most ``limit`` job ids that start with ``prefix``, sorted."""
        ...

    def find_executions(self, prefix: str, limit: int) -> Sequence[ExecutionID]:
        """Return at most ``limit`` execution ids that start with ``prefix``, sorted."""
        ...

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """List jobs by key; a page costs the same wherever it lies."""
        ...

    async def history(
        self, job_id: JobID, *, after: int = 0, limit: int = 0
    ) -> Sequence[JobHistory]:
        """Return events with a sequence number above ``after``, ascending; limit 0 means all."""
        ...

    async def provenance(
        self, job_id: JobID, *, after: ExecutionID | None = None, limit: int = 0
    ) -> Sequence[ExecutionProvenance]:
        """Return what executions of a job have read and written, oldest execution first.

        Those of which nothing is known are left out. ``after`` is the last execution of the page
        before; ``limit`` 0 means all.
        """
        ...

    async def live_executions(self, node_id: NodeID | None = None) -> Sequence[Execution]:
        """Return executions that have not ended, of one node or of all, oldest first."""
        ...

    async def unfinished_jobs(self) -> Sequence[Job]:
        """Return all jobs that are not terminal, oldest first."""
        ...

    async def open_evaluations(self) -> Sequence[Evaluation]:
        """Return all pending and blocked evaluations, oldest first."""
        ...

    async def drop_evaluation(self, evaluation_id: EvaluationID) -> None:
        """Forget an evaluation that led to nothing; unknown ones are ignored."""
        ...

    async def send(self, node_id: NodeID, message: ToNode) -> None:
        """Put a message into a node's outbox that no change to a job causes."""
        ...

    async def outbox(self, node_id: NodeID, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """Return messages for a node numbered above ``after``, in order; limit 0 means all."""
        ...

    async def outbox_delivered(self, node_id: NodeID, *, up_to: int) -> None:
        """Forget the messages for a node up to and including this number."""
        ...

    def outbox_floor(self, node_id: NodeID) -> int:
        """Return the number up to which nothing waits for this node any more; 0 at first."""
        ...

    async def put_node(self, node: NodeState) -> None:
        """Create or replace the record of a node."""
        ...

    async def drop_node(self, node_id: NodeID) -> None:
        """Forget the record of a node; unknown ones are ignored. Its outbox stays."""
        ...

    async def nodes(self) -> Sequence[NodeState]:
        """Return all known nodes, sorted by id."""
        ...


class LocalExecution(_Value, frozen=True, kw_only=True):
    """The compute node's own record of an execution, independent of the orchestrator's.

    ``execution`` is as it was offered, with its job, and with what the bid allocated. ``state`` is
    ours. What the runner found out is kept with it, so that a restarted node can finish, publish
    and report: ``event`` explains the state, ``retryable`` is False when no node would do better.
    ``outputs`` is None until something is published. ``started_at_ns`` is when it left the node's
    queue, 0 before that; time-outs count from there.
    """

    execution: Execution
    state: ComputeState
    revision: int
    run_output: RunOutput | None = None
    published_result: SpecConfig = SpecConfig()
    outputs: OutputRecord | None = None
    event: Event | None = None
    retryable: bool = True
    started_at_ns: int = 0
    create_time: int = 0
    modify_time: int = 0

    @property
    def id(self) -> ExecutionID:
        """The execution's identifier, the same on both sides."""
        return self.execution.id


class LocalChanges(_Value, frozen=True, kw_only=True):
    """One transaction on the compute node: records, and messages to the orchestrator."""

    executions: tuple[LocalExecution, ...] = ()
    messages: tuple[FromNode, ...] = ()


class ExecutionStore(Protocol):
    """The compute node's truth. Guarantees are those of JobStore."""

    async def apply(self, changes: LocalChanges) -> None:
        """Store one transaction; returns when it is durable.

        Raises:
            StaleWriteError: a revision has moved on, or a new record exists already.
        """
        ...

    def execution(self, execution_id: ExecutionID) -> LocalExecution | None:
        """Read one record."""
        ...

    async def live(self) -> Sequence[LocalExecution]:
        """Return the records whose state is not terminal, oldest first."""
        ...

    async def outbox(self, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """Return waiting messages numbered above ``after``, in order; limit 0 means all."""
        ...

    async def outbox_delivered(self, *, up_to: int) -> None:
        """Forget messages up to and including this number."""
        ...

    def outbox_floor(self) -> int:
        """Return the number up to which nothing waits any more; 0 at first."""
        ...
