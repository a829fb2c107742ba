"""The schema of the orchestrator's store, and the one function that writes a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.ports.guards import ExecutionHead, JobHead, history_entries, is_open, job_head_after
from bacalhau.store.sqlite import _outbox, _provenance, _snapshots
from bacalhau.store.sqlite._records import encode, without_job
from bacalhau.store.sqlite._schema import Schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from bacalhau.lifecycle.changes import JobChanges
    from bacalhau.models import (
        Evaluation,
        Execution,
        ExecutionID,
        Job,
        JobID,
        NodeID,
        NodeState,
    )

_VERSION_1 = (
    "CREATE TABLE jobs (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " namespace TEXT NOT NULL, is_terminal INTEGER NOT NULL,"
    " create_time INTEGER NOT NULL, modify_time INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, generation INTEGER NOT NULL, events INTEGER NOT NULL,"
    " doc BLOB NOT NULL) STRICT",
    "CREATE INDEX jobs_by_creation ON jobs (create_time, id)",
    "CREATE INDEX jobs_by_change ON jobs (modify_time, id)",
    "CREATE INDEX jobs_of_namespace_by_creation ON jobs (namespace, create_time, id)",
    "CREATE INDEX jobs_of_namespace_by_change ON jobs (namespace, modify_time, id)",
    "CREATE INDEX jobs_of_namespace_by_id ON jobs (namespace, id)",
    "CREATE INDEX jobs_unfinished ON jobs (seq) WHERE NOT is_terminal",
    "CREATE TABLE executions (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " job_id TEXT NOT NULL, node_id TEXT NOT NULL, is_live INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, doc BLOB NOT NULL) STRICT",
    "CREATE INDEX executions_of_job ON executions (job_id, seq)",
    "CREATE INDEX executions_live_of_node ON executions (node_id, seq) WHERE is_live",
    "CREATE TABLE evaluations (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " doc BLOB NOT NULL) STRICT",
    "CREATE TABLE history (job_id TEXT NOT NULL, seq_num INTEGER NOT NULL,"
    " time_ns INTEGER NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (job_id, seq_num))"
    " STRICT, WITHOUT ROWID",
    "CREATE TABLE nodes (id TEXT PRIMARY KEY, doc BLOB NOT NULL) STRICT, WITHOUT ROWID",
    *_outbox.TABLES,
)

JOB_SCHEMA = Schema(
    name="job store",
    application_id=0x62616A31,
    versions=(_VERSION_1, _provenance.TABLE, _snapshots.COMPLETED),
)


def apply_changes(connection: sqlite3.Connection, changes: JobChanges) -> int:
    """Write one transaction within the connection's and return the job's new generation.

    Raises:
        ConflictError: as ``JobStore.apply``.
        StaleWriteError: as ``JobStore.apply``.
    """
    stored = _job_head(connection, changes.job_id)
    executions = _execution_heads(connection, changes.executions)
    head = job_head_after(changes, stored, executions)
    if changes.job is not None:
        _put_job(connection, changes.job, head, is_new=stored is None)
    elif not changes.is_for_the_record:
        connection.execute(
            "UPDATE jobs SET generation = ?, events = ? WHERE id = ?",
            (head.generation, head.events, changes.job_id),
        )
    for execution in changes.executions:
        _put_execution(connection, execution, is_new=execution.id not in executions)
    for evaluation in changes.evaluations:
        _put_evaluation(connection, evaluation)
    entries = history_entries(changes, head)
    for draft, entry in zip(changes.history, entries, strict=True):
        connection.execute(
            "INSERT INTO history VALUES (?, ?, ?, ?)",
            (changes.job_id, entry.seq_num, draft.time_ns, encode(entry)),
        )
    for provenance in changes.provenance:
        _provenance.put(connection, provenance)
    for node_id, message in changes.messages:
        _outbox.append(connection, node_id, message)
    return head.generation


def _job_head(connection: sqlite3.Connection, job_id: JobID) -> JobHead | None:
    row = connection.execute(
        "SELECT revision, generation, events, namespace, create_time, is_terminal"
        " FROM jobs WHERE id = ?",
        (job_id,),
    ).fetchone()
    if not row:
        return None
    revision, generation, events, namespace, create_time, is_ended = row
    return JobHead(
        revision=revision,
        generation=generation,
        events=events,
        namespace=namespace,
        create_time=create_time,
        is_ended=bool(is_ended),
    )


def _execution_heads(
    connection: sqlite3.Connection, executions: Iterable[Execution]
) -> dict[ExecutionID, ExecutionHead]:
    """Return the heads of those executions that are stored."""
    heads = {}
    for execution in executions:
        row = connection.execute(
            "SELECT job_id, node_id, revision, is_live FROM executions WHERE id = ?",
            (execution.id,),
        ).fetchone()
        if row:
            heads[execution.id] = ExecutionHead(
                job_id=row[0], node_id=row[1], revision=row[2], is_ended=not row[3]
            )
    return heads


# An update names only columns that change: each one named costs a write to every index that has it.


def _put_job(connection: sqlite3.Connection, job: Job, head: JobHead, *, is_new: bool) -> None:
    changing = (job.modify_time, head.revision, head.generation, head.events, encode(job), job.id)
    if is_new:
        connection.execute(
            "INSERT INTO jobs (namespace, is_terminal, create_time, modify_time,"
            " revision, generation, events, doc, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (job.namespace, job.is_terminal, job.create_time, *changing),
        )
        return
    ended = "is_terminal = TRUE," if job.is_terminal else ""
    connection.execute(
        f"UPDATE jobs SET {ended} modify_time = ?, revision = ?, generation = ?, events = ?,"  # noqa: S608 - no input
        " doc = ? WHERE id = ?",
        changing,
    )


def _put_execution(connection: sqlite3.Connection, execution: Execution, *, is_new: bool) -> None:
    changing = (execution.revision, encode(without_job(execution)), execution.id)
    if is_new:
        connection.execute(
            "INSERT INTO executions"
            " (job_id, node_id, partition_index, is_live, is_completed, revision, doc, id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                execution.job_id,
                execution.node_id,
                execution.partition_index,
                not execution.is_terminal,
                execution.is_completed,
                *changing,
            ),
        )
        return
    ended = ""
    if execution.is_terminal:
        ended = f"is_live = FALSE, is_completed = {execution.is_completed:d},"
    connection.execute(
        f"UPDATE executions SET {ended} revision = ?, doc = ? WHERE id = ?",  # noqa: S608 - no input
        changing,
    )


def _put_evaluation(connection: sqlite3.Connection, evaluation: Evaluation) -> None:
    if not is_open(evaluation):
        drop_evaluation(connection, evaluation.id)
        return
    connection.execute(
        "INSERT INTO evaluations (id, doc) VALUES (?, ?)"
        " ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
        (evaluation.id, encode(evaluation)),
    )


def drop_evaluation(connection: sqlite3.Connection, evaluation_id: str) -> None:
    """Remove an evaluation if it is there."""
    connection.execute("DELETE FROM evaluations WHERE id = ?", (evaluation_id,))


def put_node(connection: sqlite3.Connection, node: NodeState) -> None:
    """Create or replace the record of a node."""
    connection.execute("REPLACE INTO nodes VALUES (?, ?)", (node.info.node_id, encode(node)))


def drop_node(connection: sqlite3.Connection, node_id: NodeID) -> None:
    """Forget the record of a node."""
    connection.execute("DELETE FROM nodes WHERE id = ?", (node_id,))
