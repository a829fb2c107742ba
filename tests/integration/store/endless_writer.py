"""A process that writes until it is killed, telling of each write once it is acknowledged.

Each transaction of a job brings its job record, its two executions, its history and its messages
to the same number, so that a half one can be told.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import JobID
from bacalhau.ports.store import LocalChanges
from bacalhau.protocol.messages import BidResult
from bacalhau.store.sqlite import SQLiteExecutionStore, SQLiteJobStore
from bacalhau.testing.contracts._store_records import (
    NODE,
    cancel,
    make_draft,
    make_execution,
    make_job,
    make_local,
)

WRITERS = 8


def step(number: int, revision: int) -> JobChanges:
    """Make the transaction that brings a job to a revision."""
    job_id = JobID(f"j-{number}")
    names = (f"e-{number}-a", f"e-{number}-b")
    return JobChanges(
        job_id=job_id,
        job=make_job(job_id, revision),
        executions=tuple(make_execution(name, revision, job_id=job_id) for name in names),
        history=(make_draft(f"step {revision}"),),
        messages=((NODE, cancel(f"{job_id}-{revision}")),),
    )


def local_step(number: int, revision: int) -> LocalChanges:
    """Make the transaction that brings two records of a node to a revision."""
    records = tuple(make_local(f"e-{number}-{side}", revision) for side in "ab")
    answer = BidResult(execution_id=records[0].id, accepted=True)
    return LocalChanges(executions=records, messages=(answer,))


async def main(folder: Path) -> None:
    """Write to both stores with several writers each, for ever."""

    async def write_jobs(store: SQLiteJobStore, number: int) -> None:
        revision = 0
        while True:
            revision += 1
            await store.apply(step(number, revision))
            os.write(1, f"job {number} {revision}\n".encode())

    async def write_records(store: SQLiteExecutionStore, number: int) -> None:
        revision = 0
        while True:
            revision += 1
            await store.apply(local_step(number, revision))
            os.write(1, f"record {number} {revision}\n".encode())

    async with (
        SQLiteJobStore.open(folder / "jobs.db") as jobs,
        SQLiteExecutionStore.open(folder / "executions.db") as executions,
        asyncio.TaskGroup() as group,
    ):
        for number in range(WRITERS):
            group.create_task(write_jobs(jobs, number))
            group.create_task(write_records(executions, number))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
