"""Downloads that land in the cache and with who ordered them."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from bacalhau.compute.cache import files
from bacalhau.compute.cache.landing import CacheLanding
from bacalhau.compute.cache.shelf import Wanted
from bacalhau.lib.landing import Received
from bacalhau.lib.tree import Tree, write_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bacalhau.lib.landing import OpenFile

NAMES = {path: hashlib.sha256(path.encode()).hexdigest() for path in ("a", "deep/er/b", "deep/c")}
DIGEST = bytes(32)
CHANGED = 1_700_000_000.0


class Stage:
    def __init__(self, root: Path) -> None:
        self.cache = root / "cache"
        self.place = root / "execution"
        self.place.mkdir()
        files.make(self.cache)

    @contextmanager
    def landing(self, *, is_linked: bool = False) -> Iterator[CacheLanding]:
        wanted = {path: Wanted(name, f"of {path}", path) for path, name in NAMES.items()}
        with (
            closing(Tree(self.place)) as tree,
            closing(
                CacheLanding(
                    self.cache, tree, wanted, now_ns=5, is_linked=is_linked, part_name=".part"
                )
            ) as landing,
        ):
            yield landing

    def kept(self, path: str) -> Path:
        return files.place_of(self.cache, NAMES[path])

    @property
    def everything(self) -> list[str]:
        found = [path.name for path in self.place.rglob("*") if path.is_file()]
        return found + [path.name for path in self.cache.rglob("*") if path.is_file()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("is_linked", [False, True])
def test_whole_files_are_kept_and_placed(stage: Stage, *, is_linked: bool) -> None:
    with stage.landing(is_linked=is_linked) as landing:
        landing.write([Received(path, path.encode(), DIGEST, CHANGED) for path in NAMES])
    assert landing.placed == set(landing.taken) == set(NAMES.values())
    for path in NAMES:
        kept, placed = stage.kept(path).stat(), (stage.place / path).stat()
        assert (kept.st_ino == placed.st_ino) is is_linked
        assert kept.st_mtime == placed.st_mtime == CHANGED
        assert kept.st_mode & 0o777 == placed.st_mode & 0o777 == 0o644
        assert (stage.place / path).read_bytes() == path.encode()
        assert landing.taken[NAMES[path]].inode == kept.st_ino


def fill(file: OpenFile, data: bytes) -> None:
    for descriptor in file:
        if descriptor is not None:
            write_at(descriptor, data, 0)


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_file_that_was_filled_is_kept_and_placed(stage: Stage, *, is_linked: bool) -> None:
    with stage.landing(is_linked=is_linked) as landing:
        file = landing.create("deep/er/b")
        fill(file, b"content")
        landing.complete("deep/er/b", file, DIGEST, CHANGED)
        file.close()
        landing.discard("deep/er/b")
    kept = stage.kept("deep/er/b")
    assert kept.read_bytes() == b"content"
    assert list(landing.taken) == [NAMES["deep/er/b"]]
    if landing.placed:  # else the disk shares blocks, and the cache makes a copy
        assert (stage.place / "deep/er/b").read_bytes() == b"content"
        assert (stage.place / "deep/er/b").stat().st_mtime == CHANGED


def test_of_a_file_that_is_given_up_nothing_is_left(stage: Stage) -> None:
    with stage.landing() as landing:
        file = landing.create("a")
        fill(file, b"half")
        file.close()
        landing.discard("a")
        landing.discard("a")
    assert stage.everything == []
    assert landing.taken == {}


def test_what_lies_in_the_place_from_earlier_is_replaced(stage: Stage) -> None:
    stage.kept("a").parent.mkdir()
    stage.kept("a").write_bytes(b"a stray")
    with stage.landing() as landing:
        landing.write([Received("a", b"new", DIGEST, None)])
    assert stage.kept("a").read_bytes() == b"new"


def test_where_files_cannot_be_linked_they_are_copied(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "links are not possible here")

    with stage.landing(is_linked=True) as landing:
        monkeypatch.setattr(os, "link", refuse)
        landing.write([Received(path, b"data", DIGEST, None) for path in NAMES])
        file = landing.create("a")
        assert (file.twin is None) is files.shares_blocks(stage.cache)
        file.close()
    assert landing.placed == set(NAMES.values())
    assert (stage.place / "deep/c").read_bytes() == b"data"
