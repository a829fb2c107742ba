"""Which stores a data directory should have."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import Code, InternalError, UserError
from bacalhau.node.failures import one_error
from bacalhau.node.kept_stores import FILE, kept_store
from bacalhau.store.sqlite import SQLiteExecutionStore, SQLiteJobStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

JOBS = "orchestrator/jobs.db"
EXECUTIONS = "compute/executions.db"


async def start(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    with one_error():
        async with (
            kept_store(directory, JOBS, SQLiteJobStore.open),
            kept_store(directory, EXECUTIONS, SQLiteExecutionStore.open),
        ):
            pass


async def refusal(directory: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        await start(directory)
    return caught.value


async def test_stores_are_noted_when_they_are_begun(tmp_path: Path) -> None:
    await start(tmp_path)
    await start(tmp_path)
    assert (tmp_path / FILE).read_text() == f"{EXECUTIONS}\n{JOBS}\n"


@pytest.mark.parametrize("lost", [JOBS, EXECUTIONS])
async def test_a_store_that_is_gone_is_begun_anew_only_when_told(tmp_path: Path, lost: str) -> None:
    await start(tmp_path)
    (tmp_path / lost).unlink()

    error = await refusal(tmp_path)
    assert error.code is Code.STORE_MISSING
    assert str(tmp_path / lost) in error.message
    assert str(tmp_path / FILE) in error.hint

    note = tmp_path / FILE
    note.write_text(note.read_text().replace(f"{lost}\n", ""))
    await start(tmp_path)
    assert (tmp_path / lost).exists()


async def test_a_folder_that_is_gone_with_its_store_is_told_too(tmp_path: Path) -> None:
    await start(tmp_path)
    shutil.rmtree(tmp_path / "orchestrator")
    assert (await refusal(tmp_path)).code is Code.STORE_MISSING


async def test_a_directory_that_was_deleted_is_a_new_one(tmp_path: Path) -> None:
    directory = tmp_path / "node"
    await start(directory)
    shutil.rmtree(directory)
    await start(directory)


async def test_a_directory_from_before_the_note_is_taken_as_it_is(tmp_path: Path) -> None:
    await start(tmp_path)
    (tmp_path / FILE).unlink()
    await start(tmp_path)
    assert JOBS in (tmp_path / FILE).read_text()


async def test_a_note_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    error = await refusal(tmp_path)
    assert str(tmp_path / FILE) in error.message
    assert error.hint


async def test_damage_that_is_found_late_ends_what_uses_the_store(tmp_path: Path) -> None:
    damaged = InternalError("store damaged", code=Code.STORE_DAMAGED)

    class Damaged:
        async def verify(self) -> None:
            raise damaged

    @asynccontextmanager
    async def opened(path: Path, noted_in: Path | None) -> AsyncIterator[Damaged]:
        del path, noted_in
        yield Damaged()

    with pytest.raises(ExceptionGroup) as caught:
        async with kept_store(tmp_path, JOBS, opened), asyncio.timeout(5):
            await asyncio.Event().wait()
    assert caught.value.exceptions == (damaged,)
