"""When time alone changes something for a job (spec orchestration.md 4).

Time-outs count from moments that the clock showed. It may have been set since: ``present`` moves
such a moment to where it would be on the clock as it goes now, from which deadlines are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.models import JobType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bacalhau.models import Execution, Job

    Present = Callable[[int], int]

SECOND = 1_000_000_000
BACKSTOP_SECONDS = 120.0
"""How long after its execution time-out a silent node is given before the execution is given up."""


def as_written(moment_ns: int) -> int:
    """Return the moment itself, where nobody sets the clock."""
    return moment_ns


def total_deadline(job: Job, present: Present = as_written) -> int | None:
    """When the whole job must have ended."""
    seconds = 0 if job.type.is_long_running else job.task.timeouts.total_timeout
    return present(job.create_time) + seconds * SECOND if seconds > 0 else None


def queue_deadline(job: Job, present: Present = as_written) -> int | None:
    """When a job must have found its nodes; None without a limit."""
    seconds = job.task.timeouts.queue_timeout
    return present(job.create_time) + seconds * SECOND if seconds > 0 else None


def execution_deadline(
    job: Job,
    execution: Execution,
    backstop_seconds: float = BACKSTOP_SECONDS,
    present: Present = as_written,
) -> int | None:
    """When an execution is given up although its node has not reported."""
    seconds = job.task.timeouts.effective_execution_timeout
    executing = execution.compute_state.state_type.is_executing and not execution.is_terminal
    if job.type.is_long_running or seconds <= 0 or not executing:
        return None
    return present(execution.modify_time) + int((seconds + backstop_seconds) * SECOND)


def next_deadline(
    job: Job,
    executions: Iterable[Execution],
    completed_count: int,
    backstop_seconds: float = BACKSTOP_SECONDS,
    present: Present = as_written,
) -> int | None:
    """The earliest moment at which the job needs a look without anything else happening."""
    if job.is_terminal:
        return None
    live = [run for run in executions if not run.is_terminal]
    counts = job.type in (JobType.BATCH, JobType.SERVICE)
    is_placed = len(live) + completed_count >= job.count
    found = [
        total_deadline(job, present),
        # Once everything is placed, this deadline changes nothing, however long a bid takes.
        queue_deadline(job, present) if counts and not is_placed else None,
        *(execution_deadline(job, run, backstop_seconds, present) for run in live),
    ]
    return min((moment for moment in found if moment is not None), default=None)
