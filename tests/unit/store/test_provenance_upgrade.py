"""A store that was made before it kept what executions read and wrote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.models import JobID
from bacalhau.store.sqlite import SQLiteJobStore
from bacalhau.store.sqlite._database import Database
from bacalhau.store.sqlite._job_tables import JOB_SCHEMA, apply_changes
from bacalhau.store.sqlite._schema import Schema
from bacalhau.testing.contracts._store_records import make_execution, make_input, make_job

if TYPE_CHECKING:
    from pathlib import Path

JOB = JobID("j-1")


async def test_it_goes_on_with_its_jobs(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    first = Schema(
        name=JOB_SCHEMA.name,
        application_id=JOB_SCHEMA.application_id,
        versions=JOB_SCHEMA.versions[:1],
    )
    old = JobChanges(job_id=JOB, job=make_job(), executions=(make_execution(),))
    async with Database.open(path, first) as database:
        await database.write(partial(apply_changes, changes=old))
    draft = ProvenanceDraft(execution_id=make_execution().id, inputs=(make_input(),))
    async with SQLiteJobStore.open(path) as store:
        assert list(await store.provenance(JOB)) == []
        await store.apply(JobChanges(job_id=JOB, provenance=(draft,)))
        (found,) = await store.provenance(JOB)
        assert store.job(JOB) == make_job()
        assert store.execution(make_execution().id) == make_execution()
    assert found.inputs == [make_input()]
    assert (tmp_path / "jobs.db.v1").exists()
