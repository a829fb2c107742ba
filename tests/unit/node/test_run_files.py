"""The files that say that a devstack runs."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import UserError
from bacalhau.node.run_files import claimed, write_port

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_both_files_are_there_while_it_runs(folder: Path) -> None:
    with claimed(ignores_others=False):
        write_port(4711)
        found = {path.name: path.read_text() for path in folder.iterdir()}
        assert found == {
            "bacalhau-devstack.pid": str(os.getpid()),
            "bacalhau-devstack.port": "4711",
        }
    assert list(folder.iterdir()) == []


def test_another_that_runs_is_in_the_way_unless_that_does_not_matter(folder: Path) -> None:
    (folder / "bacalhau-devstack.pid").write_text(str(os.getpid()))
    with (
        pytest.raises(UserError, match=f"runs already, as process {os.getpid()}") as refused,
        claimed(ignores_others=False),
    ):
        pass
    assert "IGNORE_PID_AND_PORT_FILES" in refused.value.hint
    with claimed(ignores_others=True):
        pass


@pytest.mark.parametrize("text", ["", "garbage", "0", "-1", str(2**22 + 1), "9" * 30])
def test_files_that_name_no_process_block_nobody(folder: Path, text: str) -> None:
    (folder / "bacalhau-devstack.pid").write_text(text)
    with claimed(ignores_others=False):
        pass


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "absent"))
    with (
        pytest.raises(UserError, match=r"bacalhau-devstack\.pid cannot be written: No such file"),
        claimed(ignores_others=False),
    ):
        pass
