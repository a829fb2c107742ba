"""One file with its connections: a writer, a scanner, and one for the event loop's thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, Self, TypeVar

from bacalhau.store.sqlite._faults import closed, translating
from bacalhau.store.sqlite._integrity import CHECKED_AT_OPENING_BYTES, check, search
from bacalhau.store.sqlite._place import marked
from bacalhau.store.sqlite._schema import connect, prepare
from bacalhau.store.sqlite._writer import GroupWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

from bacalhau.store.sqlite._schema import Schema

T = TypeVar("T")


class Database:
    """What a store is built on. Reads see every write that has returned."""

    def __init__(
        self,
        path: Path,
        writer: GroupWriter,
        reads: sqlite3.Connection,
        scans: sqlite3.Connection,
        scanner: ThreadPoolExecutor,
        *,
        is_checked: bool,
    ) -> None:
        self._path = path
        self._writer = writer
        self._reads = reads
        self._scans = scans
        self._scanner = scanner
        self._is_checked = is_checked
        self._is_open = True

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, schema: Schema, noted_in: Path | None = None
    ) -> AsyncIterator[Self]:
        """Open a file, making or upgrading it as needed, and looking through it if it is small.

        Leaving the context finishes queued writes and moves the log into the file.

        Raises:
            BacalhauError: as ``_schema.prepare``.
            TransientError: code ``StoreMissing``, at the end: the file is gone.
        """
        with ThreadPoolExecutor(1, thread_name_prefix=f"prepare {path.name}") as preparer:
            loop = asyncio.get_running_loop()
            is_checked = await loop.run_in_executor(preparer, _prepare, path, schema, noted_in)
        async with GroupWriter.open(connect(path, writes=True), path) as writer:
            with (
                closing(connect(path, writes=False)) as reads,
                closing(connect(path, writes=False)) as scans,
                ThreadPoolExecutor(1, thread_name_prefix=f"scan {path.name}") as scanner,
                marked(path),
            ):
                database = cls(path, writer, reads, scans, scanner, is_checked=is_checked)
                try:
                    yield database
                    writer.check_place()
                finally:
                    database._is_open = False

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a transaction; see ``GroupWriter.submit``."""
        return await self._writer.submit(work)

    async def verify(self) -> None:
        """Look for damage in a file that was too large for that when it was opened.

        Raises:
            InternalError: code ``StoreDamaged``.
        """
        if not self._is_checked:
            await search(self._path)
            self._is_checked = True

    def document(self, decode: Callable[[bytes], T], query: str, *parameters: Any) -> T | None:
        """Read the document in the first column of the only row, if there is one."""
        if not self._is_open:
            raise closed(self._path)
        with translating(self._path):
            row = self._reads.execute(query, parameters).fetchone()
            return decode(row[0]) if row else None

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        """Read a few rows at once, by key. One query sees one state of the file."""
        if not self._is_open:
            raise closed(self._path)
        with translating(self._path):
            return self._reads.execute(query, parameters).fetchall()

    def decoding(self) -> AbstractContextManager[None]:
        """Tell a record that makes no sense as what it is: damage of the file."""
        return translating(self._path)

    async def scan(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run a reading function in the scanner's thread, after those asked for earlier."""
        if not self._is_open:
            raise closed(self._path)
        return await asyncio.get_running_loop().run_in_executor(self._scanner, self._scan, read)

    def _scan(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with translating(self._path):
            return read(self._scans)


def _prepare(path: Path, schema: Schema, noted_in: Path | None) -> bool:
    """Make a file ready; return whether all of it has been looked at."""
    prepare(path, schema, noted_in)
    if path.stat().st_size > CHECKED_AT_OPENING_BYTES:
        return False
    check(path)
    return True
