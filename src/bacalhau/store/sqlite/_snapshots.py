"""Reading a job together with its executions.

Decisions are made all the time, and about jobs with thousands of executions. So those that
completed are only summed up, in SQLite and from an index, without a look at their documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bacalhau.lifecycle.changes import JobSnapshot
from bacalhau.lifecycle.completed import Completed
from bacalhau.models import NodeID
from bacalhau.ports.store import WholeJob
from bacalhau.store.sqlite._records import decode_execution, decode_job

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bacalhau.models import JobID

COMPLETED = (
    "ALTER TABLE executions ADD COLUMN partition_index INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE executions ADD COLUMN is_completed INTEGER NOT NULL DEFAULT 0",
    "UPDATE executions SET"
    " partition_index = coalesce(json_extract(CAST(doc AS TEXT), '$.PartitionIndex'), 0),"
    " is_completed = json_extract(CAST(doc AS TEXT), '$.ComputeState.StateType') = 9",
    "CREATE INDEX executions_open ON executions (job_id, seq) WHERE NOT is_completed",
    "CREATE INDEX executions_completed ON executions (job_id, node_id, partition_index)"
    " WHERE is_completed",
)

GENERATION = "SELECT generation FROM jobs WHERE id = ?"
QUERY = (
    "SELECT 'job', generation, doc FROM jobs WHERE id = ?1"
    " UNION ALL SELECT 'open', seq, doc FROM executions WHERE job_id = ?1 AND NOT is_completed"
    " UNION ALL SELECT 'completed', node_id, json_group_array(partition_index) FROM executions"
    " WHERE job_id = ?1 AND is_completed GROUP BY node_id"
    # Of any one: all that completed have gone by the same listings.
    " UNION ALL SELECT 'listings', 0, doc FROM"
    " (SELECT doc FROM executions WHERE job_id = ?1 AND is_completed LIMIT 1)"
    " ORDER BY 2"
)


class _Listings(msgspec.Struct, frozen=True):
    """The part of an execution's document that decisions about its job may need."""

    listings: dict[str, str] = msgspec.field(name="Listings", default_factory=dict)


_decode_listings = msgspec.json.Decoder(_Listings).decode
_decode_partitions = msgspec.json.Decoder(list[int]).decode


def read(rows: Sequence[Any]) -> JobSnapshot | None:
    """Make a snapshot of what ``QUERY`` has found; None when there is no such job."""
    if not rows:
        return None
    found: dict[str, list[tuple[Any, Any]]] = {"open": [], "completed": []}
    for kind, key, value in rows:
        found.setdefault(kind, []).append((key, value))
    ((generation, job),) = found["job"]
    return JobSnapshot(
        job=decode_job(job),
        executions=tuple(decode_execution(doc) for _, doc in found["open"]),
        completed=_sum(found) if found["completed"] else Completed(),
        generation=generation,
    )


def _sum(found: dict[str, list[tuple[Any, Any]]]) -> Completed:
    done = {
        NodeID(node_id): _decode_partitions(partitions)
        for node_id, partitions in found["completed"]
    }
    ((_, doc),) = found["listings"]
    return Completed(
        partitions=frozenset().union(*done.values()),
        by_node={node_id: len(partitions) for node_id, partitions in done.items()},
        listings=_decode_listings(doc).listings,
    )


def whole(connection: sqlite3.Connection, job_id: JobID) -> WholeJob | None:
    """Read a job with all its executions, in order of creation."""
    rows = connection.execute(
        "SELECT 0, 0, doc FROM jobs WHERE id = ?1"
        " UNION ALL SELECT 1, seq, doc FROM executions WHERE job_id = ?1 ORDER BY 1, 2",
        (job_id,),
    ).fetchall()
    if not rows:
        return None
    (_, _, job), *executions = rows
    return WholeJob(
        job=decode_job(job),
        executions=tuple(decode_execution(doc) for _, _, doc in executions),
    )
