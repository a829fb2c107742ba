"""What is known of each file in the cache, kept in SQLite beside the files."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    digest BLOB NOT NULL,
    verified_ns INTEGER NOT NULL,
    used_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inputs (
    fingerprint TEXT PRIMARY KEY,
    total_bytes INTEGER NOT NULL,
    digests BLOB NOT NULL,
    turn INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS machine (boot TEXT NOT NULL);
"""
_PUT = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


_PUT_INPUT = """
INSERT OR REPLACE INTO inputs
SELECT ?, ?, ?, COALESCE(MAX(turn), 0) + 1 FROM inputs
"""
_FORGET_INPUTS = """
DELETE FROM inputs WHERE turn <= (SELECT turn FROM inputs ORDER BY turn DESC LIMIT 1 OFFSET ?)
"""


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was when its SHA-256 was ``digest``; ``verified_ns`` 0 asks for another look."""

    name: str
    identity: str
    size_bytes: int
    modified_ns: int
    inode: int
    digest: bytes
    verified_ns: int
    used_ns: int


class KeptInput(msgspec.Struct, frozen=True, kw_only=True):
    """An input, and which files of the cache it consisted of: their names as bytes, in a row."""

    fingerprint: str
    total_bytes: int
    digests: bytes

    @classmethod
    def of(cls, fingerprint: str, total_bytes: int, names: Iterable[str]) -> KeptInput:
        """Pack the names of files."""
        digests = bytes.fromhex("".join(names))
        return cls(fingerprint=fingerprint, total_bytes=total_bytes, digests=digests)

    def names(self) -> Iterator[str]:
        """Yield the names of files, in their order."""
        size = hashlib.sha256().digest_size
        for begin in range(0, len(self.digests), size):
            yield self.digests[begin : begin + size].hex()


class CacheIndex:
    """The table of files. All methods block, one at a time; all raise OSError.

    What is written outlives the process. A power cut loses at most the last writes of the index,
    but maybe bytes of files that the index knows; so all files are suspect after one.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        with _disk():
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.executescript(_SCHEMA)
            except sqlite3.Error:
                self._database.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def suspect_after_boot(self, boot: str) -> None:
        """Ask for another look at all files unless the machine runs since they were written."""
        with self._lock, _disk(), self._transaction() as database:
            row = database.execute("SELECT boot FROM machine").fetchone()
            if row != (boot,):
                database.execute("UPDATE files SET verified_ns = 0")
                database.execute("DELETE FROM machine")
                database.execute("INSERT INTO machine VALUES (?)", (boot,))

    def read(self) -> list[KeptFile]:
        """Return all files, least recently used first."""
        fields = ", ".join(KeptFile.__struct_fields__)
        query = f"SELECT {fields} FROM files ORDER BY used_ns, name"  # noqa: S608 - own names
        with self._lock, _disk(), closing(self._database.execute(query)) as rows:
            return [
                KeptFile(**dict(zip(KeptFile.__struct_fields__, row, strict=True))) for row in rows
            ]

    def write(self, kept: Iterable[KeptFile], removed: Iterable[str] = ()) -> None:
        """Store files, and forget others, in one step."""
        with self._lock, _disk(), self._transaction() as database:
            database.executemany("DELETE FROM files WHERE name = ?", ((name,) for name in removed))
            database.executemany(_PUT, (msgspec.structs.astuple(each) for each in kept))

    def inputs(self) -> list[KeptInput]:
        """Return all inputs, in the order in which they were stored."""
        query = "SELECT fingerprint, total_bytes, digests FROM inputs ORDER BY turn"
        with self._lock, _disk(), closing(self._database.execute(query)) as rows:
            return [
                KeptInput(fingerprint=name, total_bytes=total_bytes, digests=digests)
                for name, total_bytes, digests in rows
            ]

    def write_input(self, kept: KeptInput, most: int) -> None:
        """Store an input as the latest of at most so many."""
        values = (kept.fingerprint, kept.total_bytes, kept.digests)
        with self._lock, _disk(), self._transaction() as database:
            database.execute(_PUT_INPUT, values)
            database.execute(_FORGET_INPUTS, (most,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise OSError(f"the index of the input cache cannot be used: {exc}") from exc
