"""How a job has ended, for people and for scripts (spec cli.md 10.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.views.events import is_error
from bacalhau.client import Page
from bacalhau.errors import BacalhauError, ExecutionError, ForeignCode
from bacalhau.lib.booleans import is_false
from bacalhau.models.states import JobState

if TYPE_CHECKING:
    from bacalhau.cli.session import Session
    from bacalhau.client import Client
    from bacalhau.models.history import Event
    from bacalhau.models.job import Job

_SWITCH = "BACALHAU_EXIT_ON_FAILURE"
_PREFIX = "job failed"


def conclude(session: Session, client: Client, job: Job) -> bool:
    """Make the failure of a job that of the command; return False when there is none.

    With ``BACALHAU_EXIT_ON_FAILURE=false`` it is told, and the command succeeds as in v1.5.

    Raises:
        ExecutionError: the job has failed; the message is its own reason, with its hint.
    """
    if job.state.state_type is not JobState.FAILED:
        return False
    error = failure_of(client, job)
    if not is_false(session.environment.get(_SWITCH, "")):
        raise error
    from bacalhau.cli.reports import report

    report(session, error)
    return True


def failure_of(client: Client, job: Job) -> BacalhauError:
    """Return why a job has failed, as its history tells it."""
    event = _last_error(client, job)
    reason = job.state.message or (event.message if event else "the server gives no reason")
    details = dict(event.details) if event else {}
    component, _, code = details.pop("ErrorCode", "").rpartition(":")
    return ExecutionError(
        reason if reason.lower().startswith(_PREFIX) else f"{_PREFIX}: {reason}",
        code=ForeignCode(code) or None,
        hint=details.pop("Hint", ""),
        component=component or "Orchestrator",
        details=details,
    )


def _last_error(client: Client, job: Job) -> Event | None:
    """Return the last event that is an error, one of the job itself if there is one."""
    errors: dict[bool, Event] = {}
    token = ""
    while True:
        page = client.history(job.id, Page(next_token=token))
        for item in page.items:
            if is_error(item.event):
                errors[bool(item.execution_id)] = item.event
        token = page.next_token
        if not token:
            return errors.get(False) or errors.get(True)
