"""Changes to one execution as values, and the messages that tell of them."""

from __future__ import annotations

import msgspec

from bacalhau.lifecycle.events import event
from bacalhau.lifecycle.local import Refusal, Step, next_state
from bacalhau.models import (
    AllocatedResources,
    ComputeState,
    Event,
    Execution,
    RunOutput,
    SpecConfig,
    Topic,
)
from bacalhau.models.provenance import InputRecord, OutputRecord
from bacalhau.ports import LocalExecution
from bacalhau.protocol.messages import BidResult, ComputeError, FromNode, InputsRead, RunResult

COMPLETED_TEXT = "Completed successfully"


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an execution with all that is written along with it.

    ``event`` explains the new state. ``tells`` makes the orchestrator hear of it, once the step has
    been accepted; of ``inputs`` it hears in any case, unless there are none. None leaves a field of
    the record as it is, and so does ``started_at_ns`` 0.
    """

    step: Step
    event: Event | None = None
    allocated: AllocatedResources | None = None
    listings: dict[str, str] | None = None
    run_output: RunOutput | None = None
    published_result: SpecConfig | None = None
    inputs: tuple[InputRecord, ...] = ()
    outputs: OutputRecord | None = None
    retryable: bool = True
    started_at_ns: int = 0
    tells: bool = False


def received(execution: Execution, now_ns: int) -> LocalExecution:
    """Return the record of an execution that has just been offered."""
    return LocalExecution(
        execution=execution,
        state=ComputeState.NEW,
        revision=0,
        create_time=now_ns,
        modify_time=now_ns,
    )


def moved(record: LocalExecution, move: Move, now_ns: int) -> LocalExecution | Refusal:
    """Apply a move to a record, whose revision stays as it is."""
    execution = record.execution
    to = next_state(record.state, move.step)
    if isinstance(to, Refusal):
        return to
    if move.allocated is not None:
        execution = msgspec.structs.replace(execution, allocated_resources=move.allocated)
    if move.listings is not None:
        execution = msgspec.structs.replace(execution, listings=move.listings)
    return msgspec.structs.replace(
        record,
        execution=execution,
        state=to,
        event=move.event,
        retryable=move.retryable,
        run_output=record.run_output if move.run_output is None else move.run_output,
        published_result=move.published_result or record.published_result,
        outputs=move.outputs or record.outputs,
        started_at_ns=move.started_at_ns or record.started_at_ns,
        modify_time=now_ns,
    )


def messages_of(move: Move, after: LocalExecution) -> list[FromNode]:
    """Return what the orchestrator is to be told of a move, which led to ``after``."""
    messages: list[FromNode] = []
    if move.inputs:
        messages.append(InputsRead(execution_id=after.id, inputs=move.inputs))
    last_word = message_of(after) if move.tells else None
    if last_word is not None:
        messages.append(last_word)
    return messages


def message_of(record: LocalExecution) -> FromNode | None:
    """Return what the orchestrator is to be told of a record's state, or None when it knows.

    The answer depends on the record alone: it can be given again whenever the first may be lost.
    """
    state = record.state
    if state is ComputeState.BID_ACCEPTED:
        return BidResult(
            execution_id=record.id,
            accepted=True,
            events=(record.event,) if record.event else (),
            allocated=record.execution.allocated_resources,
            listings=record.execution.listings,
        )
    if not state.is_terminal:
        return None
    events = (record.event or _ended_unexplained(record),)
    if state is ComputeState.ASK_FOR_BID_REJECTED:
        return BidResult(execution_id=record.id, accepted=False, events=events)
    if state is ComputeState.COMPLETED:
        return RunResult(
            execution_id=record.id,
            run_output=record.run_output or RunOutput(),
            published_result=record.published_result,
            outputs=record.outputs,
            events=events,
        )
    return ComputeError(
        execution_id=record.id,
        events=events,
        run_output=record.run_output,
        retryable=record.retryable,
    )


def _ended_unexplained(record: LocalExecution) -> Event:
    text = f"The execution is {record.state.title} on its node"
    return event(record.modify_time, Topic.EXECUTION, text)
