"""What the orchestrator asks for, made durable before anything is done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bacalhau.compute.moves import Move, message_of, moved, received
from bacalhau.errors import StaleWriteError
from bacalhau.lifecycle.events import event
from bacalhau.lifecycle.local import Refusal, Step
from bacalhau.models import ComputeState, Topic
from bacalhau.protocol.messages import AskForBid, CancelExecution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.compute.records import Records
    from bacalhau.models import Execution, ExecutionID
    from bacalhau.ports import Clock, LocalExecution
    from bacalhau.protocol.messages import FromNode, ToNode


class Work(Protocol):
    """Who acts on a change that has been stored."""

    def bid(self, execution_id: ExecutionID) -> None:
        """Work out a bid for a new execution."""
        ...

    def run(self, record: LocalExecution) -> None:
        """Queue an execution that was accepted before."""
        ...

    def drop(self, execution_id: ExecutionID) -> None:
        """Stop whatever goes on for an execution that is no longer wanted."""
        ...


@dataclass
class _Batch:
    """What a batch of messages comes to."""

    records: dict[ExecutionID, LocalExecution] = field(default_factory=dict)
    answers: list[FromNode] = field(default_factory=list)


class Inbox:
    """Turns messages into stored changes, a batch in one transaction, and sees to the rest."""

    def __init__(self, records: Records, work: Work, clock: Clock) -> None:
        self._records = records
        self._work = work
        self._clock = clock

    async def take(self, messages: Sequence[ToNode]) -> None:
        """Store what the messages change; repeated ones change nothing.

        Raises:
            BacalhauError: the store failed; nothing of the batch counts as taken.
        """
        while True:
            batch = self._judge(messages)
            if not batch.records and not batch.answers:
                return
            try:
                await self._records.write(list(batch.records.values()), batch.answers)
            except StaleWriteError:
                continue
            for record in batch.records.values():
                self._act_on(record)
            return

    def _judge(self, messages: Sequence[ToNode]) -> _Batch:
        batch = _Batch()
        for message in messages:
            self._judge_one(message, batch)
        return batch

    def _judge_one(self, message: ToNode, batch: _Batch) -> None:
        if isinstance(message, AskForBid):
            self._judge_offer(message.execution, batch)
        else:
            self._judge_cancellation(message, batch)

    def _judge_offer(self, offered: Execution, batch: _Batch) -> None:
        known = self._known(offered.id, batch)
        if known is None:
            batch.records[offered.id] = received(offered, self._clock.now_ns())
            return
        # Offered again although it is known: the orchestrator has not heard the end of it.
        last_word = message_of(known) if known.state.is_terminal else None
        if last_word is not None:
            batch.answers.append(last_word)

    def _judge_cancellation(self, message: CancelExecution, batch: _Batch) -> None:
        known = self._known(message.execution_id, batch)
        if known is None:
            return
        now_ns = self._clock.now_ns()
        said = message.reason or "Execution cancelled by the orchestrator"
        move = Move(step=Step.CANCELLED, event=event(now_ns, Topic.EXECUTION, said))
        after = moved(known, move, now_ns)
        if not isinstance(after, Refusal):
            batch.records[known.id] = after

    def _known(self, execution_id: ExecutionID, batch: _Batch) -> LocalExecution | None:
        return batch.records.get(execution_id) or self._records.read(execution_id)

    def _act_on(self, record: LocalExecution) -> None:
        if record.state is ComputeState.NEW:
            self._work.bid(record.id)
        elif record.state.is_terminal:
            self._work.drop(record.id)
