"""What must hold in every cluster, checked at every write, every start and every answer.

The oracle sees what becomes durable on both sides, what engines really run, and what clients are
told. It keeps its own picture of these and never asks the code under test.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.models import ComputeState, JobState, JobType, Resources
from bacalhau.ports.guards import is_open

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bacalhau.models import EvaluationID, Execution, ExecutionID, Job, JobID, NodeID
    from bacalhau.ports import JobChanges, LocalChanges


class Invariant(enum.StrEnum):
    """The promises, in the words of a report."""

    ACKNOWLEDGED = "an acknowledged submission is never lost"
    REFUSED = "a refused submission leaves nothing behind"
    STOPPED = "a confirmed stop is final"
    RESULTS = "there are no more results than wanted, and none after the end"
    DEMAND = "no more executions go on than wanted"
    PARTITIONS = "each partition is worked on by one execution at a time, and done once"
    ORDER = "answers are taken in their order, and none is left out"
    PATIENCE = "a job waits once for a node that has its inputs"
    CAPACITY = "a node never runs more than it offers"
    FINAL = "terminal states are final"
    PROGRESS = "an unfinished job has a next event"
    AGREEMENT = "both sides agree when the faults are over"
    COMPLETION = "all jobs end in bounded time"
    ALIVE = "no process fails by itself"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A promise that was broken, when in virtual seconds, and the facts."""

    invariant: Invariant
    at: float
    facts: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f}s: {self.facts}"


