"""Snapshots of large jobs, which are kept and brought up to date instead of being read anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.lifecycle.changes import JobChanges, JobSnapshot
from bacalhau.models import ComputeState, Execution, JobID
from bacalhau.store.sqlite import SQLiteJobStore
from bacalhau.store.sqlite._recent import LARGE, RecentSnapshots
from bacalhau.testing.contracts._store_records import make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

JOB = JobID("j-1")
NAMES = [f"e-{number:02}" for number in range(2 * LARGE)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteJobStore]:
    async with SQLiteJobStore.open(tmp_path / "jobs.db") as store:
        runs = tuple(make_execution(name) for name in NAMES)
        await store.apply(JobChanges(job_id=JOB, job=make_job(), executions=runs))
        assert store.snapshot(JOB) is store.snapshot(JOB), "it is kept"
        yield store


async def check(store: SQLiteJobStore) -> None:
    """Compare what is kept with what is stored."""
    whole, snapshot = await store.whole(JOB), store.snapshot(JOB)
    assert whole is not None
    assert snapshot is not None
    assert snapshot == JobSnapshot.of(whole.job, whole.executions, snapshot.generation)


def change(*executions: Execution) -> JobChanges:
    return JobChanges(job_id=JOB, executions=executions)


@pytest.mark.parametrize(
    "state", [ComputeState.BID_ACCEPTED, ComputeState.COMPLETED, ComputeState.FAILED]
)
async def test_what_changes_is_seen(store: SQLiteJobStore, state: ComputeState) -> None:
    await store.apply(change(make_execution(NAMES[3], 2, compute=state)))
    await check(store)


async def test_new_ones_come_last(store: SQLiteJobStore) -> None:
    await store.apply(change(make_execution("e-00a"), make_execution(NAMES[0], 2)))
    await check(store)


async def test_what_has_completed_may_be_amended(store: SQLiteJobStore) -> None:
    for revision in (2, 3):
        run = make_execution(NAMES[1], revision, compute=ComputeState.COMPLETED)
        await store.apply(change(run))
        await check(store)


async def test_the_job_of_an_execution_is_not_kept_with_it(store: SQLiteJobStore) -> None:
    await store.apply(change(make_execution(NAMES[1], 2, job=make_job())))
    await check(store)


async def test_writes_at_once(store: SQLiteJobStore) -> None:
    async with asyncio.TaskGroup() as group:
        for name in NAMES:
            group.create_task(store.apply(change(make_execution(name, 2))))
    await check(store)


async def test_a_write_whose_author_is_gone_is_seen(store: SQLiteJobStore) -> None:
    async with asyncio.TaskGroup() as group:
        write = group.create_task(store.apply(change(make_execution(NAMES[5], 2))))
        await asyncio.sleep(0)
        write.cancel()
    await store.apply(change(make_execution(NAMES[6], 2)))
    await check(store)


def test_no_more_are_kept_than_have_room() -> None:
    recent = RecentSnapshots(large=1)
    executions = tuple(make_execution(f"e-{number}") for number in range(9_000))
    for number in range(3):
        job = make_job(f"j-{number}")
        recent.keep(JobSnapshot(job=job, executions=executions, generation=1))
    assert recent.find(JobID("j-0")) is None
    assert recent.find(JobID("j-2")) is not None
