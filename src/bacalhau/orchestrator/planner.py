"""Turning plans into transactions (spec orchestration.md 2.7, 2.8).

A worker takes a job from the broker, decides on a snapshot, and applies the decision on condition
that nothing of the job has changed since. If something has, it decides again on what is true now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError, StaleWriteError
from bacalhau.lifecycle.changes import JobDraft
from bacalhau.models import Evaluation, ExecutionID, JobType, Trigger
from bacalhau.models.ids import EvaluationID
from bacalhau.scheduling.counted import schedule_batch, schedule_service
from bacalhau.scheduling.daemon import schedule_daemon
from bacalhau.scheduling.deadlines import BACKSTOP_SECONDS
from bacalhau.scheduling.locality import LOCALITY_SECONDS
from bacalhau.scheduling.ops import schedule_ops
from bacalhau.scheduling.plan import Claim, Context, Plan, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.lifecycle.changes import JobChanges
    from bacalhau.models import Job, NodeID
    from bacalhau.orchestrator.broker import Broker
    from bacalhau.orchestrator.deadlines import Deadlines
    from bacalhau.orchestrator.registry import NodeRegistry
    from bacalhau.orchestrator.wall_time import WallTime
    from bacalhau.ports import Ids, JobStore, Random

SCHEDULERS: dict[JobType, Scheduler] = {
    JobType.BATCH: schedule_batch,
    JobType.SERVICE: schedule_service,
    JobType.OPS: schedule_ops,
    JobType.DAEMON: schedule_daemon,
}
RETRY_AFTER_NS = 5_000_000_000

log = structlog.get_logger()


class Planner:
    """Looks at jobs, one at a time for each worker."""

    def __init__(
        self,
        *,
        store: JobStore,
        broker: Broker,
        registry: NodeRegistry,
        deadlines: Deadlines,
        clock: WallTime,
        random: Random,
        ids: Ids,
        wake: Callable[[NodeID], None],
        backstop_seconds: float = BACKSTOP_SECONDS,
        locality_seconds: float = LOCALITY_SECONDS,
    ) -> None:
        self._store = store
        self._broker = broker
        self._registry = registry
        self._deadlines = deadlines
        self._clock = clock
        self._random = random
        self._ids = ids
        self._wake = wake
        self._backstop_seconds = backstop_seconds
        self._locality_seconds = locality_seconds

    async def work(self) -> None:
        """Look at one job after another, for ever."""
        while True:
            claim = await self._broker.claim()
            job_id = claim.evaluation.job_id
            try:
                plan = await self._decide(claim)
            except BacalhauError as exc:
                log.warning("evaluation_failed", job_id=job_id, code=exc.code, error=exc.message)
                self._broker.put_back(claim)
                self._deadlines.set(job_id, self._clock.now_ns() + RETRY_AFTER_NS)
                continue
            if plan is None:
                self._broker.done(claim, kept=None, shape=None)
                continue
            self._broker.done(claim, kept=plan.kept, shape=plan.blocked_shape)
            self._deadlines.set(job_id, plan.next_deadline_ns)

    def look_again(self, job: Job, trigger: Trigger) -> None:
        """Ask for a look at a job that nothing in the store asks for."""
        self._broker.enqueue(self.evaluation(job, trigger), stored=False)

    def evaluation(self, job: Job, trigger: Trigger) -> Evaluation:
        """Make an evaluation of a job."""
        now_ns = self._clock.now_ns()
        return Evaluation(
            id=EvaluationID(self._ids.uuid()),
            namespace=job.namespace,
            job_id=job.id,
            triggered_by=trigger,
            priority=job.priority,
            type=job.type,
            create_time=now_ns,
            modify_time=now_ns,
        )

    async def _decide(self, claim: Claim) -> Plan | None:
        while True:
            snapshot = self._store.snapshot(claim.evaluation.job_id)
            if snapshot is None:
                return None
            plan = self._plan(JobDraft(snapshot, self._clock.now_ns()), claim)
            if plan.changes is None:
                return plan
            # Booked before the write, so that no other worker gives the same room away meanwhile.
            self._registry.book(plan.bookings)
            booked = [booking.execution_id for booking in plan.bookings]
            try:
                await self._store.apply(plan.changes)
            except StaleWriteError:
                self._registry.release(booked)
                continue
            except BaseException:
                self._registry.release(booked)
                raise
            self.follow_up(plan.changes)
            return plan

    def look_within(self, draft: JobDraft) -> Plan | None:
        """Look at a job as a transaction under way will leave it, and plan what is to be added.

        None when the job needs room on a node: that is given to jobs in their order, so an
        evaluation has to ask for it. Otherwise the plan's changes are to be applied instead of the
        draft's.
        """
        draft.end_step()
        plan = self._plan(draft, Claim(self.evaluation(draft.job, Trigger.EXEC_UPDATE)))
        return None if plan.bookings or plan.blocked_shape is not None else plan

    def _plan(self, draft: JobDraft, claim: Claim) -> Plan:
        return SCHEDULERS[draft.job.type](draft, claim, self._context(draft.now_ns))

    def follow_up(self, changes: JobChanges) -> None:
        """Do what stored changes make possible: send, and use the room of what has ended."""
        for node_id in dict.fromkeys(node_id for node_id, _ in changes.messages):
            self._wake(node_id)
        ended = [execution.id for execution in changes.executions if execution.is_terminal]
        if self._registry.release(ended):
            self._broker.capacity_freed()

    def _context(self, now_ns: int) -> Context:
        return Context(
            cluster=self._registry.cluster(),
            now_ns=now_ns,
            draw=self._random.random,
            new_execution_id=lambda: ExecutionID(f"e-{self._ids.uuid()}"),
            backstop_seconds=self._backstop_seconds,
            present=self._clock.present,
            locality_seconds=self._locality_seconds,
        )
