"""Scheduling of batch and service jobs (spec orchestration.md 2.9).

Both keep a number of executions: a batch job until as many have completed, a service for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lifecycle import events
from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.models import ComputeState, Event, Execution
from bacalhau.scheduling import deadlines
from bacalhau.scheduling.feasibility import closed_nodes, count_attempts
from bacalhau.scheduling.look import Look
from bacalhau.scheduling.ranking import choose
from bacalhau.scheduling.requirements import requirements_of
from bacalhau.scheduling.shortage import shortage_event, shortage_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.lifecycle.changes import JobDraft
    from bacalhau.scheduling.feasibility import Verdict
    from bacalhau.scheduling.plan import Claim, Context, Plan
    from bacalhau.scheduling.requirements import Requirements


def schedule_batch(draft: JobDraft, claim: Claim, context: Context) -> Plan:
    """Plan one batch job. Shapes: see Plan."""
    return _BatchLook(draft, claim, context).plan()


def schedule_service(draft: JobDraft, claim: Claim, context: Context) -> Plan:
    """Plan one service job. Shapes: see Plan."""
    return _ServiceLook(draft, claim, context).plan()


class _CountedLook(Look):
    """Keeps a number of executions going."""

    def trim(self, wanted: int) -> int:
        """Cancel what is more than wanted, the youngest first; return how many executions stay."""
        # Those that stand equal stay in order of creation.
        live = sorted(self.live(), key=lambda run: not _is_accepted(run))
        for run in live[wanted:]:
            event = events.stop_requested(
                self.context.now_ns, "there are more executions than needed"
            )
            lifecycle.cancel(self.draft, run, event)
        return min(len(live), wanted)

    def fill(self, missing: int) -> None:
        permanent = next((run for run in self.failed() if not lifecycle.may_retry(run)), None)
        if permanent is not None:
            state = permanent.compute_state
            self.fail(events.job_failed(self.context.now_ns, state.message, state.details))
            return
        wanted = requirements_of(self.draft.job)
        attempts = count_attempts(self.draft.executions)
        candidates = self.context.cluster.candidates()
        chosen, verdicts = choose(candidates, wanted, attempts, missing, self.context.draw)
        self.verdicts = tuple(verdicts)
        if len(chosen) < missing and not self._may_wait(verdicts):
            self.fail(self._shortage(wanted, missing, len(chosen)))
            return
        for node in chosen:
            self.place(node, wanted)
        if len(chosen) < missing:
            self.blocked_shape = wanted.shape(closed_nodes(attempts))
            if not self.live():
                why = shortage_text(missing, len(chosen), verdicts)
                job_lifecycle.queue(self.draft, why)

    def _may_wait(self, verdicts: Sequence[Verdict]) -> bool:
        """Wait for a busy node without limit, for any node as long as the queue time-out allows."""
        limit = deadlines.queue_deadline(self.draft.job, self.context.present)
        if limit is not None:
            return not self.is_past(limit)
        return any(verdict.is_busy for verdict in verdicts)

    def _shortage(self, wanted: Requirements, missing: int, suitable: int) -> Event:
        failed = self.failed()
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
        return shortage_event(
            self.context.now_ns, missing, suitable, wanted, self.verdicts, refused
        )


class _BatchLook(_CountedLook):
    """Wants as many completed executions as the job counts."""

    def reconcile(self) -> None:
        remaining = max(0, self.draft.job.count - len(self.completed()))
        if remaining == 0:
            self.stop_all("there are more executions than needed")
            job_lifecycle.complete(self.draft)
            return
        covered = self.trim(remaining)
        if covered < remaining:
            self.fill(remaining - covered)


class _ServiceLook(_CountedLook):
    """Wants as many running executions as the job counts, whatever became of earlier ones."""

    def reconcile(self) -> None:
        covered = self.trim(self.draft.job.count)
        if covered < self.draft.job.count:
            self.fill(self.draft.job.count - covered)


def _is_accepted(run: Execution) -> bool:
    return run.compute_state.state_type is ComputeState.BID_ACCEPTED
