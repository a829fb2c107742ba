"""The events of the orchestrator, with their texts (spec orchestration.md 2.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.errors import Code
from bacalhau.lib.timestamps import rfc3339
from bacalhau.lib.units import format_duration
from bacalhau.models import Event, JobState, NodeID, Topic, short_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.errors import BacalhauError

COMPONENT = "Orchestrator"
TIMEOUT_HINT = "Increase the task timeout or allocate more resources"
NOT_RETRYABLE = "false"


def event(now_ns: int, topic: Topic, message: str, **details: str) -> Event:
    """Make an event; empty details are left out."""
    return Event(
        message=message,
        topic=topic.value,
        timestamp=rfc3339(now_ns),
        details={key: value for key, value in details.items() if value},
    )


def error_event(now_ns: int, topic: Topic, error: BacalhauError) -> Event:
    """Turn an error into an event that keeps its code, hint and details."""
    return Event(
        message=error.message,
        topic=topic.value,
        timestamp=rfc3339(now_ns),
        details=error_details(error),
    )


def failure(
    now_ns: int, topic: Topic, message: str, code: Code, *, hint: str, **details: str
) -> Event:
    """Make an event for a failure that the orchestrator itself has found."""
    return event(now_ns, topic, message, **failure_details(code, hint), **details)


def failure_details(code: Code, hint: str) -> dict[str, str]:
    """Return what clients recognise such a failure by."""
    return {"IsError": "true", "ErrorCode": f"{COMPONENT}:{code}", "Hint": hint}


def error_details(error: BacalhauError) -> dict[str, str]:
    """Return the details by which clients recognise an error in the history."""
    details: dict[str, str] = dict(error.details)
    details["IsError"] = "true"
    details["ErrorCode"] = f"{error.component}:{error.code}"
    if error.hint:
        details["Hint"] = error.hint
    if error.retryable:
        details["Retryable"] = "true"
    return details


def job_submitted(now_ns: int) -> Event:
    """The job is stored."""
    return event(now_ns, Topic.SUBMISSION, "Job submitted")


def job_state(now_ns: int, state: JobState) -> Event:
    """The job enters Running or Completed."""
    return event(now_ns, Topic.STATE_UPDATE, state.value, NewState=state.value)


def job_failed(now_ns: int, message: str, details: Mapping[str, str]) -> Event:
    """The job fails for the reason of one of its executions."""
    unexplained = {"ErrorCode": f"{COMPONENT}:{Code.EXECUTION_FAILED}"}
    merged = {**unexplained, **details, "IsError": "true", "NewState": JobState.FAILED.value}
    return Event(
        message=message,
        topic=Topic.STATE_UPDATE.value,
        timestamp=rfc3339(now_ns),
        details=merged,
    )


def job_stop_requested(now_ns: int, reason: str) -> Event:
    """A caller stops the job."""
    return Event(
        message="Job requested to stop before completion",
        topic=Topic.SCHEDULING.value,
        timestamp=rfc3339(now_ns),
        details={"Reason": reason},
    )


def job_queued(now_ns: int, why: str) -> Event:
    """No node can take the job now."""
    return event(now_ns, Topic.QUEUEING, f"Job queued. {why}")


def job_timed_out(now_ns: int, seconds: int) -> Event:
    """The job's total time is over."""
    return failure(
        now_ns,
        Topic.JOB_TIMEOUT,
        f"Job timed out. Job took longer than {format_duration(seconds)}",
        Code.JOB_TIMEOUT,
        hint=TIMEOUT_HINT,
        FailsExecution="true",
    )


def execution_requested(now_ns: int, node_id: NodeID) -> Event:
    """An execution is created for a node."""
    text = f"Requested execution on {short_id(node_id)}"
    return event(now_ns, Topic.SCHEDULING, text, NodeID=node_id)


def execution_running(now_ns: int) -> Event:
    """The node's bid is accepted."""
    return event(now_ns, Topic.EXECUTION, "Running")


def execution_timed_out(now_ns: int, seconds: int) -> Event:
    """The node has not ended an execution in time."""
    return failure(
        now_ns,
        Topic.EXEC_TIMEOUT,
        f"Execution timed out. Execution took longer than {format_duration(seconds)}",
        Code.EXECUTION_TIMEOUT,
        hint=TIMEOUT_HINT,
        FailsExecution="true",
    )


def stop_requested(now_ns: int, why: str) -> Event:
    """The orchestrator gives an execution up; ``why`` completes the sentence after "because"."""
    return event(now_ns, Topic.SCHEDULING, f"Execution stop requested because {why}")


def stopped_with_job(now_ns: int) -> Event:
    """The job failed while this execution was still going."""
    return event(now_ns, Topic.SCHEDULING, "Execution stopped due to job failure")
