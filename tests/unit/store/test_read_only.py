"""A store that its user may not write."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import BacalhauError
from bacalhau.store.sqlite import SQLiteJobStore

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that an ordinary user reaches too; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Put off the superuser's powers, for whom no file is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


async def refusal(path: Path) -> BacalhauError:
    """Return why an ordinary user cannot open the store."""
    with ordinary_user(), pytest.raises(BacalhauError) as caught:
        async with SQLiteJobStore.open(path):
            pass
    assert str(path) in caught.value.message
    assert "write" in caught.value.hint
    return caught.value


async def test_a_read_only_file_is_named(folder: Path) -> None:
    path = folder / "jobs.db"
    async with SQLiteJobStore.open(path):
        pass
    path.chmod(0o444)
    folder.chmod(0o555)
    assert (await refusal(path)).retryable


async def test_a_read_only_new_file_is_named(folder: Path) -> None:
    path = folder / "jobs.db"
    path.touch()
    path.chmod(0o444)
    folder.chmod(0o777)
    assert "may not be written" in (await refusal(path)).message


async def test_a_read_only_folder_is_named(folder: Path) -> None:
    folder.chmod(0o555)
    assert "Permission denied" in (await refusal(folder / "jobs.db")).message
