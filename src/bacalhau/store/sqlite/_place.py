"""Whether the files of a store are where they should be.

A process may go on writing into a file that has been removed. All of it is lost with the process,
so a write only counts when the files at their paths are those that were opened.

A process that was killed leaves the newest writes in the log. That it needs it at the next start
is noted in a third file beside the two, which is there exactly as long as the log has to be.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bacalhau.errors import Code, TransientError, UserError
from bacalhau.lib.files import sync_directory
from bacalhau.store.sqlite._faults import COMPONENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Place:
    """The files of one open store: the database, and the log that is not yet part of it.

    SQLite keeps both open, and makes no other ones, until the last connection is closed. Made when
    there is a connection that has read something; before that the log may be missing.
    """

    def __init__(self, path: Path) -> None:
        self._opened = {str(file): _identity(str(file)) for file in (path, log_of(path))}

    def check(self) -> None:
        """Look at both paths, which costs microseconds.

        Raises:
            TransientError: code ``StoreMissing``: a file was removed or exchanged. If it comes
                back, the store goes on.
        """
        for file, opened in self._opened.items():
            now = _identity(file)
            if now is None or now != opened:
                problem = "is gone" if now is None else "was exchanged"
                raise TransientError(
                    f"the store's file {file} {problem} while the program was using it; "
                    "nothing more can be kept",
                    code=Code.STORE_MISSING,
                    hint="Stop the node, put its data directory back from a copy, and start it.",
                    component=COMPONENT,
                )


def log_of(path: Path) -> Path:
    """Return where SQLite keeps what has not been moved into the file yet."""
    return path.with_name(f"{path.name}-wal")


def mark_of(path: Path) -> Path:
    """Return the file that is there while the log has to be."""
    return path.with_name(f"{path.name}-open")


def require_log(path: Path) -> None:
    """Refuse a store whose log is missing; after this the log may go: SQLite takes it over.

    Raises:
        UserError: code ``StoreMissing``.
    """
    mark = mark_of(path)
    if mark.exists() and not log_of(path).exists():
        raise UserError(
            f"the log {log_of(path)} of the store {path} is missing; the program was killed, and "
            "what it had stored last was there",
            code=Code.STORE_MISSING,
            hint="Put the log back. If a database shell has opened the store since, nothing is "
            f"lost; then, or to go on without the log or with a copy of the store, remove {mark}.",
            component=COMPONENT,
            fields=["DataDir"],
        )
    remove_mark(path)


def remove_mark(path: Path) -> None:
    """Say that the log may go."""
    with suppress(OSError):  # where nothing can be removed, the log cannot either
        mark_of(path).unlink()
        sync_directory(path.parent)


@contextmanager
def marked(path: Path) -> Iterator[None]:
    """Say that the log has to be there, for as long as connections are open that have made it."""
    with suppress(OSError):  # a full disk keeps no store from being used
        sync_directory(path.parent)
        mark_of(path).touch(0o600)
    try:
        yield
    finally:
        remove_mark(path)


def _identity(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - with each commit: a Path costs more than the call
    except OSError:
        return None
    return found.st_dev, found.st_ino
