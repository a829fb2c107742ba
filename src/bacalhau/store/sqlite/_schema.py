"""Making, checking and upgrading the file of a store.

A file says in its header which kind of store it is (``application_id``) and in which version of the
schema (``user_version``). Older files are upgraded in one transaction, after a copy was put beside
them; newer ones are refused.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.errors import Code, InternalError, UserError
from bacalhau.lib.files import sync_directory
from bacalhau.store.sqlite._faults import COMPONENT, translating
from bacalhau.store.sqlite._place import remove_mark, require_log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BUSY_TIMEOUT_SECONDS = 5.0
_WAL_KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """A kind of store.

    ``name`` is for messages. ``versions`` holds, for each version from 1 on, the statements that
    lead to it from the one before; entries are only ever added.
    """

    name: str
    application_id: int
    versions: Sequence[Sequence[str]]


def prepare(path: Path, schema: Schema, noted_in: Path | None = None) -> None:
    """Make the file if it is missing, upgrade it if it is old. Blocks.

    ``noted_in`` names the file that says that there was a store before: then none is made.

    Raises:
        UserError: the path cannot hold a store, or the file is of another kind or newer; or it is
            missing or empty, and was not before; or the log of a killed process is missing.
        TransientError: the file cannot be written now.
        InternalError: the file is damaged.
    """
    if not _is_blank(path):
        require_log(path)
    elif noted_in is None:
        remove_mark(path)
    else:
        # Not even opened: SQLite throws the log of an empty file away.
        raise _missing(path, schema, noted_in)
    _create(path, schema)
    with translating(path), closing(_connect(path)) as connection:
        version = _checked_version(connection, path, schema)
        if noted_in is not None and version == 0:
            raise _missing(path, schema, noted_in)
        _switch_to_wal(connection, path)
        if 0 < version < len(schema.versions):
            _keep_copy(connection, copy_path(path, version))
        if version < len(schema.versions):
            _upgrade(connection, version, schema)


def connect(path: Path, *, writes: bool) -> sqlite3.Connection:
    """Open a prepared file. The connection may change threads, but not be shared by them.

    Raises:
        BacalhauError: as ``prepare``.
    """
    with translating(path), contextlib.ExitStack() as stack:
        connection = stack.enter_context(closing(_connect(path)))
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        if not writes:
            connection.execute("PRAGMA query_only = ON")
        _number(connection, "SELECT count(*) FROM sqlite_schema")  # opens the log, too
        stack.pop_all()
    return connection


def copy_path(path: Path, version: int) -> Path:
    """Return where the copy of a file of an older version is kept."""
    return path.with_name(f"{path.name}.v{version}")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )


def _is_blank(path: Path) -> bool:
    """Tell whether there is no file, or one without a byte in it."""
    return not path.exists() or (path.is_file() and not path.stat().st_size)


def _missing(path: Path, schema: Schema, noted_in: Path) -> UserError:
    return UserError(
        f"the {schema.name} {path} is {'empty' if path.exists() else 'missing'}, "
        f"and there was one before, as {noted_in} says",
        code=Code.STORE_MISSING,
        hint="Put it back from a copy, together with its -wal file if there is one. To begin anew "
        f"without what was in it, take its line out of {noted_in}.",
        component=COMPONENT,
        fields=["DataDir"],
    )


def _create(path: Path, schema: Schema) -> None:
    """Make sure of the file, readable by its owner only; SQLite's side files follow its mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            sync_directory(path.parent)
    except OSError as error:
        raise UserError(
            f"the {schema.name} {path} cannot be created: {error.strerror}",
            hint="Let DataDir name a folder that this program's user may write to.",
            component=COMPONENT,
            fields=["DataDir"],
        ) from error


def _checked_version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    """Return the version of a file's schema, 0 when it is empty."""
    if not _number(connection, "SELECT count(*) FROM sqlite_schema"):
        return 0
    version = _number(connection, "PRAGMA user_version")
    if _number(connection, "PRAGMA application_id") != schema.application_id:
        raise UserError(
            f"the file {path} is a database, but no {schema.name}",
            hint="Move it aside, or let DataDir name another folder.",
            component=COMPONENT,
            fields=["DataDir"],
        )
    newest = len(schema.versions)
    if version > newest:
        raise UserError(
            f"the {schema.name} {path} was written by a newer version of this program "
            f"(its schema is {version}, and {newest} is the newest known here)",
            hint="Run the newer version, or put back the copy made before the upgrade, "
            f"such as {copy_path(path, newest)}, if there is one.",
            component=COMPONENT,
        )
    return version


def _switch_to_wal(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise InternalError(
            f"the file system of {path} lacks the shared memory that the store needs",
            hint="Let DataDir name a folder on a local disk.",
            component=COMPONENT,
            fields=["DataDir"],
        )


def _keep_copy(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy the file as it is, durably, under its final name only when complete."""
    partial = copy.with_name(f"{copy.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_RDWR, 0o600))
        with translating(partial), closing(sqlite3.connect(partial)) as target:
            connection.backup(target)
        partial.replace(copy)
        sync_directory(copy.parent)
    except OSError as error:
        raise UserError(
            f"the copy {copy} that goes before an upgrade cannot be made: {error.strerror}",
            hint="Let this program's user write to that folder, and free space on its disk.",
            component=COMPONENT,
            fields=["DataDir"],
        ) from error


def _upgrade(connection: sqlite3.Connection, version: int, schema: Schema) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in schema.versions[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute(f"PRAGMA user_version = {len(schema.versions)}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
