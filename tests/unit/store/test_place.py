"""Files that are taken away under an open store: nothing is answered that would be lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import Code, TransientError
from bacalhau.models import JobID
from bacalhau.store.sqlite import SQLiteJobStore
from bacalhau.testing.contracts._store_records import make_job, submit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def remove(directory: Path) -> None:
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()


def exchange(directory: Path) -> None:
    remove(directory)
    directory.mkdir()
    with closing(sqlite3.connect(directory / "jobs.db")) as other:
        other.execute("PRAGMA journal_mode = WAL")


def remove_log(directory: Path) -> None:
    (directory / "jobs.db-wal").unlink()


@pytest.mark.parametrize("happens", [remove, exchange, remove_log])
@pytest.mark.parametrize("writes_before", [0, 1])
async def test_a_write_into_files_that_are_gone_is_refused(
    tmp_path: Path, happens: Callable[[Path], None], writes_before: int
) -> None:
    directory = tmp_path / "store"
    with pytest.raises(TransientError):  # noqa: PT012 - the end tells it once more
        async with SQLiteJobStore.open(directory / "jobs.db") as store:
            for number in range(writes_before):
                await submit(store, make_job(f"j-{number}"))
            happens(directory)
            for number in (7, 8):
                with pytest.raises(TransientError) as caught:
                    await submit(store, make_job(f"j-{number}"))
                assert caught.value.code is Code.STORE_MISSING
                assert str(directory / "jobs.db") in caught.value.message
                assert "from a copy" in caught.value.hint
                assert store.job(JobID(f"j-{number}")) is None


async def test_a_store_goes_on_when_its_files_come_back(tmp_path: Path) -> None:
    directory, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    async with SQLiteJobStore.open(directory / "jobs.db") as store:
        directory.rename(elsewhere)
        with pytest.raises(TransientError):
            await submit(store, make_job("j-refused"))
        elsewhere.rename(directory)
        await submit(store, make_job("j-stored"))
    async with SQLiteJobStore.open(directory / "jobs.db") as store:
        assert store.job(JobID("j-refused")) is None
        assert store.job(JobID("j-stored")) == make_job("j-stored")
