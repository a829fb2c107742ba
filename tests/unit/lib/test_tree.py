"""A tree is filled below its root and nowhere else."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bacalhau.lib.tree import Tree, write_at

if TYPE_CHECKING:
    from pathlib import Path


def put(tree: Tree, path: str, data: bytes = b"data") -> None:
    descriptor = tree.create("part")
    try:
        write_at(descriptor, data, 0)
        tree.place("part", path)
    finally:
        os.close(descriptor)
        tree.discard("part")


def test_files_get_their_place_when_they_are_complete(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with closing(Tree(tmp_path)) as tree:
            put(tree, "a/b/c")
            tree.make_directory("a/empty")
    finally:
        os.umask(before)
    assert (tmp_path / "a/b/c").read_bytes() == b"data"
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"a": 0o755, "b": 0o755, "c": 0o644, "empty": 0o755}


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "part").symlink_to(outside / "file")
    with closing(Tree(root)) as tree:
        with pytest.raises(OSError, match="link"):
            tree.make_directory("link/inner")
        with pytest.raises(FileExistsError):
            tree.create("part")
        tree.discard("part")
        with pytest.raises(OSError, match="link"):
            put(tree, "link/file")
    assert list(outside.iterdir()) == []
    assert sorted(path.name for path in root.iterdir()) == ["link"]


def test_root_must_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OSError, match="link"):
        Tree(tmp_path / "link")


def test_writing_at_a_place(tmp_path: Path) -> None:
    with closing(Tree(tmp_path)) as tree:
        descriptor = tree.create("part")
        write_at(descriptor, b"world", 6)
        write_at(descriptor, bytearray(b"hello "), 0)
        tree.place("part", "text")
        os.close(descriptor)
    assert (tmp_path / "text").read_bytes() == b"hello world"


def test_whole_files_are_made_in_their_places(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with closing(Tree(tmp_path)) as tree:
            tree.store([("a", b"1", 100.0), ("b/c/d", b"2", None), ("b/c/e", b"", 100.0)])
            with pytest.raises(FileExistsError):
                tree.store([("a", b"other", None)])
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "b/c/d").read_bytes() == b"2"
    assert (tmp_path / "b/c/e").stat().st_mtime == (tmp_path / "a").stat().st_mtime == 100.0
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("[ade]")} == {0o644}


def test_whole_files_and_shared_ones_do_not_follow_links(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "link").symlink_to(outside)
    source = tmp_path / "source"
    source.write_bytes(b"shared")
    with closing(Tree(root)) as tree:
        with pytest.raises(OSError, match="link"):
            tree.store([("link/file", b"data", None)])
        with pytest.raises(OSError, match="link"):
            tree.share([(source, "link/file")])
        tree.share([(source, "deep/one"), (source, "deep/two"), (source, "three")])
    assert list(outside.iterdir()) == []
    assert source.stat().st_nlink == 4
    assert (root / "deep/two").read_bytes() == b"shared"
