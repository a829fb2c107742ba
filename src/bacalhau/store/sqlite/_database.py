"""One file with its connections: a writer, a scanner, and one for the event loop's thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, Self, TypeVar

from bacalhau.store.sqlite._faults import closed, translating
from bacalhau.store.sqlite._schema import connect, prepare
from bacalhau.store.sqlite._writer import GroupWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable
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
    ) -> None:
        self._path = path
        self._writer = writer
        self._reads = reads
        self._scans = scans
        self._scanner = scanner
        self._is_open = True

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, schema: Schema) -> AsyncIterator[Self]:
        """Open a file, making or upgrading it as needed.

        Leaving the context finishes queued writes and moves the log into the file.

        Raises:
            BacalhauError: as ``_schema.prepare``.
        """
        with ThreadPoolExecutor(1, thread_name_prefix=f"prepare {path.name}") as preparer:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(preparer, prepare, path, schema)
        async with GroupWriter.open(connect(path, writes=True), path) as writer:
            with (
                closing(connect(path, writes=False)) as reads,
                closing(connect(path, writes=False)) as scans,
                ThreadPoolExecutor(1, thread_name_prefix=f"scan {path.name}") as scanner,
            ):
                database = cls(path, writer, reads, scans, scanner)
                try:
                    yield database
                finally:
                    database._is_open = False

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a transaction; see ``GroupWriter.submit``."""
        return await self._writer.submit(work)

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        """Read a few rows at once, by key. One query sees one state of the file."""
        if not self._is_open:
            raise closed(self._path)
        with translating(self._path):
            return self._reads.execute(query, parameters).fetchall()

    async def scan(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run a reading function in the scanner's thread, after those asked for earlier."""
        if not self._is_open:
            raise closed(self._path)
        return await asyncio.get_running_loop().run_in_executor(self._scanner, self._scan, read)

    def _scan(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with translating(self._path):
            return read(self._scans)
