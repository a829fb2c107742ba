"""Which files have to change hands, and the archive that does it (spec engines.md 1.3)."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

from bacalhau.engines.docker.ownership import Entry, archive, foreign_entries

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_ours_already_stays(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    assert foreign_entries(tmp_path, os.getuid(), set()) == []


def test_directories_and_what_is_not_for_all_change_hands_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name, mode in (("a/secret", 0o600), ("a/open", 0o644)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "link").symlink_to("/etc/passwd")
    somebody = os.getuid() + 1
    found = foreign_entries(tmp_path, somebody, set())
    assert {(entry.name, entry.is_directory) for entry in found} == {
        ("a", True),
        ("a/b", True),
        ("a/secret", False),
    }
    assert foreign_entries(tmp_path, somebody, {entry.name for entry in found}) == []


def test_the_archive_has_directories_as_such_and_files_as_links() -> None:
    entries = [Entry("a", 0o1050, is_directory=True), Entry("a/f", 0o200, is_directory=False)]
    with tarfile.open(fileobj=io.BytesIO(archive(entries, 7, 8))) as tar:
        directory, link = tar.getmembers()
    assert directory.isdir()
    assert (directory.name, directory.mode, directory.uid, directory.gid) == ("a", 0o1750, 7, 8)
    assert link.islnk()
    assert (link.linkname, link.mode, link.uid, link.gid) == ("a/f", 0o600, 7, 8)
