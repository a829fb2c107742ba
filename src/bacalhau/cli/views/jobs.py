"""Lists of jobs and of executions (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.table import Column, Fit
from bacalhau.cli.views.times import date_and_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bacalhau.models.execution import Execution
    from bacalhau.models.job import Job

JOB_COLUMNS: tuple[Column[Job], ...] = (
    Column("created", lambda job: date_and_time(job.create_time), 8, Fit.SHORT_TIME),
    Column("id", lambda job: job.id, 10, Fit.SHORT_ID),
    Column("job", lambda job: job.task.engine.type if job.tasks else "", 40),
    Column("type", lambda job: job.type, 8),
    Column("state", lambda job: job.state.state_type, 20),
)

EXECUTION_COLUMNS: tuple[Column[Execution], ...] = (
    Column("Created", lambda run: date_and_time(run.create_time), 8, Fit.SHORT_TIME),
    Column("Modified", lambda run: date_and_time(run.modify_time), 8, Fit.SHORT_TIME),
    Column("ID", lambda run: run.id, 10, Fit.SHORT_ID),
    Column("Node ID", lambda run: run.node_id, 10, Fit.SHORT_ID),
    Column("Rev.", lambda run: str(run.revision), 4),
    Column("State", lambda run: run.compute_state.state_type.title, 17),
    Column("Desired", lambda run: run.desired_state.state_type.title, 10),
)
PARTITION_COLUMN: Column[Execution] = Column("Part.", lambda run: str(run.partition_index), 5)


def execution_columns(runs: Iterable[Execution]) -> tuple[Column[Execution], ...]:
    """Return the columns of a list of executions; partitions are told when there are several."""
    if any(run.partition_index for run in runs):
        return (*EXECUTION_COLUMNS, PARTITION_COLUMN)
    return EXECUTION_COLUMNS
