"""Scheduling of batch and service jobs (spec orchestration.md 2.9).

Both keep a number of executions: a batch job until as many have completed, a service for ever.
Each works on a partition of its own, from 0, which passes to its replacement when it ends without a
result (spec orchestration.md 11.3).
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import islice
from typing import TYPE_CHECKING

from bacalhau.lifecycle import events
from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.models import ComputeState, Event, Execution
from bacalhau.scheduling import deadlines
from bacalhau.scheduling.feasibility import closed_nodes, count_attempts
from bacalhau.scheduling.locality import Stock, patience_of, wait_text
from bacalhau.scheduling.look import Look
from bacalhau.scheduling.ranking import Chooser
from bacalhau.scheduling.requirements import requirements_of
from bacalhau.scheduling.shortage import shortage_event, shortage_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bacalhau.lifecycle.changes import JobDraft
    from bacalhau.models import NodeID
    from bacalhau.scheduling.feasibility import Attempts, Verdict
    from bacalhau.scheduling.locality import Patience, Wait
    from bacalhau.scheduling.plan import Claim, Context, Plan
    from bacalhau.scheduling.ranking import Choice
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
        attempts = count_attempts(self.draft.executions, self.draft.completed)
        patience = self._patience()
        choice = self._choose(wanted, attempts, missing, patience)
        self.verdicts = tuple(choice.verdicts)
        is_short = len(choice.placed) < missing
        if is_short and not choice.awaited and not self._may_wait(self.verdicts):
            self.fail(self._shortage(wanted, missing, len(choice.placed)))
            return
        for index, node in choice.placed:
            self.place(node, wanted, index)
        if is_short:
            self.blocked_shape = wanted.shape(closed_nodes(attempts))
        if choice.awaited:
            self._await_room(choice.awaited, patience)
        elif is_short and not self.live():
            why = shortage_text(missing, len(choice.placed), self.verdicts)
            job_lifecycle.queue(self.draft, why)

    def _choose(
        self,
        wanted: Requirements,
        attempts: Mapping[NodeID, Attempts],
        missing: int,
        patience: Patience,
    ) -> Choice:
        candidates = self.context.cluster.candidates()
        chooser = Chooser(
            candidates,
            wanted,
            attempts,
            stock=Stock(self.draft.job, candidates),
            patience=patience,
            draw=self.context.draw,
        )
        return chooser.choose(islice(self._free_partitions(), missing))

    def _patience(self) -> Patience:
        job, now_ns, present = self.draft.job, self.context.now_ns, self.context.present
        since_ns = present(self.awaited_since) if self.awaited_since else now_ns
        limit = deadlines.queue_deadline(job, present)
        return patience_of(job, since_ns, now_ns, self.context.locality_seconds, limit)

    def _await_room(self, awaited: Sequence[Wait], patience: Patience) -> None:
        """Wait a while for nodes that have the inputs, apart from jobs that wait for any room."""
        assert self.blocked_shape is not None, "who waits has not found all its nodes"
        best = max(awaited, key=lambda wait: wait.saved_bytes)
        self.awaits_until = min(patience.until(wait.saved_bytes) for wait in awaited)
        nodes = " ".join(sorted({wait.node.node_id for wait in awaited}))
        self.blocked_shape += f" near {nodes}".encode()
        if self.awaited_since:
            return
        self.awaited_since = self.context.now_ns
        longest = patience.until(best.saved_bytes) - self.context.now_ns
        why = wait_text(best, longest / deadlines.SECOND)
        if self.live():
            self.draft.job_event(events.job_queued(self.context.now_ns, why))
        else:
            job_lifecycle.queue(self.draft, why, waits_for=nodes)

    @abstractmethod
    def done(self) -> frozenset[int]:
        """Return the partitions that are not to be worked on again."""

    def _free_partitions(self) -> Iterator[int]:
        """Yield the partitions that nobody works on or has done, the lowest first."""
        held = self.done().union(run.partition_index for run in self.live())
        return (index for index in range(self.draft.job.count) if index not in held)

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
        remaining = max(0, self.draft.job.count - self.draft.completed.count)
        if remaining == 0:
            self.stop_all("there are more executions than needed")
            job_lifecycle.complete(self.draft)
            return
        covered = self.trim(remaining)
        if covered < remaining:
            self.fill(remaining - covered)

    def done(self) -> frozenset[int]:
        return self.draft.completed.partitions


class _ServiceLook(_CountedLook):
    """Wants as many running executions as the job counts, whatever became of earlier ones."""

    def reconcile(self) -> None:
        covered = self.trim(self.draft.job.count)
        if covered < self.draft.job.count:
            self.fill(self.draft.job.count - covered)

    def done(self) -> frozenset[int]:
        return frozenset()


def _is_accepted(run: Execution) -> bool:
    return run.compute_state.state_type is ComputeState.BID_ACCEPTED
