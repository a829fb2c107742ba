"""Messages that wait for their receiver, with numbers that are never used twice.

All receivers share one sequence, so that each sees growing numbers. SQLite keeps the highest number
ever given (AUTOINCREMENT), also when the messages are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.protocol.messages import FromNode, Sequenced, StoredMessage, ToNode

if TYPE_CHECKING:
    import sqlite3

    from bacalhau.store.sqlite._database import Database

TABLES = (
    "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " receiver TEXT NOT NULL, doc BLOB NOT NULL) STRICT",
    "CREATE INDEX outbox_by_receiver ON outbox (receiver, seq)",
    "CREATE TABLE outbox_floors (receiver TEXT PRIMARY KEY, floor INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID",
)
FLOOR = "SELECT floor FROM outbox_floors WHERE receiver = ?"

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Sequenced] = msgspec.json.Decoder(ToNode | FromNode)


def append(connection: sqlite3.Connection, receiver: str, message: Sequenced) -> None:
    """Add a message under the next number."""
    connection.execute(
        "INSERT INTO outbox (receiver, doc) VALUES (?, ?)", (receiver, _ENCODER.encode(message))
    )


async def waiting(
    database: Database, receiver: str, *, after: int, limit: int
) -> list[StoredMessage]:
    """Return messages with a number above ``after``, in order; ``limit`` 0 means all."""
    query = "SELECT seq, doc FROM outbox WHERE receiver = ? AND seq > ? ORDER BY seq LIMIT ?"
    parameters = (receiver, after, limit or -1)
    if limit:
        rows = database.rows(query, *parameters)
    else:
        rows = await database.scan(lambda reads: reads.execute(query, parameters).fetchall())
    with database.decoding():
        return [StoredMessage(seq=seq, message=_DECODER.decode(doc)) for seq, doc in rows]


def forget(connection: sqlite3.Connection, receiver: str, up_to: int) -> None:
    """Remove messages up to a number, and raise the floor to it.

    The floor never falls, and never passes the last number given: a receiver that claims more than
    it can have got would otherwise miss what comes next.
    """
    given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    floor = min(up_to, given[0] if given else 0)
    if floor <= 0:
        return
    connection.execute(
        "INSERT INTO outbox_floors VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET floor = max(floor, excluded.floor)",
        (receiver, floor),
    )
    connection.execute("DELETE FROM outbox WHERE receiver = ? AND seq <= ?", (receiver, floor))
