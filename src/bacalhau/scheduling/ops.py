"""Scheduling of ops jobs: once on every node that fits (spec orchestration.md 2.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lifecycle import events
from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.scheduling.feasibility import judge
from bacalhau.scheduling.look import Look
from bacalhau.scheduling.requirements import requirements_of
from bacalhau.scheduling.shortage import no_match_event, no_match_text

if TYPE_CHECKING:
    from bacalhau.lifecycle.changes import JobDraft
    from bacalhau.models import Event
    from bacalhau.scheduling.plan import Claim, Context, Plan


def schedule_ops(draft: JobDraft, claim: Claim, context: Context) -> Plan:
    """Plan one ops job. Shapes: see Plan."""
    return _OpsLook(draft, claim, context).plan()


class _OpsLook(Look):
    """Wants one execution on each node that fits at the first look, and none again."""

    def reconcile(self) -> None:
        if not self.draft.executions and not self.draft.completed.count:
            self._spread()
        elif not self.live():
            self._end()

    def _spread(self) -> None:
        """Place executions; nodes without room now queue them, nodes that are away are left out."""
        wanted = requirements_of(self.draft.job)
        candidates = self.context.cluster.candidates()
        self.verdicts = tuple(judge(candidates, wanted, {}))
        fitting = [verdict.node for verdict in self.verdicts if verdict.may_queue]
        for node in fitting:
            self.place(node, wanted)
        if fitting:
            job_lifecycle.start(self.draft)
        elif any(verdict.is_busy for verdict in self.verdicts):
            self.blocked_shape = wanted.shape(())
            job_lifecycle.queue(self.draft, no_match_text(self.verdicts))
        else:
            self.fail(no_match_event(self.context.now_ns, wanted, self.verdicts))

    def _end(self) -> None:
        if all(run.is_completed for run in self.draft.executions):
            job_lifecycle.complete(self.draft)
        else:
            self.fail(self._failure())

    def _failure(self) -> Event:
        bad = [run for run in self.draft.executions if run.is_discarded]
        reasons = dict.fromkeys(run.compute_state.message for run in bad)
        told = "; ".join(reason for reason in reasons if reason)
        text = "Job failed because one or more executions failed"
        details = bad[0].compute_state.details
        return events.job_failed(self.context.now_ns, f"{text}: {told}" if told else text, details)
