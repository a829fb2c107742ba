"""Rules that hold for all sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import TransientError
from bacalhau.sources._rules import binds_file, disk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("target", "name", "is_file"),
    [
        ("/in/a.csv", "a.csv", True),
        ("/in/a.csv/", "a.csv", False),
        ("/in/b.csv", "a.csv", False),
        ("/in", "a.csv", False),
        ("/data", "data", False),
        ("/in/.env", ".env", False),
        ("/in/.env.local", ".env.local", True),
        ("/a.csv", "a.csv", True),
    ],
)
def test_when_a_single_file_appears_at_the_target(target: str, name: str, is_file: bool) -> None:
    assert binds_file(target, name) is is_file


def test_input_that_does_not_fit_on_the_disk(tmp_path: Path) -> None:
    with pytest.raises(TransientError) as caught, disk(tmp_path, 2**60, "S3InputSource"):
        pass
    assert f"the input needs {2**60} bytes" in caught.value.message
    assert caught.value.code == "InsufficientDiskSpace"


def test_disk_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(TransientError) as caught, disk(tmp_path, 0, "S3InputSource"):
        (tmp_path / "no" / "such").write_bytes(b"")
    assert caught.value.code == "DiskError"
    assert "No such file or directory" in caught.value.message
