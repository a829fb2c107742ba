"""Stores that earlier versions have made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.lifecycle.completed import Completed
from bacalhau.models import ComputeState, DesiredState, JobID
from bacalhau.store.sqlite import SQLiteJobStore
from bacalhau.store.sqlite._job_tables import JOB_SCHEMA
from bacalhau.store.sqlite._records import encode
from bacalhau.testing.contracts._store_records import make_execution, make_input, make_job

if TYPE_CHECKING:
    from pathlib import Path

JOB = JobID("j-1")
RUNNING = make_execution("e-1")
DONE = make_execution(
    "e-2", desired=DesiredState.STOPPED, compute=ComputeState.COMPLETED, partition_index=3
)


def write_store(path: Path, version: int) -> None:
    """Make a store as a version before the third one left it, with one job."""
    job = make_job()
    with closing(sqlite3.connect(path)) as connection, connection:
        for statements in JOB_SCHEMA.versions[:version]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {JOB_SCHEMA.application_id}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(
            "INSERT INTO jobs VALUES (1, ?, ?, 0, ?, ?, 1, 1, 0, ?)",
            (JOB, job.namespace, job.create_time, job.modify_time, encode(job)),
        )
        for number, run in enumerate((RUNNING, DONE), start=1):
            connection.execute(
                "INSERT INTO executions VALUES (?, ?, ?, ?, ?, 1, ?)",
                (number, run.id, JOB, run.node_id, not run.is_terminal, encode(run)),
            )


@pytest.mark.parametrize("version", [1, 2])
async def test_it_goes_on_with_its_jobs(tmp_path: Path, version: int) -> None:
    path = tmp_path / "jobs.db"
    write_store(path, version)
    async with SQLiteJobStore.open(path) as store:
        snapshot = store.snapshot(JOB)
        whole = await store.whole(JOB)
    assert snapshot is not None
    assert snapshot.executions == (RUNNING,)
    assert snapshot.completed == Completed(
        partitions=frozenset({3}), by_node={DONE.node_id: 1}, listings={}
    )
    assert whole is not None
    assert whole.executions == (RUNNING, DONE)
    assert (tmp_path / f"jobs.db.v{version}").exists()


async def test_it_takes_what_it_did_not_know_before(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    write_store(path, 1)
    draft = ProvenanceDraft(execution_id=RUNNING.id, inputs=(make_input(),))
    async with SQLiteJobStore.open(path) as store:
        assert list(await store.provenance(JOB)) == []
        await store.apply(JobChanges(job_id=JOB, provenance=(draft,)))
        (found,) = await store.provenance(JOB)
    assert found.inputs == [make_input()]
