"""Grouped writes: what happens to each of them when one, or all, go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import InternalError, TransientError, UserError
from bacalhau.store.sqlite import SQLiteJobStore
from bacalhau.store.sqlite import _writer as writer_module
from bacalhau.store.sqlite._database import Database
from bacalhau.store.sqlite._schema import Schema
from bacalhau.testing.contracts._store_records import make_job, submit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

THINGS = Schema(
    name="thing store",
    application_id=77,
    versions=(("CREATE TABLE things (id INTEGER PRIMARY KEY, body TEXT) STRICT",),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with Database.open(path, THINGS) as database:
        yield database


def insert(number: int, body: object = "x") -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO things VALUES (?, ?)", (number, body))
        return number

    return work


def failing(number: int, error: Exception) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        insert(number)(connection)
        raise error

    return work


def stored(database: Database) -> list[int]:
    return [number for (number,) in database.rows("SELECT id FROM things ORDER BY id")]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Be another program that writes to the file: what is submitted meanwhile forms one group."""
    with contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


async def together(
    database: Database, path: Path, *works: Callable[[sqlite3.Connection], int]
) -> list[int | BaseException]:
    with locked(path):
        writes = asyncio.gather(*(database.write(work) for work in works), return_exceptions=True)
        await asyncio.sleep(0)
    return await writes


async def test_a_failing_write_is_undone_alone(database: Database, path: Path) -> None:
    refused, defect = UserError("no"), ZeroDivisionError("defect")
    outcomes = await together(
        database, path, insert(1), failing(2, refused), insert(3), failing(4, defect), insert(5)
    )
    assert outcomes == [1, refused, 3, defect, 5]
    assert stored(database) == [1, 3, 5]


async def test_a_write_that_breaks_a_rule_of_the_file_is_undone_alone(
    database: Database, path: Path
) -> None:
    outcomes = await together(database, path, insert(1), insert(1), insert(2, 2**70), insert(3))
    assert isinstance(outcomes[1], InternalError)
    assert str(path) in outcomes[1].message
    assert isinstance(outcomes[2], OverflowError)
    assert stored(database) == [1, 3]


async def test_when_the_transaction_fails_all_its_writes_fail(
    database: Database, path: Path
) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    outcomes = await together(
        database, path, insert(1), failing(2, UserError("after 1")), failing(3, full), insert(4)
    )
    for outcome in outcomes:
        assert isinstance(outcome, TransientError)
        assert str(path) in outcome.message
        assert "no space" in outcome.message
        assert "Free space" in outcome.hint
    assert stored(database) == []
    assert await database.write(insert(5)) == 5
    assert stored(database) == [5]


