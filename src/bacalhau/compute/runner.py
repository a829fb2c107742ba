"""Runs executions as room allows (spec orchestration.md 6.3)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from bacalhau.compute.attempt import Attempt, clean_up
from bacalhau.compute.failures import COMPONENT
from bacalhau.compute.moves import Move
from bacalhau.errors import Code, ExecutionError
from bacalhau.lifecycle.events import error_event
from bacalhau.lifecycle.local import Step
from bacalhau.models import ComputeState, Topic
from bacalhau.models.capacity import task_resources
from bacalhau.scheduling.feasibility import format_resources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.compute.attempt import Surroundings
    from bacalhau.compute.ledger import Ledger
    from bacalhau.models import ExecutionID, Resources
    from bacalhau.ports import LocalExecution


_BEFORE_ITS_END = (ComputeState.BID_ACCEPTED, ComputeState.RUNNING)

log = structlog.get_logger()


class Runner:
    """The queue of accepted executions, and one task for each that runs.

    What an execution holds is freed when its task has ended, not when its end was asked for.
    """

    def __init__(self, *, ledger: Ledger, around: Surroundings) -> None:
        self._ledger = ledger
        self._around = around
        self._tasks: dict[ExecutionID, asyncio.Task[None]] = {}
        self._begun: dict[ExecutionID, None] = {}
        self._group: asyncio.TaskGroup | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Live; at the end running tasks are cancelled. They go on at the next start."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None
                for task in list(self._tasks.values()):
                    task.cancel()

    def run(self, record: LocalExecution) -> None:
        """Queue an execution, unless it is queued or running already."""
        if self._group is None or record.id in self._ledger:
            return
        resources = _allocated(record)
        if not self._ledger.can_ever_hold(resources):
            self._group.create_task(self._refuse(record, resources))
        elif self._ledger.enter(record.id, resources, _priority(record)):
            self._start(record.id)

    async def drain(self, limit_seconds: float) -> None:
        """Start nothing more, let what has only its end to tell do so, and let go of the rest.

        What is let go of goes on at the next start of the node. So does everything when the disk
        takes no write now: no end can be told then.
        """
        self._group = None
        is_refused = self._around.records.is_refused
        let_go = [each for each in self._tasks if is_refused or not self._has_run(each)]
        log.info(
            "executions_draining",
            ending=len(self._tasks) - len(let_go),
            let_go=len(let_go),
            queued=self._ledger.queued_count,
        )
        for execution_id in let_go:
            log.info("execution_let_go", execution_id=execution_id)
            self._tasks[execution_id].cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=limit_seconds)

    def _has_run(self, execution_id: ExecutionID) -> bool:
        record = self._around.records.read(execution_id)
        return record is None or record.state not in _BEFORE_ITS_END

    def drop(self, execution_id: ExecutionID) -> None:
        """Take an ended execution out of the queue, or stop it, in whatever phase it is."""
        record = self._around.records.read(execution_id)
        if self._ledger.withdraw(execution_id):
            if record is not None and self._group is not None:
                self._group.create_task(clean_up(record, self._around))
        elif execution_id in self._begun:
            self._tasks[execution_id].cancel()
        # A task that has not begun sees by itself that its execution has ended; cancelled now, it
        # would not even clean up. One that cleans up is let do so.

    def _start(self, execution_id: ExecutionID) -> None:
        if self._group is None:
            return
        task = self._group.create_task(self._attempt(execution_id))
        self._tasks[execution_id] = task
        # A callback: a task that is cancelled before its first step runs no `finally`.
        task.add_done_callback(lambda done: self._after(execution_id, done))

    async def _attempt(self, execution_id: ExecutionID) -> None:
        record = self._around.records.read(execution_id)
        if record is None:
            return
        self._begun[execution_id] = None
        try:
            if record.state.is_executing:
                held = self._ledger.held(execution_id)
                await Attempt(record, self._around, held).carry_out()
        finally:
            # From here on there is nothing to stop, and nobody may interrupt the cleaning.
            del self._begun[execution_id]
            await clean_up(record, self._around)

    def _after(self, execution_id: ExecutionID, done: asyncio.Task[None]) -> None:
        if not done.cancelled() and done.exception() is not None:
            self._group = None  # the group is about to stop: nothing may start in it any more
        del self._tasks[execution_id]
        for following in self._ledger.leave(execution_id):
            self._start(following)

    async def _refuse(self, record: LocalExecution, resources: Resources) -> None:
        """End what this node has no room for: its capacity was lowered since the bid."""
        error = ExecutionError(
            "not enough capacity to run job",
            code=Code.EXHAUSTED,
            hint=f"it was allocated {format_resources(resources)}; "
            f"this node offers {format_resources(self._ledger.capacity)}",
            component=COMPONENT,
            retryable=True,
        )
        now_ns = self._around.clock.now_ns()
        said = error_event(now_ns, Topic.PREPARING_ENVIRONMENT, error)
        await self._around.records.advance(
            record.id, Move(step=Step.FAILED, event=said, retryable=True, tells=True)
        )
        await clean_up(record, self._around)


def _allocated(record: LocalExecution) -> Resources:
    allocated = record.execution.allocated_resources
    job = record.execution.job
    if allocated.tasks or job is None:
        return allocated.total()
    return task_resources(job.task)


def _priority(record: LocalExecution) -> int:
    job = record.execution.job
    return job.priority if job is not None else 0
