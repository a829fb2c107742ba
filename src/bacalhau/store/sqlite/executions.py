"""The compute node's store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

import msgspec

from bacalhau.ports.guards import LocalHead, assert_distinct, check_local_changes
from bacalhau.ports.store import LocalExecution
from bacalhau.protocol.messages import ORCHESTRATOR
from bacalhau.store.sqlite import _outbox
from bacalhau.store.sqlite._database import Database
from bacalhau.store.sqlite._records import encode
from bacalhau.store.sqlite._schema import Schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bacalhau.models import ExecutionID
    from bacalhau.ports.store import LocalChanges
    from bacalhau.protocol.messages import StoredMessage

_VERSION_1 = (
    "CREATE TABLE executions (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " is_live INTEGER NOT NULL, revision INTEGER NOT NULL, doc BLOB NOT NULL) STRICT",
    "CREATE INDEX executions_live ON executions (seq) WHERE is_live",
    *_outbox.TABLES,
)

EXECUTION_SCHEMA = Schema(name="execution store", application_id=0x62616531, versions=(_VERSION_1,))

_decode = msgspec.json.Decoder(LocalExecution).decode


class SQLiteExecutionStore:
    """An ``ExecutionStore`` in one file. See the port for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        async with Database.open(path, EXECUTION_SCHEMA, noted_in) as database:
            yield cls(database)

    async def verify(self) -> None:
        """Look for damage in a file that was too large for that when it was opened.

        Raises:
            InternalError: code ``StoreDamaged``.
        """
        await self._database.verify()

    async def apply(self, changes: LocalChanges) -> None:
        """Store one transaction."""
        assert_distinct(execution.id for execution in changes.executions)
        await self._database.write(partial(_apply, changes=changes))

    def execution(self, execution_id: ExecutionID) -> LocalExecution | None:
        """Read one record."""
        query = "SELECT doc FROM executions WHERE id = ?"
        return self._database.document(_decode, query, execution_id)

    async def live(self) -> Sequence[LocalExecution]:
        """Return the records whose state is not terminal."""

        def read(connection: sqlite3.Connection) -> list[LocalExecution]:
            rows = connection.execute("SELECT doc FROM executions WHERE is_live ORDER BY seq")
            return [_decode(doc) for (doc,) in rows]

        return await self._database.scan(read)

    async def outbox(self, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """Return waiting messages; ``limit`` 0 means all."""
        return await _outbox.waiting(self._database, ORCHESTRATOR, after=after, limit=limit)

    async def outbox_delivered(self, *, up_to: int) -> None:
        """Forget messages."""
        if up_to > self.outbox_floor():
            await self._database.write(partial(_outbox.forget, receiver=ORCHESTRATOR, up_to=up_to))

    def outbox_floor(self) -> int:
        """Return the number up to which everything was delivered."""
        rows = self._database.rows(_outbox.FLOOR, ORCHESTRATOR)
        return int(rows[0][0]) if rows else 0


def _apply(connection: sqlite3.Connection, changes: LocalChanges) -> None:
    stored = {}
    for execution in changes.executions:
        row = connection.execute(
            "SELECT revision, is_live FROM executions WHERE id = ?", (execution.id,)
        ).fetchone()
        if row:
            stored[execution.id] = LocalHead(revision=row[0], is_ended=not row[1])
    check_local_changes(changes, stored)
    for execution in changes.executions:
        _put(connection, execution, is_new=execution.id not in stored)
    for message in changes.messages:
        _outbox.append(connection, ORCHESTRATOR, message)


def _put(connection: sqlite3.Connection, execution: LocalExecution, *, is_new: bool) -> None:
    changing = (execution.revision, encode(execution), execution.id)
    if is_new:
        connection.execute(
            "INSERT INTO executions (is_live, revision, doc, id) VALUES (?, ?, ?, ?)",
            (not execution.state.is_terminal, *changing),
        )
        return
    # A column named in an update costs a write to every index that has it.
    ended = "is_live = FALSE," if execution.state.is_terminal else ""
    connection.execute(
        f"UPDATE executions SET {ended} revision = ?, doc = ? WHERE id = ?",  # noqa: S608 - no input
        changing,
    )
