"""Many writes to a flush: what gathers while the disk is busy is the next transaction.

Statements run in the event loop's thread, where each costs microseconds, and nobody contends with
them for the interpreter; only what waits for the disk, the commit, runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from bacalhau.errors import BacalhauError
from bacalhau.store.sqlite._faults import closed, is_busy, is_of_one_write, translated
from bacalhau.store.sqlite._place import Place
from bacalhau.store.sqlite._schema import BUSY_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

T = TypeVar("T")
_Fault = sqlite3.Error | BacalhauError

WAITING_LIMIT = 1024
"""Writes that may wait for their transaction; further callers wait for a place."""

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
        _waiting: Writes of the groups to come.
        _is_writing: True while a group is on its way to the disk.
        _places: Free places among the writes that wait.
        _disk: What the thread has to do; None is the last thing in it.
        _finished: Done when the thread has closed its connection.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._place = Place(path)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Write] = deque()
        self._is_writing = False
        self._places = asyncio.Semaphore(WAITING_LIMIT)
        self._disk: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, name=f"store {path.name}", daemon=True)
        self._is_open = True

    @classmethod
    @asynccontextmanager
    async def open(cls, connection: sqlite3.Connection, path: Path) -> AsyncIterator[Self]:
        """Take over the connection, which has read something, and is closed at the end.

        Leaving the context finishes what is queued, also when it is left by cancellation.
        """
        connection.execute("PRAGMA busy_timeout = 0")
        writer = cls(connection, path)
        writer._thread.start()
        try:
            yield writer
        finally:
            writer._is_open = False
            writer._end_when_idle()
            try:
                await _in_spite_of_cancellation(writer._finished)
            finally:
                writer._thread.join()

    async def submit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a transaction of its own, and return its result once it is durable.

        The function runs in the event loop's thread: it must not wait for anything. It may run
        again from the start, after what it did was undone.

        Cancellation: a function that was handed over runs all the same.

        Raises:
            TransientError: the store is closed, or the file cannot be written now, or is gone.
            InternalError: the file is damaged.
            Exception: whatever the function raises; nothing of it is stored then.
        """
        await self._places.acquire()
        if not self._is_open:
            self._places.release()
            raise closed(self._path)
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Write(work, future))
        if not self._is_writing:
            self._is_writing = True
            self._loop.call_soon(self._next_group)  # others of this turn of the loop join in
        return await future

    def check_place(self) -> None:
        """Raise the ``TransientError`` of a file that is gone; see ``Place``."""
        self._place.check()

    def _next_group(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_LIMIT))]
        try:
            self._begin()
        except sqlite3.Error as error:
            if is_busy(error):
                self._in_thread(self._begin_patiently, partial(self._begun, group))
            else:
                self._fail(group, error)
        else:
            self._write(group)

    def _begun(self, group: list[_Write], error: _Fault | None) -> None:
        if error is None:
            self._write(group)
        else:
            self._fail(group, error)

    def _write(self, group: list[_Write]) -> None:
        try:
            outcomes = self._attempt_all(group)
        except sqlite3.Error as error:
            self._fail(group, error)
            return
        if all(isinstance(outcome, _Refused) for outcome in outcomes):
            self._connection.rollback()
            self._settle(group, outcomes)
        else:
            self._in_thread(self._commit, partial(self._committed, group, outcomes))

    def _committed(self, group: list[_Write], outcomes: list[Any], error: _Fault | None) -> None:
        if error is None:
            self._settle(group, outcomes)
        else:
            self._fail(group, error)

    def _fail(self, group: list[_Write], error: _Fault) -> None:
        """Fail all: even a refusal may rest on a write of the group that has not taken place."""
        if isinstance(error, sqlite3.Error):
            error = translated(error, self._path)
        self._settle(group, [_Refused(error) for _ in group])

    def _settle(self, group: list[_Write], outcomes: list[Any]) -> None:
        for write, outcome in zip(group, outcomes, strict=True):
            self._places.release()
            if write.future.done():  # the caller was cancelled
                continue
            if isinstance(outcome, _Refused):
                write.future.set_exception(outcome.error)
            else:
                write.future.set_result(outcome)
        # Those who are answered now, and go on, belong to the next group.
        self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        if self._waiting:
            self._next_group()
        else:
            self._is_writing = False
            self._end_when_idle()

    def _end_when_idle(self) -> None:
        if not self._is_open and not self._is_writing:
            self._disk.put(None)

    # -- the transaction ----------------------------------------------------------------

    def _begin(self) -> None:
        if self._connection.in_transaction:  # left by a group that failed
            self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN IMMEDIATE")

    def _begin_patiently(self) -> None:
        """Wait for another program that keeps the file locked."""
        self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}")
        try:
            self._begin()
        finally:
            self._connection.execute("PRAGMA busy_timeout = 0")

    def _commit(self) -> None:
        """Commit, provided that the files are there before and after it.

        Before, so that nothing is found later on that was refused; after, so that nothing is
        answered that is lost.
        """
        self._place.check()
        # Not `execute`, which takes the interpreter's lock four times for a statement.
        self._connection.commit()
        self._place.check()

    def _attempt_all(self, group: list[_Write]) -> list[Any]:
        """Run a group. What is refused has written nothing, as a rule, and needs no undoing."""
        outcomes = []
        for write in group:
            before = self._connection.total_changes
            outcome = self._attempt(write)
            if isinstance(outcome, _Refused) and self._connection.total_changes != before:
                self._begin()
                return self._attempt_each(group)
            outcomes.append(outcome)
        return outcomes

    def _attempt_each(self, group: list[_Write]) -> list[Any]:
        """Run a group so that what a refused write has done can be undone, which takes longer."""
        outcomes = []
        for write in group:
            self._connection.execute("SAVEPOINT one")
            outcome = self._attempt(write)
            if isinstance(outcome, _Refused):
                self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            outcomes.append(outcome)
        return outcomes

    def _attempt(self, write: _Write) -> Any:
        try:
            return write.work(self._connection)
        except BacalhauError as error:
            return _Refused(error)
        except sqlite3.Error as error:
            if not is_of_one_write(error):
                raise
            return _Refused(translated(error, self._path))
        except Exception as error:  # a supervisor of its writes: a defect is its caller's
            return _Refused(error)

    # -- the thread ---------------------------------------------------------------------

    def _in_thread(self, work: Callable[[], None], then: Callable[[_Fault | None], None]) -> None:
        """Let the thread work, and go on here with the error it met, if any."""

        def run() -> None:
            try:
                work()
            except (sqlite3.Error, BacalhauError) as error:
                self._loop.call_soon_threadsafe(then, error)
            else:
                self._loop.call_soon_threadsafe(then, None)

        self._disk.put(run)

    def _serve(self) -> None:
        try:
            while (work := self._disk.get()) is not None:
                work()
        finally:
            self._connection.close()
            self._loop.call_soon_threadsafe(self._finished.set_result, None)


async def _in_spite_of_cancellation(future: asyncio.Future[None]) -> None:
    """Wait for the end of what needs the loop to end; a cancellation comes through afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
