"""The lock on a data directory, and the name that is kept in it."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bacalhau.config import Settings
from bacalhau.errors import UserError
from bacalhau.lib.ids import SeededIds
from bacalhau.node.identity import locked, node_id
from bacalhau.node.metadata import open_metadata

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """\
import sys
from pathlib import Path
from bacalhau.node.identity import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def name_in(directory: Path, **keys: str) -> str:
    return node_id(directory, Settings(keys), SeededIds(random.Random(1)))


def test_the_first_name_is_kept(tmp_path: Path) -> None:
    name = name_in(tmp_path)
    assert name.startswith("n-")
    assert name_in(tmp_path, NameProvider="hostname") == name
    assert open_metadata(tmp_path, SeededIds(random.Random(2))).node_name == name


def test_another_name_than_the_kept_one_is_warned_of(tmp_path: Path) -> None:
    assert name_in(tmp_path, NodeID="first") == "first"
    with capture_logs() as logs:
        assert name_in(tmp_path, NodeID="first") == "first"
    assert logs == []
    with capture_logs() as logs:
        assert name_in(tmp_path, NodeID="second") == "first"
    (warning,) = logs
    assert warning["log_level"] == "warning"
    assert (warning["node_id"], warning["refused"]) == ("first", "second")


@pytest.mark.parametrize("name", ["a b", "a.b", "a*", "a>", "a/b", "a\n", "x" * 300])
def test_what_cannot_be_a_name_is_refused_before_it_is_kept(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be the name of a node"):
        name_in(tmp_path, NodeID=name)
    assert open_metadata(tmp_path, SeededIds(random.Random(2))).node_name == ""


def test_a_name_from_before_there_was_metadata_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "node_id").write_text("n-old\n")
    assert name_in(tmp_path) == "n-old"
    assert not (tmp_path / "node_id").exists()
    assert name_in(tmp_path) == "n-old"


def test_stores_of_the_original_are_told_of_and_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "orchestrator" / "state_boltdb.db"
    store.parent.mkdir()
    store.write_bytes(b"theirs")
    with capture_logs() as logs:
        name_in(tmp_path)
    assert [entry["file"] for entry in logs] == [str(store)]
    assert store.read_bytes() == b"theirs"


def test_a_directory_in_use_names_the_process(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError) as refused, locked(directory):
            pass
        assert refused.value.message == (
            f"data directory {directory} is in use by process {holder.pid}"
        )
        holder.communicate(b"")
    with locked(directory):
        assert (directory / "node.lock").read_text() == f"{os.getpid()}\n"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(UserError, match="cannot be written") as refused, locked(path):
        pass
    assert "--data-dir" in refused.value.hint
