"""Transitions of an execution, the orchestrator's copy (spec orchestration.md 1.3, 1.4, 7).

Orders change what is desired and send the message that tells the node. Answers of a node are
accepted only where they fit the stored state, so that late and repeated ones have no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import Code
from bacalhau.lifecycle import events, listings
from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.models import ComputeState, DesiredState, Event, Execution, State, Topic
from bacalhau.protocol.messages import (
    Answer,
    AskForBid,
    BidResult,
    CancelExecution,
    ComputeError,
    InputsRead,
    RunResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bacalhau.errors import BacalhauError
    from bacalhau.lifecycle.changes import JobDraft
    from bacalhau.models import JobID

LOST = "NodeLost"
_CAUSE = "Cause"
_RETRYABLE = "Retryable"
_UNEXPECTED = "execution completed unexpectedly"
_NEVER_ENDS = "tasks of service and daemon jobs must go on for ever; for work that ends use batch"


def create(draft: JobDraft, execution: Execution) -> None:
    """Add a new execution and offer it to its node."""
    draft.put_execution(execution)
    draft.execution_event(execution.id, events.execution_requested(draft.now_ns, execution.node_id))
    draft.send(execution.node_id, offer(draft, execution))


def offer(draft: JobDraft, execution: Execution) -> AskForBid:
    """Return the message that makes a node know an execution."""
    ready = msgspec.structs.replace(execution, job=draft.job, listings=draft.listings)
    return AskForBid(execution=ready)


def cancel(draft: JobDraft, execution: Execution, event: Event) -> None:
    """Stop an execution that is no longer wanted."""
    _put(draft, execution, DesiredState.STOPPED, ComputeState.CANCELLED, event.message)
    draft.execution_event(execution.id, event)
    draft.send(execution.node_id, CancelExecution(execution_id=execution.id, reason=event.message))


def give_up(draft: JobDraft, execution: Execution, event: Event, *, cause: str = "") -> None:
    """Count an execution as failed without waiting for its node any longer."""
    _put(
        draft,
        execution,
        DesiredState.STOPPED,
        ComputeState.FAILED,
        event.message,
        {**event.details, **({_CAUSE: cause} if cause else {})},
    )
    draft.execution_event(execution.id, event)
    draft.send(execution.node_id, CancelExecution(execution_id=execution.id, reason=event.message))


def inputs_read(job_id: JobID, messages: Iterable[InputsRead]) -> JobChanges:
    """Record what executions have read; nothing follows from it, and no state forbids it."""
    read = (
        ProvenanceDraft(execution_id=each.execution_id, inputs=each.inputs) for each in messages
    )
    return JobChanges(job_id=job_id, provenance=tuple(read))


def answer(draft: JobDraft, execution: Execution, message: Answer) -> bool:
    """Take a node's answer; return False, changing nothing, when it does not fit the state."""
    if isinstance(message, BidResult):
        return _bid_result(draft, execution, message)
    if isinstance(message, RunResult):
        return _run_result(draft, execution, message)
    return _compute_error(draft, execution, message)


def is_lost(execution: Execution) -> bool:
    """True when the execution failed because its node was gone, through no fault of the job."""
    return execution.compute_state.details.get(_CAUSE) == LOST


def may_retry(execution: Execution) -> bool:
    """True when another attempt at what failed here makes sense."""
    return execution.compute_state.details.get(_RETRYABLE) != events.NOT_RETRYABLE


def _bid_result(draft: JobDraft, execution: Execution, message: BidResult) -> bool:
    asked = execution.compute_state.state_type in (ComputeState.NEW, ComputeState.ASK_FOR_BID)
    if execution.is_terminal or not asked:
        return False
    changed = None
    if message.listings:
        changed = listings.contradiction(draft.listings, message.listings)
    if changed is not None:
        # Both were asked before either had answered. The node runs the task already.
        give_up(draft, execution, _final(draft, changed))
    elif message.accepted:
        agreed = msgspec.structs.replace(execution, listings=message.listings)
        _put(draft, agreed, DesiredState.RUNNING, ComputeState.BID_ACCEPTED)
        draft.execution_event(execution.id, events.execution_running(draft.now_ns))
        job_lifecycle.start(draft)
    else:
        last = message.events[-1] if message.events else None
        _put(
            draft,
            execution,
            DesiredState.STOPPED,
            ComputeState.ASK_FOR_BID_REJECTED,
            last.message if last else "",
            dict(last.details) if last else {},
            desired_message="bid rejected",
        )
    _record(draft, execution, message.events)
    return True


def _final(draft: JobDraft, error: BacalhauError) -> Event:
    """Return the event of an error that no other attempt would be spared."""
    said = events.error_event(draft.now_ns, Topic.EXEC_SCANNING, error)
    details = {**said.details, _RETRYABLE: events.NOT_RETRYABLE}
    return msgspec.structs.replace(said, details=details)


def _run_result(draft: JobDraft, execution: Execution, message: RunResult) -> bool:
    wanted = execution.desired_state.state_type is DesiredState.RUNNING
    if execution.is_terminal or not wanted:
        return False
    ended = msgspec.structs.replace(
        execution, run_output=message.run_output, published_result=message.published_result
    )
    lasting = draft.job.type.is_long_running
    _put(
        draft,
        ended,
        DesiredState.STOPPED,
        ComputeState.FAILED if lasting else ComputeState.COMPLETED,
        _UNEXPECTED if lasting else "",
        events.failure_details(Code.EXECUTION_FAILED, _NEVER_ENDS) if lasting else {},
        desired_message=_UNEXPECTED if lasting else "execution completed",
    )
    if message.outputs is not None:
        written = ProvenanceDraft(execution_id=execution.id, outputs=message.outputs)
        draft.record_provenance(written)
    _record(draft, execution, message.events)
    return True


def _compute_error(draft: JobDraft, execution: Execution, message: ComputeError) -> bool:
    if execution.is_terminal:
        return False
    last = message.events[-1] if message.events else None
    details = dict(last.details) if last else {}
    if not message.retryable:
        details[_RETRYABLE] = events.NOT_RETRYABLE
    failed = execution
    if message.run_output is not None:
        failed = msgspec.structs.replace(execution, run_output=message.run_output)
    _put(
        draft,
        failed,
        DesiredState.STOPPED,
        ComputeState.FAILED,
        last.message if last else "the node gave no reason",
        details,
        desired_message="execution failed",
    )
    _record(draft, execution, message.events)
    return True


def _record(draft: JobDraft, execution: Execution, recorded: tuple[Event, ...]) -> None:
    for event in recorded:
        draft.execution_event(execution.id, event)


def _put(
    draft: JobDraft,
    execution: Execution,
    desired: DesiredState,
    compute: ComputeState,
    message: str = "",
    details: dict[str, str] | None = None,
    *,
    desired_message: str = "",
) -> None:
    draft.put_execution(
        msgspec.structs.replace(
            execution,
            desired_state=State[DesiredState](state_type=desired, message=desired_message),
            compute_state=State[ComputeState](
                state_type=compute, message=message, details=details or {}
            ),
        )
    )
