"""The environment of a task (spec engines.md 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bacalhau.models import Execution, Job, Task


def environment_of(task: Task, job: Job, execution: Execution) -> dict[str, str]:
    """Return the variables that task and system give; the system's win."""
    return {
        **task.env,
        "BACALHAU_EXECUTION_ID": execution.id,
        "BACALHAU_JOB_ID": job.id,
        "BACALHAU_JOB_TYPE": job.type.value,
        "BACALHAU_PARTITION_INDEX": str(execution.partition_index),
        "BACALHAU_PARTITION_COUNT": str(job.partition_count),
    }
