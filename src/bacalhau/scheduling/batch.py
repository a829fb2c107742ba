"""Scheduling of batch jobs (spec orchestration.md 2.9).

One pass compares what the job wants with what it has: it gives up what is lost or too late,
approves bids, asks for what is missing, and ends the job when all is done or nothing more can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.lifecycle import events
from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.lifecycle.changes import JobDraft
from bacalhau.lifecycle.connection import Presence
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Evaluation,
    EvaluationStatus,
    Event,
    Execution,
    NodeID,
    State,
)
from bacalhau.scheduling import deadlines
from bacalhau.scheduling.feasibility import closed_nodes, count_attempts
from bacalhau.scheduling.plan import Booking, Claim, Context, Plan
from bacalhau.scheduling.ranking import choose
from bacalhau.scheduling.requirements import requirements_of
from bacalhau.scheduling.shortage import shortage_event, shortage_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.lifecycle.changes import JobSnapshot
    from bacalhau.scheduling.feasibility import Verdict


def schedule_batch(snapshot: JobSnapshot, claim: Claim, context: Context) -> Plan:
    """Plan one batch job. Shapes: see Plan."""
    return _Pass(snapshot, claim, context).plan()


class _Pass:
    """One look at one job."""

    def __init__(self, snapshot: JobSnapshot, claim: Claim, context: Context) -> None:
        self.draft = JobDraft(snapshot, context.now_ns)
        self.claim = claim
        self.context = context
        self.bookings: list[Booking] = []
        self.verdicts: tuple[Verdict, ...] = ()
        self.blocked_shape: bytes | None = None

    def plan(self) -> Plan:
        if self.draft.job.is_terminal:
            self._stop_all("job has been stopped")
        else:
            self._reconcile()
        self._settle_evaluations()
        changes = None if self.draft.is_empty else self.draft.changes(guard_job=True)
        return Plan(
            changes=changes,
            bookings=tuple(self.bookings),
            blocked_shape=self.blocked_shape,
            next_deadline_ns=deadlines.next_deadline(self.draft.job, self.draft.executions),
            verdicts=self.verdicts,
        )

    def _reconcile(self) -> None:
        if self._is_past(deadlines.total_deadline(self.draft.job)):
            seconds = self.draft.job.task.timeouts.total_timeout
            self._fail(events.job_timed_out(self.context.now_ns, seconds))
            return
        self._give_up_lost()
        self._give_up_late()
        completed = [run for run in self.draft.executions if _is_completed(run)]
        remaining = max(0, self.draft.job.count - len(completed))
        if remaining == 0:
            self._stop_all("there are more executions than needed")
            job_lifecycle.complete(self.draft)
            return
        covered = self._approve(remaining)
        if covered < remaining:
            self._fill(remaining - covered)

    # -- what is over ------------------------------------------------------------------

    def _give_up_lost(self) -> None:
        for run in self._live():
            if self.context.cluster.presence(run.node_id) is Presence.LOST:
                event = events.stop_requested(self.context.now_ns, "node has disappeared")
                lifecycle.give_up(self.draft, run, event, cause=lifecycle.LOST)

    def _give_up_late(self) -> None:
        for run in self._live():
            if self._is_past(deadlines.execution_deadline(self.draft.job, run)):
                seconds = self.draft.job.task.timeouts.effective_execution_timeout
                event = events.execution_timed_out(self.context.now_ns, seconds)
                lifecycle.give_up(self.draft, run, event)

    def _stop_all(self, why: str) -> None:
        for run in self._live():
            event = events.stop_requested(self.context.now_ns, why)
            lifecycle.cancel(self.draft, run, event)

    def _fail(self, event: Event) -> None:
        for run in self._live():
            lifecycle.cancel(self.draft, run, events.stopped_with_job(self.context.now_ns))
        job_lifecycle.fail(self.draft, event)

    # -- what goes on ------------------------------------------------------------------

    def _approve(self, remaining: int) -> int:
        """Accept bids, oldest first, up to what is needed; return how many executions count."""
        live = sorted(self._live(), key=lambda run: (run.modify_time, run.create_time))
        running = [run for run in live if run.desired_state.state_type is DesiredState.RUNNING]
        covered = len(running)
        for run in running[remaining:]:
            event = events.stop_requested(
                self.context.now_ns, "there are more executions than needed"
            )
            lifecycle.cancel(self.draft, run, event)
        bids = [run for run in live if run.compute_state.state_type is _BID]
        asked = [run for run in live if run not in running and run not in bids]
        for run in [*bids, *asked]:
            if covered >= remaining:
                lifecycle.reject(self.draft, run, "node has been rejected")
                continue
            covered += 1
            if run.compute_state.state_type is _BID:
                lifecycle.approve(self.draft, run)
                job_lifecycle.start(self.draft)
        return min(covered, remaining)

    def _fill(self, missing: int) -> None:
        permanent = next((run for run in self._failed() if not lifecycle.may_retry(run)), None)
        if permanent is not None:
            state = permanent.compute_state
            self._fail(events.job_failed(self.context.now_ns, state.message, state.details))
            return
        wanted = requirements_of(self.draft.job)
        attempts = count_attempts(self.draft.executions)
        candidates = self.context.cluster.candidates()
        chosen, verdicts = choose(candidates, wanted, attempts, missing, self.context.draw)
        self.verdicts = tuple(verdicts)
        if len(chosen) < missing and not self._may_wait(verdicts):
            self._fail(self._shortage(missing, len(chosen)))
            return
        for node in chosen:
            run = self._new_execution(node.node_id)
            lifecycle.create(self.draft, run)
            self.bookings.append(Booking(run.id, run.job_id, node.node_id, wanted.resources))
        if len(chosen) < missing:
            self.blocked_shape = wanted.shape(closed_nodes(attempts))
            if not self._live():
                why = shortage_text(missing, len(chosen), verdicts)
                job_lifecycle.queue(self.draft, why)

    def _may_wait(self, verdicts: Sequence[Verdict]) -> bool:
        """Wait for a busy node without limit, for any node as long as the queue time-out allows."""
        limit = deadlines.queue_deadline(self.draft.job)
        if limit is not None:
            return not self._is_past(limit)
        return any(verdict.is_busy for verdict in verdicts)

    def _shortage(self, missing: int, suitable: int) -> Event:
        failed = self._failed()
        if failed:
            state = failed[-1].compute_state
            return events.job_failed(
                self.context.now_ns,
                f"Job failed because it has been retried too many times: {state.message}",
                state.details,
            )
        refused = [
            run
            for run in self.draft.executions
            if run.compute_state.state_type is ComputeState.ASK_FOR_BID_REJECTED
        ]
        event = shortage_event(self.context.now_ns, missing, suitable, self.verdicts)
        if not refused:
            return event
        reasons = dict.fromkeys(run.compute_state.message for run in refused)
        text = "\n".join([event.message, *(f"• {reason}" for reason in reasons if reason)])
        return msgspec.structs.replace(event, message=text)

    # -- pieces ------------------------------------------------------------------------

    def _live(self) -> list[Execution]:
        return [run for run in self.draft.executions if not run.is_terminal]

    def _failed(self) -> list[Execution]:
        return [
            run
            for run in self.draft.executions
            if run.compute_state.state_type is ComputeState.FAILED and not lifecycle.is_lost(run)
        ]

    def _is_past(self, moment_ns: int | None) -> bool:
        return moment_ns is not None and moment_ns <= self.context.now_ns

    def _new_execution(self, node_id: NodeID) -> Execution:
        job = self.draft.job
        return Execution(
            id=self.context.new_execution_id(),
            namespace=job.namespace,
            eval_id=self.claim.evaluation.id,
            node_id=node_id,
            job_id=job.id,
            desired_state=State[DesiredState](state_type=DesiredState.PENDING),
            compute_state=State[ComputeState](state_type=ComputeState.NEW),
            revision=1,
            create_time=self.context.now_ns,
            modify_time=self.context.now_ns,
        )

    def _settle_evaluations(self) -> None:
        """Keep one evaluation while the job waits for capacity; drop the others."""
        kept = self.claim.evaluation if self.blocked_shape is not None else None
        for evaluation in self.claim.stored:
            if kept is None or evaluation.id != kept.id:
                self._store(evaluation, EvaluationStatus.COMPLETE)
        if kept is not None and kept.status is not EvaluationStatus.BLOCKED:
            self._store(kept, EvaluationStatus.BLOCKED)

    def _store(self, evaluation: Evaluation, status: EvaluationStatus) -> None:
        self.draft.evaluate(
            msgspec.structs.replace(evaluation, status=status, modify_time=self.context.now_ns)
        )


_BID = ComputeState.ASK_FOR_BID_ACCEPTED


def _is_completed(run: Execution) -> bool:
    return run.compute_state.state_type is ComputeState.COMPLETED
