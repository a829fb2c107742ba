"""The orchestrator's store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from bacalhau.models import Evaluation, ExecutionID, JobHistory, JobID, NodeState
from bacalhau.ports.guards import assert_one_job
from bacalhau.ports.paging import page_request
from bacalhau.store.sqlite import _outbox, _provenance, _snapshots
from bacalhau.store.sqlite._database import Database
from bacalhau.store.sqlite._job_pages import read_page
from bacalhau.store.sqlite._job_tables import (
    JOB_SCHEMA,
    apply_changes,
    drop_evaluation,
    drop_node,
    put_node,
)
from bacalhau.store.sqlite._recent import RecentSnapshots
from bacalhau.store.sqlite._records import decode_execution, decode_job, prefix_end

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from bacalhau.lifecycle.changes import JobChanges, JobSnapshot
    from bacalhau.models import EvaluationID, Execution, Job, NodeID
    from bacalhau.models.provenance import ExecutionProvenance
    from bacalhau.ports.store import JobPage, JobQuery, WholeJob
    from bacalhau.protocol.messages import StoredMessage, ToNode

T = TypeVar("T")

_decode_evaluation = msgspec.json.Decoder(Evaluation).decode
_decode_history = msgspec.json.Decoder(JobHistory).decode
_decode_node = msgspec.json.Decoder(NodeState).decode


class SQLiteJobStore:
    """A ``JobStore`` in one file. See the port for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent = RecentSnapshots()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, noted_in: Path | None = None) -> AsyncIterator[Self]:
        """Open the file, which is made with its folder when missing, and upgraded when old.

        ``noted_in`` names the file that says that there was a store before: then none is made.
        Leaving the context finishes the writes that were handed over.

        Raises:
            UserError: the path cannot hold a store, or the file is of another kind or newer; or it
                is missing or empty, and was not before.
            TransientError: the file cannot be written now.
            InternalError: the file is damaged.
        """
        async with Database.open(path, JOB_SCHEMA, noted_in) as database:
            yield cls(database)

    async def verify(self) -> None:
        """Look for damage in a file that was too large for that when it was opened.

        Raises:
            InternalError: code ``StoreDamaged``.
        """
        await self._database.verify()

    async def apply(self, changes: JobChanges) -> int:
        """Store one transaction on one job."""
        assert_one_job(changes)
        generation = await self._database.write(partial(apply_changes, changes=changes))
        self._recent.advance(changes, generation)
        return generation

    def job(self, job_id: JobID) -> Job | None:
        """Read one job."""
        return self._database.document(decode_job, "SELECT doc FROM jobs WHERE id = ?", job_id)

    def execution(self, execution_id: ExecutionID) -> Execution | None:
        """Read one execution, without its job."""
        query = "SELECT doc FROM executions WHERE id = ?"
        return self._database.document(decode_execution, query, execution_id)

    def snapshot(self, job_id: JobID) -> JobSnapshot | None:
        """Read what decisions about a job are made from, in one query and so at one moment."""
        kept = self._recent.find(job_id)
        if kept is not None:
            ((generation,),) = self._database.rows(_snapshots.GENERATION, job_id)
            if kept.generation == generation:
                return kept
        rows = self._database.rows(_snapshots.QUERY, job_id)
        with self._database.decoding():
            snapshot = _snapshots.read(rows)
        if snapshot is not None:
            self._recent.keep(snapshot)
        return snapshot

    async def whole(self, job_id: JobID) -> WholeJob | None:
        """Read a job with all its executions."""
        return await self._database.scan(partial(_snapshots.whole, job_id=job_id))

    def find_jobs(self, prefix: str, limit: int) -> Sequence[JobID]:
        """Return ids that start with ``prefix``."""
        return [JobID(found) for found in self._find("jobs", prefix, limit)]

    def find_executions(self, prefix: str, limit: int) -> Sequence[ExecutionID]:
        """Return ids that start with ``prefix``."""
        return [ExecutionID(found) for found in self._find("executions", prefix, limit)]

    def _find(self, table: str, prefix: str, limit: int) -> list[str]:
        end = prefix_end(prefix)
        bound = "" if end is None else "AND id < ?"
        query = f"SELECT id FROM {table} WHERE id >= ? {bound} ORDER BY id LIMIT ?"  # noqa: S608
        parameters = (prefix, limit) if end is None else (prefix, end, limit)
        return [found for (found,) in self._database.rows(query, *parameters)]

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """List jobs by key."""
        return await read_page(self._database, page_request(query))

    async def history(
        self, job_id: JobID, *, after: int = 0, limit: int = 0
    ) -> Sequence[JobHistory]:
        """Return events of a job."""
        return await self._documents(
            _decode_history,
            "SELECT doc FROM history WHERE job_id = ? AND seq_num > ? ORDER BY seq_num LIMIT ?",
            job_id,
            after,
            limit or -1,
        )

    async def provenance(
        self, job_id: JobID, *, after: ExecutionID | None = None, limit: int = 0
    ) -> Sequence[ExecutionProvenance]:
        """Return what executions of a job have read and written."""
        read = partial(_provenance.page, job_id=job_id, after=after, limit=limit)
        return await self._database.scan(read)

    async def live_executions(self, node_id: NodeID | None = None) -> Sequence[Execution]:
        """Return executions that have not ended."""
        if node_id is None:
            query = "SELECT doc FROM executions WHERE is_live ORDER BY seq"
            return await self._documents(decode_execution, query)
        query = "SELECT doc FROM executions WHERE is_live AND node_id = ? ORDER BY seq"
        return await self._documents(decode_execution, query, node_id)

    async def unfinished_jobs(self) -> Sequence[Job]:
        """Return jobs that are not terminal."""
        query = "SELECT doc FROM jobs WHERE NOT is_terminal ORDER BY seq"
        return await self._documents(decode_job, query)

    async def open_evaluations(self) -> Sequence[Evaluation]:
        """Return pending and blocked evaluations."""
        query = "SELECT doc FROM evaluations ORDER BY seq"
        return await self._documents(_decode_evaluation, query)

    async def drop_evaluation(self, evaluation_id: EvaluationID) -> None:
        """Forget an evaluation."""
        await self._database.write(partial(drop_evaluation, evaluation_id=evaluation_id))

    async def send(self, node_id: NodeID, message: ToNode) -> None:
        """Put a message into a node's outbox that no change to a job causes."""
        await self._database.write(partial(_outbox.append, receiver=node_id, message=message))

    async def outbox(self, node_id: NodeID, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """Return messages for a node; ``limit`` 0 means all."""
        return await _outbox.waiting(self._database, node_id, after=after, limit=limit)

    async def outbox_delivered(self, node_id: NodeID, *, up_to: int) -> None:
        """Forget messages for a node."""
        if up_to > self.outbox_floor(node_id):
            await self._database.write(partial(_outbox.forget, receiver=node_id, up_to=up_to))

    def outbox_floor(self, node_id: NodeID) -> int:
        """Return the number up to which everything for a node was delivered."""
        rows = self._database.rows(_outbox.FLOOR, node_id)
        return int(rows[0][0]) if rows else 0

    async def put_node(self, node: NodeState) -> None:
        """Create or replace the record of a node."""
        await self._database.write(partial(put_node, node=node))

    async def drop_node(self, node_id: NodeID) -> None:
        """Forget the record of a node."""
        await self._database.write(partial(drop_node, node_id=node_id))

    async def nodes(self) -> Sequence[NodeState]:
        """Return all known nodes."""
        return await self._documents(_decode_node, "SELECT doc FROM nodes ORDER BY id")

    async def _documents(
        self, decode: Callable[[bytes], T], query: str, *parameters: Any
    ) -> list[T]:
        def read(connection: sqlite3.Connection) -> list[T]:
            return [decode(doc) for (doc,) in connection.execute(query, parameters)]

        return await self._database.scan(read)
