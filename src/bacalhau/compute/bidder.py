"""Answers offers, several at a time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from bacalhau.compute.failures import COMPONENT, defects_contained
from bacalhau.compute.inputs import share_of
from bacalhau.compute.moves import Move
from bacalhau.errors import BacalhauError, InternalError
from bacalhau.lifecycle.events import error_event, event
from bacalhau.lifecycle.local import Refusal, Step
from bacalhau.models import ComputeState, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bacalhau.compute.bidding import Bid, BidPolicy
    from bacalhau.compute.records import Records
    from bacalhau.models import ExecutionID
    from bacalhau.ports import Clock, LocalExecution

log = structlog.get_logger()


class Bidder:
    """Works out bids in tasks of its own; ``run`` takes those that may start at once."""

    def __init__(
        self,
        *,
        records: Records,
        policy: BidPolicy,
        clock: Clock,
        run: Callable[[LocalExecution], None],
        at_once: int,
    ) -> None:
        self._records = records
        self._policy = policy
        self._clock = clock
        self._run = run
        self._slots = asyncio.Semaphore(at_once)
        self._tasks: dict[ExecutionID, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Live; at the end unfinished bids are dropped, and made again at the next start."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None
                for task in list(self._tasks.values()):
                    task.cancel()

    def bid(self, execution_id: ExecutionID) -> None:
        """Begin to work out a bid, unless that goes on already."""
        if self._group is None or execution_id in self._tasks:
            return
        task = self._group.create_task(self._answer(execution_id))
        self._tasks[execution_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(execution_id))

    def drop(self, execution_id: ExecutionID) -> None:
        """Stop working on a bid that is no longer wanted."""
        task = self._tasks.get(execution_id)
        if task is not None:
            task.cancel()

    async def _answer(self, execution_id: ExecutionID) -> None:
        async with self._slots:
            record = self._records.read(execution_id)
            if record is None or record.state is not ComputeState.NEW:
                return
            move = await self._decide(record)
            after = await self._records.advance(execution_id, move)
        if isinstance(after, Refusal):
            return
        log.info("bid_answered", execution_id=execution_id, state=after.state.title)
        if after.state is ComputeState.BID_ACCEPTED:
            self._run(after)

    async def _decide(self, record: LocalExecution) -> Move:
        try:
            with defects_contained(record.id):
                bid = await self._judge(record)
        except BacalhauError as exc:
            said = error_event(self._clock.now_ns(), Topic.EXEC_SCANNING, exc)
            return Move(step=Step.FAILED, event=said, retryable=exc.retryable, tells=True)
        if bid.reasons:
            said = event(self._clock.now_ns(), Topic.EXEC_SCANNING, bid.text, Hint=bid.hint)
            return Move(step=Step.REFUSED, event=said, tells=True)
        warned = None
        if bid.warnings:
            warned = event(self._clock.now_ns(), Topic.EXEC_SCANNING, "; ".join(bid.warnings))
        return Move(
            step=Step.BID,
            event=warned,
            allocated=bid.allocated,
            listings=bid.listings,
            tells=True,
        )

    async def _judge(self, record: LocalExecution) -> Bid:
        job = record.execution.job
        if job is None:
            raise InternalError(
                f"execution {record.id} was offered without its job", component=COMPONENT
            )
        return await self._policy.judge(job, share_of(record.execution, job))
