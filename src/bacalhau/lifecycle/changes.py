"""What one transaction on a job changes, as a value, and the builder that makes it.

A decision reads a :class:`JobSnapshot`, records what it wants through a :class:`JobDraft`, and ends
as one :class:`JobChanges`, which a store applies whole or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.lifecycle.completed import Completed
from bacalhau.lifecycle.listings import settled
from bacalhau.models import Evaluation, Event, Execution, ExecutionID, Job, JobID, NodeID
from bacalhau.models.provenance import InputRecord, OutputRecord
from bacalhau.protocol.messages import ToNode

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    pass


class JobSnapshot(_Value, frozen=True, kw_only=True):
    """A job with its executions, as they were at one moment.

    ``executions`` are those that have not completed, in order of creation; ``completed`` sums up
    the others.
    """

    job: Job
    executions: tuple[Execution, ...]
    completed: Completed = Completed()
    generation: int

    @classmethod
    def of(cls, job: Job, executions: Iterable[Execution], generation: int) -> JobSnapshot:
        """Return the snapshot of a job with all its executions."""
        executions = tuple(executions)
        return cls(
            job=job,
            executions=tuple(run for run in executions if not run.is_completed),
            completed=Completed.of(executions),
            generation=generation,
        )

    def after(self, changes: JobChanges, generation: int) -> JobSnapshot | None:
        """Return the snapshot of the generation that a transaction on this one has led to.

        None where that cannot be told: it has amended an execution that had completed.
        """
        executions = {run.id: run for run in self.executions}
        if any(run.revision > 1 and run.id not in executions for run in changes.executions):
            return None
        changed = [msgspec.structs.replace(run, job=None) for run in changes.executions]
        executions.update((run.id, run) for run in changed)
        done = [executions.pop(run.id) for run in changed if run.is_completed]
        return JobSnapshot(
            job=changes.job or self.job,
            executions=tuple(executions.values()),
            completed=self.completed.plus(Completed.of(done)),
            generation=generation,
        )


class HistoryDraft(_Value, frozen=True, kw_only=True):
    """An event to be recorded; the store gives it the job's next sequence number.

    An empty ``execution_id`` means an event of the job. ``time_ns`` is when it is recorded.
    """

    event: Event
    time_ns: int
    execution_id: ExecutionID = ExecutionID("")


class ProvenanceDraft(_Value, frozen=True, kw_only=True):
    """What an execution of the job has read or written; None leaves what is stored."""

    execution_id: ExecutionID
    inputs: tuple[InputRecord, ...] | None = None
    outputs: OutputRecord | None = None


class JobChanges(_Value, frozen=True, kw_only=True):
    """One transaction on one job.

    A record of revision 1 is new and must not exist; any other must follow the stored revision by
    one. ``expected_generation`` guards the job as a whole; None leaves it to the revisions.
    Evaluations are stored as given: those that are neither pending nor blocked are dropped.
    ``provenance`` alone leaves the generation as it is: no decision depends on it.
    """

    job_id: JobID
    expected_generation: int | None = None
    job: Job | None = None
    executions: tuple[Execution, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    history: tuple[HistoryDraft, ...] = ()
    provenance: tuple[ProvenanceDraft, ...] = ()
    messages: tuple[tuple[NodeID, ToNode], ...] = ()

    @property
    def is_for_the_record(self) -> bool:
        """True when nothing changes that anybody decides by."""
        decided = self.executions or self.evaluations or self.history or self.messages
        return bool(self.provenance) and self.job is None and not decided


class JobDraft:
    """Collects the changes that one decision makes to one job.

    Records are replaced, never altered. However often a record changes within a draft, its
    revision grows by one. In each step of the decision, events of the job are recorded before those
    of its executions.
    """

    def __init__(self, snapshot: JobSnapshot, now_ns: int) -> None:
        self.now_ns = now_ns
        self._before = snapshot
        self._job = snapshot.job
        self._executions = {execution.id: execution for execution in snapshot.executions}
        self._revisions = {execution.id: execution.revision for execution in snapshot.executions}
        self._completed: Completed | None = None
        self._settled: dict[str, str] | None = None
        self._touched: dict[ExecutionID, None] = {}
        self._evaluations: list[Evaluation] = []
        self._earlier: tuple[HistoryDraft, ...] = ()
        self._job_events: list[Event] = []
        self._execution_events: list[tuple[ExecutionID, Event]] = []
        self._provenance: list[ProvenanceDraft] = []
        self._messages: list[tuple[NodeID, ToNode]] = []

    @property
    def job(self) -> Job:
        """The job as it will be."""
        return self._job

    @property
    def executions(self) -> tuple[Execution, ...]:
        """Those that had not completed before, as they will be, in order of creation."""
        return tuple(self._executions.values())

    @property
    def completed(self) -> Completed:
        """All executions that will have completed."""
        if self._completed is None:
            self._completed = self._before.completed.plus(Completed.of(self._executions.values()))
        return self._completed

    @property
    def listings(self) -> dict[str, str]:
        """The listings that executions have to go by; see ``lifecycle.listings``."""
        if self._settled is None:
            self._settled = settled(self.completed, self._executions.values())
        return self._settled

    def execution(self, execution_id: ExecutionID) -> Execution | None:
        """Return one execution as it will be; None also when it had completed before."""
        return self._executions.get(execution_id)

    @property
    def is_empty(self) -> bool:
        """True when nothing would be written."""
        return not (
            self._job is not self._before.job
            or self._touched
            or self._evaluations
            or self._earlier
            or self._job_events
            or self._execution_events
            or self._provenance
            or self._messages
        )

    def put_job(self, job: Job) -> None:
        """Replace the job."""
        self._job = job

    def put_execution(self, execution: Execution) -> None:
        """Add or replace an execution."""
        self._executions[execution.id] = execution
        self._touched[execution.id] = None
        if execution.is_completed:
            self._completed = None
        if execution.listings:
            self._settled = None

    def job_event(self, event: Event) -> None:
        """Record an event of the job."""
        self._job_events.append(event)

    def record_provenance(self, draft: ProvenanceDraft) -> None:
        """Record what an execution has read or written."""
        self._provenance.append(draft)

    def execution_event(self, execution_id: ExecutionID, event: Event) -> None:
        """Record an event of an execution."""
        self._execution_events.append((execution_id, event))

    def end_step(self) -> None:
        """Let what is recorded from now on come after all that was recorded so far."""
        self._earlier = self._history()
        self._job_events, self._execution_events = [], []

    def evaluate(self, evaluation: Evaluation) -> None:
        """Store an evaluation, or, by its status, drop it."""
        self._evaluations.append(evaluation)

    def send(self, node_id: NodeID, message: ToNode) -> None:
        """Put a message for a node into the outbox."""
        self._messages.append((node_id, message))

    def changes(self, *, guard_job: bool) -> JobChanges:
        """Return the transaction; ``guard_job`` demands that nothing of the job has changed."""
        return JobChanges(
            job_id=self._job.id,
            expected_generation=self._before.generation if guard_job else None,
            job=self._stamped_job(),
            executions=tuple(self._stamped(self._executions[key]) for key in self._touched),
            evaluations=tuple(self._evaluations),
            history=self._history(),
            provenance=tuple(self._provenance),
            messages=tuple(self._messages),
        )

    def _stamped_job(self) -> Job | None:
        if self._job is self._before.job:
            return None
        return msgspec.structs.replace(
            self._job, revision=self._before.job.revision + 1, modify_time=self.now_ns
        )

    def _stamped(self, execution: Execution) -> Execution:
        return msgspec.structs.replace(
            execution,
            revision=self._revisions.get(execution.id, 0) + 1,
            modify_time=self.now_ns,
        )

    def _history(self) -> tuple[HistoryDraft, ...]:
        job = [HistoryDraft(event=event, time_ns=self.now_ns) for event in self._job_events]
        executions = [
            HistoryDraft(event=event, time_ns=self.now_ns, execution_id=execution_id)
            for execution_id, event in self._execution_events
        ]
        return (*self._earlier, *job, *executions)
