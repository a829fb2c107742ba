"""Making, recognising and upgrading the files of stores."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import BacalhauError, InternalError, TransientError, UserError
from bacalhau.models import JobID
from bacalhau.store.sqlite import SQLiteExecutionStore, SQLiteJobStore
from bacalhau.store.sqlite._database import Database
from bacalhau.store.sqlite._schema import Schema
from bacalhau.testing.contracts._store_records import make_job, submit

if TYPE_CHECKING:
    from pathlib import Path

FIRST = ("CREATE TABLE things (id TEXT PRIMARY KEY) STRICT", "INSERT INTO things VALUES ('old')")
SECOND = ("ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7",)
THIRD = ("UPDATE things SET size = size + 1",)


def schema(*versions: tuple[str, ...]) -> Schema:
    return Schema(name="thing store", application_id=77, versions=versions)


async def things(path: Path, *versions: tuple[str, ...]) -> list[tuple[object, ...]]:
    async with Database.open(path, schema(*versions)) as database:
        return database.rows("SELECT * FROM things")


def raw(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_the_file_and_its_folders_are_made_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "jobs.db"
    async with SQLiteJobStore.open(path) as store:
        await submit(store, make_job())
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.db-open"), 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_closing_leaves_a_single_file(tmp_path: Path) -> None:
    async with SQLiteJobStore.open(tmp_path / "jobs.db") as store:
        await submit(store, make_job())
    assert [file.name for file in tmp_path.iterdir()] == ["jobs.db"]


async def test_an_old_file_is_upgraded_and_a_copy_kept(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    assert await things(path, FIRST) == [("old",)]
    assert await things(path, FIRST, SECOND, THIRD) == [("old", 8)]
    assert await things(path, FIRST, SECOND, THIRD) == [("old", 8)]
    copy = tmp_path / "things.db.v1"
    assert raw(copy, "SELECT * FROM things") == [("old",)]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["things.db", "things.db.v1"]


async def test_a_copy_can_take_the_place_of_the_upgraded_file(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    await things(path, FIRST)
    await things(path, FIRST, SECOND)
    (tmp_path / "things.db.v1").rename(path)
    assert await things(path, FIRST) == [("old",)]


async def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    await things(path, FIRST)
    with pytest.raises(InternalError, match=str(path)):
        await things(path, FIRST, SECOND, ("UPDATE nothing SET x = 1",))
    assert await things(path, FIRST) == [("old",)]


async def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    await things(path, FIRST, SECOND)
    before = path.read_bytes()
    with pytest.raises(UserError, match="newer version") as caught:
        await things(path, FIRST)
    assert str(path) in caught.value.message
    assert "things.db.v1" in caught.value.hint
    assert path.read_bytes() == before


async def test_a_store_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with SQLiteJobStore.open(path):
        pass
    before = path.read_bytes()
    with pytest.raises(UserError, match="no execution store") as caught:
        async with SQLiteExecutionStore.open(path):
            pass
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert path.read_bytes() == before


async def refusal(path: Path) -> BacalhauError:
    """Return why the store does not open."""
    with pytest.raises(BacalhauError) as caught:
        async with SQLiteJobStore.open(path):
            pass
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("not a database, but more than a hundred letters long. " * 40)
    error = await refusal(path)
    assert isinstance(error, InternalError)
    assert "move the file aside" in error.hint


async def test_a_path_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert isinstance(await refusal(tmp_path / "file" / "jobs.db"), UserError)
    (tmp_path / "folder").mkdir()
    assert isinstance(await refusal(tmp_path / "folder"), TransientError)


async def test_a_file_in_use_by_another_program_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bacalhau.store.sqlite._schema.BUSY_TIMEOUT_SECONDS", 0.01)
    path = tmp_path / "jobs.db"
    async with SQLiteJobStore.open(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(TransientError, match="another program") as caught:
                await submit(store, make_job())
            assert str(path) in caught.value.message
            other.execute("ROLLBACK")
        await submit(store, make_job())
        assert store.job(JobID("j-1")) == make_job()
