"""Transitions of a job (spec orchestration.md 1.2). A terminal job never changes again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.lifecycle import events
from bacalhau.models import Event, JobState, State

if TYPE_CHECKING:
    from bacalhau.lifecycle.changes import JobDraft

_WAITS_FOR = "WaitsFor"


def start(draft: JobDraft) -> None:
    """Pending or Queued becomes Running; any other state stays."""
    if draft.job.state.state_type in (JobState.PENDING, JobState.QUEUED):
        _enter(draft, JobState.RUNNING)
        draft.job_event(events.job_state(draft.now_ns, JobState.RUNNING))


def queue(draft: JobDraft, why: str, *, waits_for: str = "") -> None:
    """Wait for any node, or for those named; what a job waits for already is not told again."""
    details = {_WAITS_FOR: waits_for} if waits_for else {}
    state = draft.job.state
    if (state.state_type, state.details) != (JobState.QUEUED, details):
        event = events.job_queued(draft.now_ns, why)
        _enter(draft, JobState.QUEUED, event.message, details)
        draft.job_event(event)


def complete(draft: JobDraft) -> None:
    """End well."""
    _enter(draft, JobState.COMPLETED)
    draft.job_event(events.job_state(draft.now_ns, JobState.COMPLETED))


def fail(draft: JobDraft, event: Event) -> None:
    """End badly; the event's message explains the state."""
    _enter(draft, JobState.FAILED, event.message)
    draft.job_event(event)


def stop(draft: JobDraft, reason: str) -> None:
    """End at the wish of a caller."""
    _enter(draft, JobState.STOPPED, reason)
    draft.job_event(events.job_stop_requested(draft.now_ns, reason))


def _enter(
    draft: JobDraft, state: JobState, message: str = "", details: dict[str, str] | None = None
) -> None:
    assert not draft.job.is_terminal, f"{draft.job.id} has ended and cannot become {state}"
    entered = State[JobState](state_type=state, message=message, details=details or {})
    draft.put_job(msgspec.structs.replace(draft.job, state=entered))
