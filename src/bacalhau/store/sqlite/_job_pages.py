"""Listing jobs by key, a bounded number of rows at a time (``ports.paging``).

Between two batches other scans get their turn, so that a search for a rare label through many jobs
holds up nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bacalhau.models.selectors import matches
from bacalhau.store.sqlite._records import decode_job

if TYPE_CHECKING:
    import sqlite3

    from bacalhau.models import Job, JobID
    from bacalhau.ports.paging import JobOrder, PageRequest, Position
    from bacalhau.ports.store import JobPage
    from bacalhau.store.sqlite._database import Database

BATCH_ROWS = 256

_COLUMNS: dict[JobOrder, str] = {
    "created_at": "create_time, id",
    "modified_at": "modify_time, id",
    "id": "id",
}


class _Labels(msgspec.Struct, frozen=True, rename={"labels": "Labels"}):
    """The part of a job's document that a filter needs; the rest is skipped, not decoded."""

    labels: dict[str, str] = {}


_decode_labels = msgspec.json.Decoder(_Labels).decode


@dataclass(frozen=True, slots=True)
class _Batch:
    """Jobs that match, and the last position looked at; None when nothing lies beyond."""

    jobs: list[Job]
    last: Position | None


async def read_page(database: Database, request: PageRequest) -> JobPage:
    """Read one page. A job that changes meanwhile appears at most once."""
    found: dict[JobID, Job] = {}
    after = request.after
    while True:
        missing = request.limit + 1 - len(found) if request.limit else None
        batch = await database.scan(partial(_batch, request=request, after=after, missing=missing))
        for job in batch.jobs:
            found.setdefault(job.id, job)
        after = batch.last
        if after is None or (request.limit and len(found) > request.limit):
            return request.page(list(found.values()))


def _batch(
    connection: sqlite3.Connection,
    *,
    request: PageRequest,
    after: Position | None,
    missing: int | None,
) -> _Batch:
    labels = request.query.labels
    size = BATCH_ROWS if labels or missing is None else min(BATCH_ROWS, missing)
    query, parameters = _statement(request, after)
    rows = connection.execute(query, (*parameters, size)).fetchall()
    docs = [doc for (doc,) in rows if not labels or matches(labels, _decode_labels(doc).labels)]
    last = request.position(decode_job(rows[-1][0])) if len(rows) == size else None
    return _Batch([decode_job(doc) for doc in docs[:missing]], last)


def _statement(request: PageRequest, after: Position | None) -> tuple[str, list[str | int]]:
    """Return the query for the rows after a position, without the number of rows."""
    columns = _COLUMNS[request.order_by]
    conditions: list[str] = []
    parameters: list[str | int] = []
    if request.namespace:
        conditions.append("namespace = ?")
        parameters.append(request.namespace)
    if after is not None:
        key: list[str | int] = [after.time_ns, after.id]
        if request.order_by == "id":
            key = [after.id]
        marks = ", ".join("?" for _ in key)
        conditions.append(f"({columns}) {'<' if request.reverse else '>'} ({marks})")
        parameters.extend(key)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(
        f"{column} {'DESC' if request.reverse else 'ASC'}" for column in columns.split(", ")
    )
    query = f"SELECT doc FROM jobs {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - no input
    return query, parameters
