"""Looking through a whole file for damage, before it is met by chance.

SQLite's ``quick_check`` reads every page: 1 ms for 1.5 MB that are in memory, and as long as the
disk takes for the rest. So small files are looked through before they are used, and large ones
while they are.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from bacalhau.store.sqlite._faults import damaged, translating
from bacalhau.store.sqlite._schema import connect

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

CHECKED_AT_OPENING_BYTES = 64 * 1024 * 1024
"""Up to this size a file is looked through while it is opened; ``search`` is for larger ones."""


def check(path: Path) -> None:
    """Look through a file. Blocks.

    Raises:
        InternalError: code ``StoreDamaged``.
    """
    with closing(connect(path, writes=False)) as connection:
        _check(connection, path)


async def search(path: Path) -> None:
    """Look through a file in a thread of its own.

    Cancellation: it ends at once.

    Raises:
        InternalError: code ``StoreDamaged``.
    """
    with (
        closing(connect(path, writes=False)) as connection,
        ThreadPoolExecutor(1, thread_name_prefix=f"check {path.name}") as checker,
    ):
        future = asyncio.get_running_loop().run_in_executor(checker, _check, connection, path)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            connection.interrupt()
            await asyncio.wait([future])
            future.exception()  # looked at, as nobody else will
            raise


def _check(connection: sqlite3.Connection, path: Path) -> None:
    with translating(path):
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, " ".join(found.split()))
