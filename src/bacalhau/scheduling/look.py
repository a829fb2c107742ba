"""One look at one job: what every scheduler does alike (spec orchestration.md 2.9).

A scheduler compares what the job wants with what it has, gives up what is lost or too late, and
plans the difference. Subclasses say what the job wants.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import msgspec

from bacalhau.lifecycle import events
from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Evaluation,
    EvaluationStatus,
    Event,
    Execution,
    State,
)
from bacalhau.scheduling import deadlines
from bacalhau.scheduling.plan import Booking, Claim, Context, Plan

if TYPE_CHECKING:
    from bacalhau.lifecycle.changes import JobDraft
    from bacalhau.scheduling.cluster import NodeView
    from bacalhau.scheduling.feasibility import Verdict
    from bacalhau.scheduling.requirements import Requirements


class Look(ABC):
    """Collects what one decision changes. Used once."""

    def __init__(self, draft: JobDraft, claim: Claim, context: Context) -> None:
        self.draft = draft
        self.claim = claim
        self.context = context
        self.bookings: list[Booking] = []
        self.verdicts: tuple[Verdict, ...] = ()
        self.blocked_shape: bytes | None = None
        begun = (item.awaited_since for item in (claim.evaluation, *claim.stored))
        self.awaited_since = min(filter(None, begun), default=0)
        self.awaits_until: int | None = None

    @abstractmethod
    def reconcile(self) -> None:
        """Plan what a job that has not ended needs."""

    def plan(self) -> Plan:
        """Decide."""
        if self.draft.job.is_terminal:
            self.stop_all("job has been stopped")
        elif self.is_past(deadlines.total_deadline(self.draft.job, self.context.present)):
            seconds = self.draft.job.task.timeouts.total_timeout
            self.fail(events.job_timed_out(self.context.now_ns, seconds))
        else:
            self._give_up_lost()
            self._give_up_late()
            self.reconcile()
        kept = self._settle_evaluations()
        changes = None if self.draft.is_empty else self.draft.changes(guard_job=True)
        return Plan(
            changes=changes,
            bookings=tuple(self.bookings),
            blocked_shape=self.blocked_shape,
            kept=kept,
            next_deadline_ns=self._next_deadline(),
            verdicts=self.verdicts,
        )

    def _next_deadline(self) -> int | None:
        moment = deadlines.next_deadline(
            self.draft.job,
            self.draft.executions,
            self.draft.completed.count,
            self.context.backstop_seconds,
            self.context.present,
        )
        moments = (moment, self.awaits_until)
        return min((each for each in moments if each is not None), default=None)

    # -- what a scheduler asks ---------------------------------------------------------

    def live(self) -> list[Execution]:
        """Return executions that have not ended."""
        return [run for run in self.draft.executions if not run.is_terminal]

    def failed(self) -> list[Execution]:
        """Return executions that failed, but for those whose node was lost."""
        return [
            run
            for run in self.draft.executions
            if run.compute_state.state_type is ComputeState.FAILED and not lifecycle.is_lost(run)
        ]

    def is_past(self, moment_ns: int | None) -> bool:
        """Tell whether a deadline, if there is one, has come."""
        return moment_ns is not None and moment_ns <= self.context.now_ns

    # -- what a scheduler does ---------------------------------------------------------

    def place(self, node: NodeView, wanted: Requirements, partition_index: int = 0) -> None:
        """Create an execution on a node, which starts it if it can and may."""
        job, now_ns = self.draft.job, self.context.now_ns
        run = Execution(
            id=self.context.new_execution_id(),
            namespace=job.namespace,
            eval_id=self.claim.evaluation.id,
            node_id=node.node_id,
            job_id=job.id,
            partition_index=partition_index,
            desired_state=State[DesiredState](state_type=DesiredState.RUNNING),
            compute_state=State[ComputeState](state_type=ComputeState.NEW),
            revision=1,
            create_time=now_ns,
            modify_time=now_ns,
        )
        lifecycle.create(self.draft, run)
        self.bookings.append(Booking(run.id, job.id, node.node_id, wanted.resources))

    def stop_all(self, why: str) -> None:
        """Cancel everything that has not ended."""
        for run in self.live():
            event = events.stop_requested(self.context.now_ns, why)
            lifecycle.cancel(self.draft, run, event)

    def fail(self, event: Event) -> None:
        """End the job badly, and with it all that is still going."""
        for run in self.live():
            lifecycle.cancel(self.draft, run, events.stopped_with_job(self.context.now_ns))
        job_lifecycle.fail(self.draft, event)

    # -- what is over ------------------------------------------------------------------

    def _give_up_lost(self) -> None:
        known = self.context.cluster.known()
        for run in self.live():
            if run.node_id not in known:
                event = events.stop_requested(self.context.now_ns, "node has disappeared")
                lifecycle.give_up(self.draft, run, event, cause=lifecycle.LOST)

    def _give_up_late(self) -> None:
        for run in self.live():
            limits = self.context.backstop_seconds, self.context.present
            if self.is_past(deadlines.execution_deadline(self.draft.job, run, *limits)):
                seconds = self.draft.job.task.timeouts.effective_execution_timeout
                event = events.execution_timed_out(self.context.now_ns, seconds)
                lifecycle.give_up(self.draft, run, event)

    # -- evaluations -------------------------------------------------------------------

    def _settle_evaluations(self) -> Evaluation | None:
        """Keep one evaluation while the job waits for capacity; drop the others."""
        now_ns = self.context.now_ns
        claimed = self.claim.evaluation if self.blocked_shape is not None else None
        for evaluation in self.claim.stored:
            if claimed is None or evaluation.id != claimed.id:
                self.draft.evaluate(
                    msgspec.structs.replace(
                        evaluation, status=EvaluationStatus.COMPLETE, modify_time=now_ns
                    )
                )
        if claimed is None:
            return None
        standing = (EvaluationStatus.BLOCKED, self.awaited_since)
        if (claimed.status, claimed.awaited_since) == standing:
            return claimed
        kept = msgspec.structs.replace(
            claimed,
            status=EvaluationStatus.BLOCKED,
            awaited_since=self.awaited_since,
            modify_time=now_ns,
        )
        self.draft.evaluate(kept)
        return kept
