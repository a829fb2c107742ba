"""What a page of jobs costs."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, get_args

import pytest

from bacalhau.ports.paging import JobOrder, page_request
from bacalhau.ports.store import JobQuery
from bacalhau.store.sqlite import SQLiteJobStore
from bacalhau.store.sqlite import _job_pages as job_pages
from bacalhau.testing.contracts._store_records import make_job, submit

if TYPE_CHECKING:
    from pathlib import Path

ORDERS: tuple[JobOrder, ...] = get_args(JobOrder)


def steps(path: Path, query: JobQuery) -> int:
    """Count the instructions that SQLite's machine needs for one page, in tens."""
    request = page_request(query)
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(step, 10)
        page = job_pages._batch(
            connection, request=request, after=request.after, missing=request.limit + 1
        )
    assert len(page.jobs) == request.limit + 1
    return count


@pytest.mark.parametrize("order_by", ORDERS)
async def test_a_page_costs_the_same_however_many_jobs_are_stored(
    tmp_path: Path, order_by: JobOrder
) -> None:
    few, many = tmp_path / "few.db", tmp_path / "many.db"
    for path, number in ((few, 40), (many, 1200)):
        async with SQLiteJobStore.open(path) as store:
            jobs = [make_job(f"j-{n:05}", created=n // 3, modified=n) for n in range(number)]
            await asyncio.gather(*(submit(store, job) for job in jobs))
            middle = await store.list_jobs(JobQuery(order_by=order_by, limit=number // 2))
    for namespace in ("", "default"):
        for reverse in (False, True):
            first = JobQuery(order_by=order_by, namespace=namespace, reverse=reverse, limit=10)
            assert steps(many, first) == pytest.approx(steps(few, first), abs=2)
    position = page_request(JobQuery(after=middle.cursor)).after
    assert position is not None
    request = page_request(JobQuery(order_by=order_by, limit=10))
    plan_query, parameters = job_pages._statement(request, position)
    with closing(sqlite3.connect(many)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {plan_query}", (*parameters, 11)).fetchall()
    assert len(plan) == 1
    assert "SEARCH" in plan[0][3]
