"""The environment of a task (spec engines.md 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.models import JobType

if TYPE_CHECKING:
    from bacalhau.models import ExecutionID, Job, Task

_COUNTED = (JobType.BATCH, JobType.SERVICE)


def environment_of(task: Task, job: Job, execution_id: ExecutionID) -> dict[str, str]:
    """Return the variables that task and system give; the system's win."""
    count = max(1, job.count) if job.type in _COUNTED else 1
    return {
        **task.env,
        "BACALHAU_EXECUTION_ID": execution_id,
        "BACALHAU_JOB_ID": job.id,
        "BACALHAU_JOB_TYPE": job.type.value,
        "BACALHAU_PARTITION_INDEX": "0",
        "BACALHAU_PARTITION_COUNT": str(count),
    }
