"""The one thread that writes to a file, many writes to a flush."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from bacalhau.errors import BacalhauError
from bacalhau.store.sqlite._faults import closed, is_of_one_write, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

T = TypeVar("T")

WAITING_LIMIT = 1024
"""Writes that may wait for the thread; further callers wait for a place."""

GROUP_LIMIT = 128
"""Writes in one transaction."""


@dataclass(frozen=True, slots=True)
class _Write:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Refused:
    error: Exception


class GroupWriter:
    """Runs writes one after the other and commits them in groups.

    Attributes:
        _inbox: Handed-over writes; None is the last thing in it.
        _places: Free places in the inbox.
        _finished: Done when the thread has closed its connection.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._inbox: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._places = asyncio.Semaphore(WAITING_LIMIT)
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name=f"store {path.name}", daemon=True)
        self._is_open = True

    @classmethod
    @asynccontextmanager
    async def open(cls, connection: sqlite3.Connection, path: Path) -> AsyncIterator[Self]:
        """Start the thread, which owns the connection from here on and closes it.

        Leaving the context finishes what is queued, also when it is left by cancellation.
        """
        writer = cls(connection, path)
        writer._thread.start()
        try:
            yield writer
        finally:
            writer._is_open = False
            writer._inbox.put(None)
            try:
                await asyncio.shield(writer._finished)
            finally:
                writer._thread.join()

    async def submit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a transaction of its own, and return its result once it is durable.

        Cancellation: a function that was handed over runs all the same.

        Raises:
            TransientError: the store is closed, or the file cannot be written now.
            InternalError: the file is damaged.
            Exception: whatever the function raises; nothing of it is stored then.
        """
        await self._places.acquire()
        if not self._is_open:
            self._places.release()
            raise closed(self._path)
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(_Write(work, future))
        return await future

    def _settle(self, group: list[_Write], outcomes: list[Any]) -> None:
        for write, outcome in zip(group, outcomes, strict=True):
            self._places.release()
            if write.future.done():  # the caller was cancelled
                continue
            if isinstance(outcome, _Refused):
                write.future.set_exception(outcome.error)
            else:
                write.future.set_result(outcome)

    # Everything below runs in the thread.

    def _run(self) -> None:
        try:
            while group := self._next_group():
                self._loop.call_soon_threadsafe(self._settle, group, self._commit(group))
        finally:
            self._connection.close()
            self._loop.call_soon_threadsafe(self._finished.set_result, None)

    def _next_group(self) -> list[_Write]:
        """Wait for a write and take what else is there; empty when all is done."""
        group: list[_Write] = []
        while len(group) < GROUP_LIMIT:
            try:
                write = self._inbox.get(block=not group)
            except queue.Empty:
                break
            if write is None:
                self._inbox.put(None)
                break
            group.append(write)
        return group

    def _commit(self, group: list[_Write]) -> list[Any]:
        """Run a group as one transaction and return a result or a refusal for each write.

        When the transaction fails, all fail: even a refusal may rest on a write of the same group
        that has now not taken place.
        """
        try:
            if self._connection.in_transaction:  # left by a group that failed
                self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(write) for write in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            return [_Refused(translated(error, self._path)) for _ in group]
        return outcomes

    def _attempt(self, write: _Write) -> Any:
        self._connection.execute("SAVEPOINT one")
        try:
            outcome = write.work(self._connection)
        except BacalhauError as error:
            outcome = _Refused(error)
        except sqlite3.Error as error:
            if not is_of_one_write(error):
                raise
            outcome = _Refused(translated(error, self._path))
        except Exception as error:  # the thread supervises its writes: a defect is its caller's
            outcome = _Refused(error)
        if isinstance(outcome, _Refused):
            self._connection.execute("ROLLBACK TO one")
        self._connection.execute("RELEASE one")
        return outcome
