"""What nodes report, written into the store (spec orchestration.md 7.2)."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError, StaleWriteError
from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle.changes import JobDraft
from bacalhau.models import Trigger
from bacalhau.orchestrator.turns import Turns
from bacalhau.protocol.messages import (
    Answer,
    AskForBid,
    CancelExecution,
    FromNode,
    InputsRead,
    Report,
    Sequenced,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bacalhau.lifecycle.changes import JobSnapshot
    from bacalhau.models import Execution, ExecutionID, JobID, NodeID
    from bacalhau.orchestrator.broker import Broker
    from bacalhau.orchestrator.deadlines import Deadlines
    from bacalhau.orchestrator.planner import Planner
    from bacalhau.ports import Clock, JobStore

log = structlog.get_logger()


class Answers:
    """Takes results, refusals and failures; and compares what a node runs with what it should."""

    def __init__(
        self,
        *,
        store: JobStore,
        broker: Broker,
        deadlines: Deadlines,
        planner: Planner,
        clock: Clock,
        wake: Callable[[NodeID], None],
    ) -> None:
        self._store = store
        self._broker = broker
        self._deadlines = deadlines
        self._planner = planner
        self._clock = clock
        self._wake = wake
        self._turns = Turns(self._take_answers)

    async def take(self, node_id: NodeID, batch: Sequence[FromNode]) -> None:
        """Store a batch of one node's messages, those about one job together.

        Each state that an execution passes through is a transaction of its own.

        Raises:
            BacalhauError: the store failed; the batch, or part of it, is to be sent again.
        """
        by_job: dict[JobID, list[FromNode]] = {}
        for message in batch:
            execution = self._store.execution(message.execution_id)
            if execution is None or execution.node_id != node_id:
                log.info("answer_ignored", node_id=node_id, execution_id=message.execution_id)
            else:
                by_job.setdefault(execution.job_id, []).append(message)
        async with asyncio.TaskGroup() as tasks:
            taken = [
                tasks.create_task(self._take_all(job_id, messages))
                for job_id, messages in by_job.items()
            ]
        failures = [failure for each in taken if (failure := each.result()) is not None]
        if failures:
            raise failures[0]

    async def _take_all(self, job_id: JobID, messages: Sequence[FromNode]) -> BacalhauError | None:
        """Take messages about one job; return what stopped it.

        Not raised: that would cancel the other jobs' between a write and the look it asks for.
        """
        read = [message for message in messages if isinstance(message, InputsRead)]
        answers = [message for message in messages if not isinstance(message, InputsRead)]
        try:
            if read:
                # Whatever became of the job: it was read, and nothing follows.
                await self._store.apply(lifecycle.inputs_read(job_id, read))
            for some in _in_rounds(answers):
                await self._turns.take(job_id, some)
        except BacalhauError as exc:
            return exc
        return None

    async def _take_answers(self, job_id: JobID, answers: Sequence[Answer]) -> None:
        while True:
            draft = self._answered(job_id, answers)
            if draft is None:
                return
            try:
                if not await self._settle(draft):
                    await self._store_and_ask(job_id, answers)
            except StaleWriteError:
                continue
            return

    async def _settle(self, draft: JobDraft) -> bool:
        """Store answers with all that follows from them; False when a node is needed for that."""
        plan = self._planner.look_within(draft)
        if plan is None:
            return False
        assert plan.changes is not None, "an answer that is taken changes something"
        await self._store.apply(plan.changes)
        self._deadlines.set(draft.job.id, plan.next_deadline_ns)
        self._planner.follow_up(plan.changes)
        if draft.job.id in self._broker:
            # It waits for something that may be settled now.
            self._planner.look_again(draft.job, Trigger.EXEC_UPDATE)
        return True

    async def _store_and_ask(self, job_id: JobID, answers: Sequence[Answer]) -> None:
        """Store answers, and an evaluation that asks for what is to follow."""
        draft = self._answered(job_id, answers)
        if draft is None:
            return
        evaluation = self._planner.evaluation(draft.job, Trigger.EXEC_UPDATE)
        draft.evaluate(evaluation)
        changes = draft.changes(guard_job=True)
        await self._store.apply(changes)
        self._broker.enqueue(evaluation, stored=True)
        self._planner.follow_up(changes)

    def _answered(self, job_id: JobID, answers: Sequence[Answer]) -> JobDraft | None:
        """Return the job with answers taken; None when all are late, repeated or misplaced."""
        snapshot = self._store.snapshot(job_id)
        if snapshot is None:
            return None
        draft = JobDraft(snapshot, self._clock.now_ns())
        for answer in answers:
            execution = draft.execution(answer.execution_id)
            is_taken = (
                execution is not None
                and not snapshot.job.is_terminal
                and lifecycle.answer(draft, execution, answer)
            )
            if is_taken:
                draft.end_step()
            else:
                log.info("answer_ignored", job_id=job_id, execution_id=answer.execution_id)
        return None if draft.is_empty else draft

    def _find(
        self, node_id: NodeID, execution_id: ExecutionID
    ) -> tuple[JobSnapshot, Execution] | None:
        execution = self._store.execution(execution_id)
        if execution is None or execution.node_id != node_id:
            return None
        snapshot = self._store.snapshot(execution.job_id)
        if snapshot is None:
            return None
        current = next((item for item in snapshot.executions if item.id == execution_id), None)
        return None if current is None else (snapshot, current)

    # -- comparison --------------------------------------------------------------------

    async def compare(self, node_id: NodeID, report: Report) -> None:
        """Offer again what the node should run and does not know; cancel what it should not run.

        A report that is older than what was sent since says nothing, and is ignored.
        """
        # In this order: what is written between the two has its message among those that wait.
        live = {item.id: item for item in await self._store.live_executions(node_id)}
        waiting = await self._store.outbox(node_id, after=0, limit=0)
        if report.received < self._store.outbox_floor(node_id):
            return
        on_their_way = {_execution_of(stored.message) for stored in waiting}
        reported = report.executions.keys()
        for execution_id in sorted(live.keys() - reported - on_their_way - {*report.untold}):
            await self._offer_again(live[execution_id])
        for execution_id in sorted(reported - live.keys() - on_their_way):
            await self._cancel_stray(node_id, execution_id)
        self._wake(node_id)

    async def _offer_again(self, execution: Execution) -> None:
        found = self._find(execution.node_id, execution.id)
        if found is None or found[1].is_terminal:
            return
        snapshot, current = found
        log.warning("execution_offered_again", execution_id=execution.id, node_id=execution.node_id)
        draft = JobDraft(snapshot, self._clock.now_ns())
        draft.send(execution.node_id, lifecycle.offer(draft, current))
        with suppress(StaleWriteError):  # the next report will tell
            await self._store.apply(draft.changes(guard_job=True))

    async def _cancel_stray(self, node_id: NodeID, execution_id: ExecutionID) -> None:
        log.warning("execution_cancelled_as_stray", execution_id=execution_id, node_id=node_id)
        message = CancelExecution(execution_id=execution_id, reason="execution is not wanted")
        await self._store.send(node_id, message)


def _in_rounds(answers: Sequence[Answer]) -> list[list[Answer]]:
    """Divide answers so that each round has one of each execution at most, in their order."""
    rounds: list[list[Answer]] = []
    taken: Counter[ExecutionID] = Counter()
    for answer in answers:
        if taken[answer.execution_id] == len(rounds):
            rounds.append([])
        rounds[taken[answer.execution_id]].append(answer)
        taken[answer.execution_id] += 1
    return rounds


def _execution_of(message: Sequenced) -> ExecutionID:
    return message.execution.id if isinstance(message, AskForBid) else message.execution_id
