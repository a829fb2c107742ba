"""Scheduling of daemon jobs: on every node that fits, for ever (spec orchestration.md 2.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.scheduling.feasibility import closed_nodes, count_attempts, judge
from bacalhau.scheduling.look import Look
from bacalhau.scheduling.requirements import requirements_of

if TYPE_CHECKING:
    from bacalhau.lifecycle.changes import JobDraft
    from bacalhau.scheduling.plan import Claim, Context, Plan


def schedule_daemon(draft: JobDraft, claim: Claim, context: Context) -> Plan:
    """Plan one daemon job. Shapes: see Plan."""
    return _DaemonLook(draft, claim, context).plan()


class _DaemonLook(Look):
    """Wants one live execution on each node that fits; a failed one is tried once more.

    It never fails, and waits for nodes to join: whoever lets a node in looks at daemons again.
    """

    def reconcile(self) -> None:
        wanted = requirements_of(self.draft.job)
        attempts = count_attempts(self.draft.executions, self.draft.completed)
        taken = {run.node_id for run in self.live()}
        candidates = [
            node for node in self.context.cluster.candidates() if node.node_id not in taken
        ]
        self.verdicts = tuple(judge(candidates, wanted, attempts))
        for verdict in self.verdicts:
            if not verdict.reason:
                self.place(verdict.node, wanted)
        if self.bookings:
            job_lifecycle.start(self.draft)
        if any(verdict.is_busy for verdict in self.verdicts):
            # Never a shape of other jobs: what fits one daemon is no sign for the next.
            self.blocked_shape = self.draft.job.id.encode() + wanted.shape(closed_nodes(attempts))
