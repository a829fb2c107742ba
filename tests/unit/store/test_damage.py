"""Files of stores that lost something: noticed, named, and never taken for an empty store."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import BacalhauError, Code, InternalError, UserError
from bacalhau.models import JobID
from bacalhau.store.sqlite import SQLiteExecutionStore, SQLiteJobStore
from bacalhau.testing.contracts._store_records import make_job, submit

if TYPE_CHECKING:
    from pathlib import Path

PAGE_BYTES = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "stores.txt"


async def fill(path: Path, jobs: int = 100) -> None:
    async with SQLiteJobStore.open(path) as store:
        for number in range(jobs):
            await submit(store, make_job(f"j-{number}"))


def damage(path: Path, first_page: int = 2) -> None:
    """Overwrite all pages from one on; the first holds the table of contents."""
    content = bytearray(path.read_bytes())
    begin = first_page * PAGE_BYTES
    content[begin:] = b"\xa7" * (len(content) - begin)
    path.write_bytes(content)


async def refusal(path: Path, note: Path | None = None) -> BacalhauError:
    with pytest.raises(BacalhauError) as caught:
        async with SQLiteJobStore.open(path, note):
            pass
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


async def test_random_bytes_are_found_when_the_store_is_opened(path: Path) -> None:
    await fill(path)
    damage(path)

    error = await refusal(path)

    assert isinstance(error, InternalError)
    assert error.code is Code.STORE_DAMAGED
    assert "put back a copy" in error.hint


async def test_a_large_store_opens_at_once_and_is_looked_through_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bacalhau.store.sqlite._database.CHECKED_AT_OPENING_BYTES", 0)
    await fill(path)
    async with SQLiteJobStore.open(path) as store:
        await store.verify()
        assert store.job(JobID("j-1")) == make_job("j-1")
    damage(path)
    async with SQLiteJobStore.open(path) as store:
        with pytest.raises(InternalError, match="damaged") as caught:
            await store.verify()
    assert str(path) in caught.value.message


async def test_a_search_ends_when_nobody_waits_for_it_any_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bacalhau.store.sqlite._database.CHECKED_AT_OPENING_BYTES", 0)
    await fill(path, 2000)
    async with SQLiteJobStore.open(path) as store:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await store.verify()
        await store.verify()


async def test_damage_met_while_reading_names_the_file_and_the_remedy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bacalhau.store.sqlite._database.CHECKED_AT_OPENING_BYTES", 0)
    await fill(path)
    damage(path)
    async with SQLiteJobStore.open(path) as store:
        for read in (lambda: store.job(JobID("j-1")), lambda: store.find_jobs("j", 3)):
            with pytest.raises(InternalError, match="damaged") as caught:
                read()
            assert str(path) in caught.value.message
            assert "put back a copy" in caught.value.hint
        with pytest.raises(InternalError, match="damaged"):
            await store.unfinished_jobs()
        with pytest.raises(InternalError, match="damaged"):
            await submit(store, make_job("j-new"))


async def test_a_record_that_makes_no_sense_is_damage_too(path: Path) -> None:
    await fill(path, 2)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE jobs SET doc = X'7B00FF' WHERE id = 'j-1'")
    async with SQLiteJobStore.open(path) as store:
        assert store.job(JobID("j-0")) == make_job("j-0")
        for read in (store.job, store.snapshot):
            with pytest.raises(InternalError, match="a record cannot be read") as caught:
                read(JobID("j-1"))
            assert caught.value.code is Code.STORE_DAMAGED
        with pytest.raises(InternalError, match="a record cannot be read"):
            await store.unfinished_jobs()


@pytest.mark.parametrize("kind", ["missing", "empty", "without tables"])
async def test_a_store_that_was_there_is_not_begun_anew(path: Path, note: Path, kind: str) -> None:
    if kind == "empty":
        path.touch()
    elif kind == "without tables":
        with closing(sqlite3.connect(path)) as other:
            other.execute("VACUUM")
            other.execute("PRAGMA user_version = 1")
    before = path.read_bytes() if path.exists() else None

    error = await refusal(path, note)

    assert isinstance(error, UserError)
    assert error.code is Code.STORE_MISSING
    assert str(note) in error.message
    assert str(note) in error.hint
    assert (path.read_bytes() if path.exists() else None) == before


async def test_the_log_of_an_emptied_store_is_left_for_whoever_repairs_it(
    path: Path, note: Path
) -> None:
    log = path.with_name("jobs.db-wal")
    path.touch()
    log.write_bytes(b"all there is left")
    await refusal(path, note)
    assert log.read_bytes() == b"all there is left"


async def test_a_store_that_is_there_opens_whether_it_was_noted_or_not(tmp_path: Path) -> None:
    path = tmp_path / "executions.db"
    for note in (None, tmp_path / "stores.txt", None):
        async with SQLiteExecutionStore.open(path, note):
            pass


async def crashed(path: Path) -> Path:
    """Return a store as a process leaves it that is killed after a write."""
    folder = path.parent / "crashed"
    async with SQLiteJobStore.open(path) as store:
        await submit(store, make_job())
        shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns("crashed"))
    return folder / path.name


async def test_what_a_killed_process_stored_is_there_again_and_again(path: Path) -> None:
    left = await crashed(path)
    for _ in range(2):
        async with SQLiteJobStore.open(left) as store:
            assert store.job(JobID("j-1")) == make_job()
    assert [file.name for file in left.parent.iterdir()] == [left.name]


async def test_a_store_without_the_log_of_a_killed_process_is_refused(path: Path) -> None:
    left = await crashed(path)
    log = left.with_name("jobs.db-wal")
    content = log.read_bytes()
    log.unlink()
    for _ in range(2):
        error = await refusal(left)
        assert error.code is Code.STORE_MISSING
        assert str(log) in error.message
    log.write_bytes(content)
    async with SQLiteJobStore.open(left) as store:
        assert store.job(JobID("j-1")) == make_job()


async def test_a_log_that_is_lost_can_be_done_without(path: Path) -> None:
    left = await crashed(path)
    left.with_name("jobs.db-wal").unlink()
    mark = left.with_name("jobs.db-open")
    assert str(mark) in (await refusal(left)).hint
    mark.unlink()
    async with SQLiteJobStore.open(left) as store:
        assert store.job(JobID("j-1")) is None


async def test_a_store_begun_anew_needs_no_log_of_the_former(path: Path) -> None:
    left = await crashed(path)
    left.with_name("jobs.db-wal").unlink()
    left.unlink()
    async with SQLiteJobStore.open(left) as store:
        assert store.job(JobID("j-1")) is None
