"""Several results in one directory (spec storage.md 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.client.merge import Merge

if TYPE_CHECKING:
    from pathlib import Path


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def content(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in files}


def test_the_three_special_files_are_appended(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    merge = Merge(target)
    merge.add(tree(tmp_path / "a", stdout="1", exitCode="0", outputs__x="x"))
    merge.add(tree(tmp_path / "b", stdout="2", stderr="e", exitCode="3", outputs__deep__y="y"))
    assert merge.collision is None
    merge.apply()
    assert content(target) == {
        "stdout": "12",
        "stderr": "e",
        "exitCode": "03",
        "outputs/x": "x",
        "outputs/deep/y": "y",
    }


def test_other_files_may_not_repeat(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    merge = Merge(target)
    merge.add(tree(tmp_path / "a", outputs__x="1"))
    merge.add(tree(tmp_path / "b", outputs__x="2"))
    assert merge.collision == target / "outputs/x"
    assert content(target) == {}


def test_nothing_that_was_there_is_touched(tmp_path: Path) -> None:
    target = tree(tmp_path / "out", stdout="old")
    merge = Merge(target)
    merge.add(tree(tmp_path / "a", exitCode="0", stdout="new"))
    merge.check()
    assert merge.collision == target / "stdout"
    assert content(target) == {"stdout": "old"}


def test_a_file_and_a_folder_of_the_same_name_collide(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    merge = Merge(target)
    merge.add(tree(tmp_path / "a", outputs__x="1"))
    merge.add(tree(tmp_path / "b", outputs="a file"))
    assert merge.collision == target / "outputs"


def test_modes_of_folders_are_kept(tmp_path: Path) -> None:
    source = tree(tmp_path / "a", outputs__x="1")
    (source / "outputs").chmod(0o555)
    target = tmp_path / "out"
    target.mkdir()
    merge = Merge(target)
    merge.add(source)
    merge.apply()
    assert (target / "outputs").stat().st_mode & 0o777 == 0o555
    assert content(target) == {"outputs/x": "1"}


def test_links_and_empty_folders_arrive(tmp_path: Path) -> None:
    source = tree(tmp_path / "a", outputs__x="1")
    (source / "outputs/link").symlink_to("x")
    (source / "empty").mkdir()
    target = tmp_path / "out"
    target.mkdir()
    merge = Merge(target)
    merge.add(source)
    merge.apply()
    assert (target / "outputs/link").readlink().name == "x"
    assert (target / "empty").is_dir()


def test_what_is_there_already_and_the_same_may_stay(tmp_path: Path) -> None:
    target = tree(tmp_path / "out", stdout="12", outputs__x="x")
    (target / "outputs/link").symlink_to("x")
    merge = Merge(target)
    source = tree(tmp_path / "a", stdout="1", outputs__x="x", outputs__y="y")
    (source / "outputs/link").symlink_to("x")
    (source / "outputs/z").symlink_to("y")
    merge.add(source)
    merge.add(tree(tmp_path / "b", stdout="2"))
    merge.check()
    assert merge.collision is None
    merge.apply()
    assert content(target) == {
        "stdout": "12",
        "outputs/link": "x",
        "outputs/x": "x",
        "outputs/y": "y",
        "outputs/z": "y",
    }


@pytest.mark.parametrize("there", ["12 and more", "1", "21", ""])
def test_appended_files_that_are_there_have_to_be_the_same(there: str, tmp_path: Path) -> None:
    target = tree(tmp_path / "out", stdout=there)
    merge = Merge(target)
    merge.add(tree(tmp_path / "a", stdout="1"))
    merge.add(tree(tmp_path / "b", stdout="2"))
    merge.check()
    assert merge.collision == target / "stdout"
    assert content(target) == {"stdout": there}


def test_a_link_is_not_the_file_that_it_leads_to(tmp_path: Path) -> None:
    target = tree(tmp_path / "out", other="1")
    (target / "x").symlink_to("other")
    merge = Merge(target)
    merge.add(tree(tmp_path / "a", x="1"))
    merge.check()
    assert merge.collision == target / "x"
