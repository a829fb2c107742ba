"""What the orchestrator asks for, made durable before anything is done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bacalhau.compute.moves import Move, message_of, moved, received
from bacalhau.errors import StaleWriteError
from bacalhau.lifecycle.events import event
from bacalhau.lifecycle.local import Refusal, Step
from bacalhau.models import ComputeState, Topic
from bacalhau.protocol.messages import AskForBid, BidAccepted, BidRejected, CancelExecution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.compute.records import Records
    from bacalhau.models import ExecutionID
    from bacalhau.ports import Clock, LocalExecution
    from bacalhau.protocol.messages import FromNode, ToNode


class Work(Protocol):
    """Who acts on a change that has been stored."""

    def bid(self, execution_id: ExecutionID) -> None:
        """Work out a bid for a new execution."""
        ...

    def run(self, record: LocalExecution) -> None:
        """Queue an execution whose bid was accepted."""
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
        offered = message.execution if isinstance(message, AskForBid) else None
        execution_id = offered.id if offered else _subject(message)
        known = batch.records.get(execution_id) or self._records.read(execution_id)
        if offered and known is None:
            batch.records[execution_id] = received(offered, self._clock.now_ns())
        elif offered and known is not None:
            # Offered again although it is known: the orchestrator has not heard the end of it.
            last_word = message_of(known) if known.state.is_terminal else None
            if last_word is not None:
                batch.answers.append(last_word)
        elif known is not None:
            after = moved(known, self._move(message), self._clock.now_ns())
            if not isinstance(after, Refusal):
                batch.records[execution_id] = after

    def _move(self, message: ToNode) -> Move:
        if isinstance(message, BidAccepted):
            return Move(step=Step.APPROVED)
        assert isinstance(message, BidRejected | CancelExecution), "offers are dealt with before"
        step = Step.DECLINED if isinstance(message, BidRejected) else Step.CANCELLED
        said = message.reason or f"Execution {step.value} by the orchestrator"
        return Move(step=step, event=event(self._clock.now_ns(), Topic.EXECUTION, said))

    def _act_on(self, record: LocalExecution) -> None:
        state = record.state
        if state is ComputeState.NEW:
            self._work.bid(record.id)
        elif state is ComputeState.BID_ACCEPTED:
            self._work.run(record)
        elif state.is_terminal:
            self._work.drop(record.id)


def _subject(message: ToNode) -> ExecutionID:
    assert not isinstance(message, AskForBid), "an offer carries its execution"
    return message.execution_id