async def test_a_full_file_fails_writes_until_there_is_space(
    database: Database, path: Path
) -> None:
    def limit(pages: int) -> Callable[[sqlite3.Connection], None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        return work

    await database.write(insert(1))
    await database.write(limit(3))
    outcomes = await together(database, path, insert(2), insert(3, "x" * 100_000), insert(4))
    assert [type(outcome) for outcome in outcomes] == [TransientError] * 3
    assert stored(database) == [1]
    await database.write(limit(1000))
    await database.write(insert(3, "x" * 100_000))
    assert stored(database) == [1, 3]


@contextlib.contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse to write beyond a place in any file, as a quota would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_refuses_fails_the_group_and_the_store_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    async with SQLiteJobStore.open(path) as store:
        await submit(store, make_job("j-before"))
        names = [f"j-{number}" for number in range(20)]
        size = path.with_name("jobs.db-wal").stat().st_size
        with files_limited_to(size + 100):
            outcomes = await asyncio.gather(
                *(submit(store, make_job(name)) for name in names), return_exceptions=True
            )
            for outcome in outcomes:
                assert isinstance(outcome, TransientError)
                assert str(path) in outcome.message
                assert "disk" in outcome.hint
            assert store.find_jobs("", 100) == ["j-before"]
        await asyncio.gather(*(submit(store, make_job(name)) for name in names))
        assert store.find_jobs("", 100) == sorted([*names, "j-before"])
    async with SQLiteJobStore.open(path) as store:
        assert store.find_jobs("", 100) == sorted([*names, "j-before"])


async def test_a_cancelled_caller_does_not_disturb_the_others(
    database: Database, path: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        with locked(path):
            tasks = [group.create_task(database.write(insert(number))) for number in range(5)]
            await asyncio.sleep(0)
            tasks[1].cancel()
            tasks[3].cancel()
            await asyncio.sleep(0)
    assert [task.cancelled() for task in tasks] == [False, True, False, True, False]
    await database.write(insert(9))
    assert stored(database) == [0, 1, 2, 3, 4, 9]  # what was handed over took place


async def test_callers_wait_for_a_place_and_all_get_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "WAITING_LIMIT", 3)
    monkeypatch.setattr(writer_module, "GROUP_LIMIT", 2)
    async with Database.open(path, THINGS) as database:
        outcomes = await together(database, path, *(insert(number) for number in range(20)))
        assert outcomes == list(range(20))
        async with asyncio.TaskGroup() as group:
            with locked(path):
                tasks = [group.create_task(database.write(insert(50 + n))) for n in range(10)]
                await asyncio.sleep(0)
                for task in tasks[1:]:
                    task.cancel()
                await asyncio.sleep(0)
        assert await database.write(insert(99)) == 99
        assert {*range(20), 50, 99} <= set(stored(database))


async def test_closing_waits_for_the_writer_even_when_cancelled(path: Path) -> None:
    closing = asyncio.Event()
    writes: list[asyncio.Task[Any]] = []
    threads_left: list[str] = []

    async def use(group: asyncio.TaskGroup) -> None:
        try:
            async with Database.open(path, THINGS) as database:
                other.execute("BEGIN IMMEDIATE")
                works = [insert(number) for number in range(10)]
                writes.extend(group.create_task(database.write(work)) for work in works)
                await asyncio.sleep(0)
                closing.set()
        finally:
            names = [thread.name for thread in threading.enumerate()]
            threads_left.extend(name for name in names if path.name in name)

    with contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as other:
        async with asyncio.TaskGroup() as group:
            user = group.create_task(use(group))
            await closing.wait()
            user.cancel()
            # The other program lets go only once the cancellation has been delivered.
            threading.Timer(0.05, other.rollback).start()
    assert user.cancelled()
    assert threads_left == []
    assert [write.result() for write in writes] == [*range(10)]
    async with Database.open(path, THINGS) as database:
        assert stored(database) == list(range(10))


async def test_a_file_that_stays_locked_fails_the_write_and_the_loop_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "BUSY_TIMEOUT_SECONDS", 0.2)
    async with Database.open(path, THINGS) as database:
        with locked(path):
            write = asyncio.gather(database.write(insert(1)), return_exceptions=True)
            turns = 0
            while not write.done():
                turns += 1
                await asyncio.sleep(0)
            (outcome,) = write.result()
        assert isinstance(outcome, TransientError)
        assert "another program keeps it locked" in outcome.message
        assert turns > 10
        assert await database.write(insert(1)) == 1


async def test_a_closed_store_says_so(path: Path) -> None:
    async with Database.open(path, THINGS) as database:
        pass
    with pytest.raises(TransientError, match="closed"):
        await database.write(insert(1))
    with pytest.raises(TransientError, match="closed"):
        await database.scan(lambda connection: None)
    with pytest.raises(TransientError, match="closed"):
        database.rows("SELECT 1")


async def test_errors_of_the_body_leave_the_store_unwrapped(tmp_path: Path) -> None:
    problem = UserError("mine")

    async def use() -> None:
        async with SQLiteJobStore.open(tmp_path / "jobs.db"):
            raise problem

    with pytest.raises(UserError) as caught:
        await use()
    assert caught.value is problem


async def test_no_thread_outlives_its_store(path: Path) -> None:
    before = threading.active_count()
    async with Database.open(path, THINGS) as database:
        await database.scan(lambda connection: None)
        assert threading.active_count() == before + 2
    assert threading.active_count() == before
