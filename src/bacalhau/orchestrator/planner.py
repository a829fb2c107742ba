"""Turning plans into transactions (spec orchestration.md 2.7, 2.8).

A worker takes a job from the broker, decides on a snapshot, and applies the decision on condition
that nothing of the job has changed since. If something has, it decides again on what is true now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError, StaleWriteError
from bacalhau.models import Evaluation, ExecutionID, JobType, Trigger
from bacalhau.models.ids import EvaluationID
from bacalhau.scheduling.counted import schedule_batch, schedule_service
from bacalhau.scheduling.daemon import schedule_daemon
from bacalhau.scheduling.ops import schedule_ops
from bacalhau.scheduling.plan import Claim, Context, Plan, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.lifecycle.changes import JobChanges
    from bacalhau.models import Job, NodeID
    from bacalhau.orchestrator.broker import Broker
    from bacalhau.orchestrator.deadlines import Deadlines
    from bacalhau.orchestrator.registry import NodeRegistry
    from bacalhau.ports import Clock, Ids, JobStore, Random

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
        clock: Clock,
        random: Random,
        ids: Ids,
        wake: Callable[[NodeID], None],
    ) -> None:
        self._store = store
        self._broker = broker
        self._registry = registry
        self._deadlines = deadlines
        self._clock = clock
        self._random = random
        self._ids = ids
        self._wake = wake

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
            kept = claim.evaluation if plan.blocked_shape is not None else None
            self._broker.done(claim, kept=kept, shape=plan.blocked_shape)
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
            plan = SCHEDULERS[snapshot.job.type](snapshot, claim, self._context())
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
            self._after(plan.changes)
            return plan

    def _after(self, changes: JobChanges) -> None:
        for node_id in dict.fromkeys(node_id for node_id, _ in changes.messages):
            self._wake(node_id)
        ended = [execution.id for execution in changes.executions if execution.is_terminal]
        if self._registry.release(ended):
            self._broker.capacity_freed()

    def _context(self) -> Context:
        return Context(
            cluster=self._registry.cluster(),
            now_ns=self._clock.now_ns(),
            draw=self._random.random,
            new_execution_id=lambda: ExecutionID(f"e-{self._ids.uuid()}"),
        )
