"""What SQLite's errors mean for an operator."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import BacalhauError, Code, InternalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPONENT = "SQLite"

_OUTSIDE = {
    sqlite3.SQLITE_FULL: (
        "there is no space left to write",
        "Free space on the disk that holds it; the store then goes on by itself.",
    ),
    sqlite3.SQLITE_READONLY: (
        "it may not be written",
        "Give this program's user write permission on the file and on its folder, "
        "and see that the file system is not mounted read-only.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "See that its folder exists and that this program's user may write there.",
    ),
    sqlite3.SQLITE_PERM: (
        "access is denied",
        "Give this program's user read and write permission on the file and on its folder.",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk refuses to read or write",
        "Check the disk, its quota and the system log; the store goes on once the disk does.",
    ),
    sqlite3.SQLITE_BUSY: (
        "another program keeps it locked",
        "End the other program that has the file open, such as a second node or a database shell.",
    ),
}
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OF_ONE_WRITE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


def is_of_one_write(error: sqlite3.Error) -> bool:
    """Tell whether an error concerns only the write that met it, not the file as a whole."""
    return isinstance(error, _OF_ONE_WRITE)


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another program keeps the file locked."""
    return _primary_code(error) == sqlite3.SQLITE_BUSY


def translated(error: sqlite3.Error, path: Path) -> BacalhauError:
    """Return the error to raise instead: transient if it can pass without a restart."""
    primary = _primary_code(error)
    if primary in _OUTSIDE:
        problem, hint = _OUTSIDE[primary]
        code = Code.DISK if primary == sqlite3.SQLITE_FULL else None
        message = f"store {path}: {problem} ({error})"
        return TransientError(message, code=code, hint=hint, component=COMPONENT)
    if primary in _DAMAGED:
        return damaged(path, str(error))
    return InternalError(f"store {path}: {error}", component=COMPONENT)


def damaged(path: Path, problem: str) -> InternalError:
    """Return the error for a file that cannot be read as the store that it is."""
    return InternalError(
        f"store {path} is damaged, or is not a store at all ({problem})",
        code=Code.STORE_DAMAGED,
        hint="Stop the program, move the file aside together with its -wal, -shm and -open files, "
        "and put back a copy of it; without a copy, take its line out of stores.txt in the data "
        "directory, and the program begins with an empty store.",
        component=COMPONENT,
    )


def closed(path: Path) -> TransientError:
    """Return the error for using a store after its end."""
    return TransientError(f"store {path} is closed", component=COMPONENT)


def _primary_code(error: sqlite3.Error) -> int:
    # Errors that Python's module finds by itself carry no code.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Translate errors that leave the block: SQLite's, and those of records that make no sense."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except msgspec.MsgspecError as error:
        raise damaged(path, f"a record cannot be read: {error}") from error