class Oracle:
    """Watches a cluster; ``accuse`` is called for each broken promise."""

    def __init__(
        self, capacity: Mapping[NodeID, Resources], accuse: Callable[[Invariant, str], None]
    ) -> None:
        self._capacity = capacity
        self._accuse = accuse
        self._jobs: dict[JobID, Job] = {}
        self._executions: dict[ExecutionID, Execution] = {}
        self._executions_of: dict[JobID, dict[ExecutionID, None]] = {}
        self._evaluations: dict[EvaluationID, JobID] = {}
        self._awaited: dict[JobID, int] = {}
        self._local: dict[tuple[NodeID, ExecutionID], ComputeState] = {}
        self._running: dict[NodeID, dict[ExecutionID, Resources]] = {}
        self._acknowledged: dict[JobID, str] = {}
        self._refused: dict[str, None] = {}
        self._stopped: dict[JobID, None] = {}

    # -- what becomes durable ----------------------------------------------------------

    def job_committed(self, changes: JobChanges) -> None:
        """Check a transaction of the orchestrator."""
        was_terminal = changes.job_id in self._jobs and self._jobs[changes.job_id].is_terminal
        if changes.job is not None:
            self._check_job(changes.job)
        for execution in changes.executions:
            self._check_execution(execution, job_was_terminal=was_terminal)
        for evaluation in changes.evaluations:
            if is_open(evaluation):
                self._evaluations[evaluation.id] = evaluation.job_id
            else:
                self._evaluations.pop(evaluation.id, None)
        if changes.job_id in self._jobs:
            self._check_patience(changes)
            self._check_counts(self._jobs[changes.job_id])
            self._check_progress(changes.job_id)

    def evaluation_dropped(self, evaluation_id: EvaluationID) -> None:
        """Check that nothing depended on an evaluation that was dropped."""
        job_id = self._evaluations.pop(evaluation_id, None)
        if job_id is not None:
            self._check_progress(job_id)

    def local_committed(self, node_id: NodeID, changes: LocalChanges) -> None:
        """Check a transaction of a compute node."""
        for record in changes.executions:
            key = (node_id, record.id)
            before = self._local.get(key, ComputeState.UNDEFINED)
            now = record.state
            if before.is_terminal and now is not before:
                self._accuse(
                    Invariant.FINAL, f"{record.id} on {node_id}: {before.title} became {now.title}"
                )
            self._local[key] = now

    def _check_job(self, job: Job) -> None:
        before = self._jobs.get(job.id)
        now = job.state.state_type
        if before is not None and before.is_terminal and now is not before.state.state_type:
            self._accuse(
                Invariant.FINAL, f"{job.name}: {before.state.state_type.value} became {now.value}"
            )
        if job.id in self._stopped and now is not JobState.STOPPED:
            self._accuse(Invariant.STOPPED, f"{job.name} is {now.value}")
        if job.name in self._refused:
            self._accuse(Invariant.REFUSED, f"{job.name} is stored")
        self._jobs[job.id] = job

    def _check_execution(self, execution: Execution, *, job_was_terminal: bool) -> None:
        before = self._executions.get(execution.id)
        state = execution.compute_state.state_type
        was = before.compute_state.state_type if before else ComputeState.UNDEFINED
        if before is not None and before.is_terminal:
            if state is not was or not execution.is_terminal:
                self._accuse(Invariant.FINAL, f"{execution.id}: {was.title} became {state.title}")
        elif state is ComputeState.COMPLETED and job_was_terminal:
            self._accuse(Invariant.RESULTS, f"{execution.id} completed after its job had ended")
        elif state is ComputeState.COMPLETED and was is ComputeState.NEW:
            self._accuse(Invariant.ORDER, f"{execution.id} completed before its node had agreed")
        self._executions[execution.id] = execution
        self._executions_of.setdefault(execution.job_id, {})[execution.id] = None

    def _check_patience(self, changes: JobChanges) -> None:
        """Check that a job does not begin to wait anew before all its executions were placed."""
        before = self._awaited.get(changes.job_id, 0)
        for evaluation in filter(is_open, changes.evaluations):
            if evaluation.awaited_since:
                self._awaited[changes.job_id] = evaluation.awaited_since
        if before and self._awaited[changes.job_id] != before:
            self._accuse(Invariant.PATIENCE, f"{self._jobs[changes.job_id].name} waits anew")
        if changes.job_id not in self._evaluations.values():
            self._awaited.pop(changes.job_id, None)

    def _check_counts(self, job: Job) -> None:
        if job.type in (JobType.BATCH, JobType.SERVICE):
            self._check_demand(job, self._all_of(job.id), job.count)
            self._check_partitions(job)
            return
        by_node: dict[NodeID, list[Execution]] = {}
        for execution in self._all_of(job.id):
            by_node.setdefault(execution.node_id, []).append(execution)
        for executions in by_node.values():
            self._check_demand(job, executions, 1)

    def _check_demand(self, job: Job, executions: list[Execution], wanted: int) -> None:
        completed = sum(
            execution.compute_state.state_type is ComputeState.COMPLETED for execution in executions
        )
        live = sum(not execution.is_terminal for execution in executions)
        if completed > (0 if job.type.is_long_running else wanted):
            self._accuse(Invariant.RESULTS, f"{job.name} has {completed} results of {wanted}")
        if completed + live > wanted:
            self._accuse(
                Invariant.DEMAND,
                f"{job.name} has {completed} results and {live} live executions of {wanted}",
            )

    def _check_partitions(self, job: Job) -> None:
        """Check that nobody shares a partition, and that all are done when the job completes."""
        done = [
            execution.partition_index
            for execution in self._all_of(job.id)
            if execution.compute_state.state_type is ComputeState.COMPLETED
        ]
        live = [run.partition_index for run in self._all_of(job.id) if not run.is_terminal]
        held = sorted(live if job.type.is_long_running else done + live)
        if len(set(held)) < len(held) or not set(held) <= set(range(job.count)):
            self._accuse(Invariant.PARTITIONS, f"{job.name} has partitions {held} of {job.count}")
        elif job.state.state_type is JobState.COMPLETED and len(done) < job.count:
            self._accuse(Invariant.PARTITIONS, f"{job.name} is complete with {sorted(done)}")

    def _check_progress(self, job_id: JobID) -> None:
        job = self._jobs[job_id]
        if job.is_terminal or job_id in self._evaluations.values():
            return
        if job.type is JobType.DAEMON:
            return  # it waits for nodes, which nothing in the store can tell of
        if all(execution.is_terminal for execution in self._all_of(job_id)):
            name = self._jobs[job_id].name
            self._accuse(
                Invariant.PROGRESS, f"{name} has neither a live execution nor an evaluation"
            )

    def _all_of(self, job_id: JobID) -> list[Execution]:
        return [self._executions[key] for key in self._executions_of.get(job_id, ())]

    # -- what clients are told ---------------------------------------------------------

    def submission_acknowledged(self, job_id: JobID, name: str) -> None:
        """A client has been told that its job is stored."""
        self._acknowledged[job_id] = name
        if job_id not in self._jobs:
            self._accuse(Invariant.ACKNOWLEDGED, f"{name} is not stored")

    def submission_refused(self, name: str) -> None:
        """A client has been told that its job was not accepted."""
        self._refused[name] = None
        if any(job.name == name for job in self._jobs.values()):
            self._accuse(Invariant.REFUSED, f"{name} is stored")

    def stop_confirmed(self, job_id: JobID) -> None:
        """A client has been told that its job is stopped."""
        self._stopped[job_id] = None
        job = self._jobs[job_id]
        if job.state.state_type is not JobState.STOPPED:
            self._accuse(Invariant.STOPPED, f"{job.name} is {job.state.state_type.value}")

    def orchestrator_started(self, stored: Callable[[JobID], Job | None]) -> None:
        """Check that what a restarted orchestrator finds on its disk is what was written."""
        for job_id, name in self._acknowledged.items():
            if stored(job_id) != self._jobs.get(job_id):
                self._accuse(Invariant.ACKNOWLEDGED, f"{name} is not as it was stored")

    # -- what engines run --------------------------------------------------------------

    def task_started(
        self, node_id: NodeID, execution_id: ExecutionID, resources: Resources
    ) -> None:
        """Check that a node has room for a task that begins on it."""
        running = self._running.setdefault(node_id, {})
        running[execution_id] = resources
        total = sum(running.values(), Resources())
        if not total.fits_into(self._capacity[node_id]):
            self._accuse(
                Invariant.CAPACITY,
                f"{node_id} runs {len(running)} tasks with {total.cpu} cores and "
                f"{total.memory} bytes",
            )

    def task_ended(self, node_id: NodeID, execution_id: ExecutionID) -> None:
        """Note that a task is gone from its node."""
        self._running.get(node_id, {}).pop(execution_id, None)

    # -- the end -----------------------------------------------------------------------

    def live_at_orchestrator(self, node_id: NodeID) -> set[ExecutionID]:
        """Return what the orchestrator believes to go on at a node."""
        return {
            execution.id
            for execution in self._executions.values()
            if execution.node_id == node_id and not execution.is_terminal
        }

    def live_at_node(self, node_id: NodeID) -> set[ExecutionID]:
        """Return what goes on at a node by its own record."""
        return {
            execution_id
            for (owner, execution_id), state in self._local.items()
            if owner == node_id and not state.is_terminal
        }

    def running_at_node(self, node_id: NodeID) -> set[ExecutionID]:
        """Return what really runs on a node."""
        return set(self._running.get(node_id, {}))

    def unfinished(self) -> list[Job]:
        """Return the jobs that have not ended and should, by name.

        A job that goes on for ever should when its author knows of it, as he stops it then.
        """
        open_jobs = (
            job
            for job in self._jobs.values()
            if not job.is_terminal
            and (job.id in self._acknowledged or not job.type.is_long_running)
        )
        return sorted(open_jobs, key=lambda job: job.name)

    def outcome(self) -> dict[str, int]:
        """Count jobs by the state they ended in."""
        states = sorted(job.state.state_type.value for job in self._jobs.values())
        return {state: states.count(state) for state in dict.fromkeys(states)}
