"""Putting the trees of several results into one directory (spec storage.md 8.3)."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APPENDED = ("exitCode", "stderr", "stdout")
"""The files at the root of every result that several executions may have."""

_CHUNK_BYTES = 1024 * 1024


class Merge:
    """Collects what goes where, and does it when everything fits.

    ``stdout``, ``stderr`` and ``exitCode`` of several results are appended in their order; any
    other file may exist once only. What is in the directory already may stay if it is the same;
    this is how a merge that was cut short goes on.

    Attributes:
        collision: The first path of the directory that two files want, or that is something else;
            or None.
        names: What there is at the root of the results.
    """

    def __init__(self, directory: Path) -> None:
        self.collision: Path | None = None
        self.names: set[str] = set()
        self._directory = directory
        self._files: dict[str, list[Path]] = {}
        self._folders: dict[str, int] = {}

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to put."""
        return not self._files and not self._folders

    def add(self, tree: Path) -> None:
        """Take in one result."""
        for path, name in _walk(tree):
            self.names.add(name.partition("/")[0])
            if path.is_dir() and not path.is_symlink():
                self._add_folder(name, _unlocked(path))
            else:
                self._add_file(path, name)

    def _add_folder(self, name: str, mode: int) -> None:
        target = self._directory / name
        if name in self._files or (os.path.lexists(target) and not target.is_dir()):
            self._collide(target)
        self._folders.setdefault(name, mode)

    def _add_file(self, path: Path, name: str) -> None:
        sources = self._files.setdefault(name, [])
        if (sources and name not in APPENDED) or name in self._folders:
            self._collide(self._directory / name)
        sources.append(path)

    def _collide(self, target: Path) -> None:
        self.collision = self.collision or target

    def check(self) -> None:
        """Look for files that are in the way, and set ``collision`` if there are any."""
        for name, sources in self._files.items():
            target = self._directory / name
            if os.path.lexists(target) and not _is_same(sources, target):
                self._collide(target)

    def apply(self) -> None:
        """Move everything to its place. Modes of folders come last: some do not let files in."""
        for name in self._folders:
            folder = self._directory / name
            folder.mkdir(parents=True, exist_ok=True)
            _unlocked(folder)
        for name, sources in self._files.items():
            target = self._directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(target):
                _joined(sources).rename(target)
        for name, mode in reversed(self._folders.items()):
            (self._directory / name).chmod(mode)


def _joined(sources: Sequence[Path]) -> Path:
    """Append files to the first of them, which gets its place only afterwards."""
    first, *others = sources
    if not others:
        return first
    whole = first.with_name(f".{first.name}.whole")
    with whole.open("wb") as sink:
        for path in sources:
            with path.open("rb") as source:
                shutil.copyfileobj(source, sink, _CHUNK_BYTES)
    return whole


def _is_same(sources: Sequence[Path], target: Path) -> bool:
    """Tell whether a path has what would be put there."""
    if target.is_symlink() or any(path.is_symlink() for path in sources):
        paths = [*sources, target]
        return len(paths) == 2 and all(path.is_symlink() for path in paths) and _same_link(*paths)
    if not target.is_file() or target.stat().st_size != sum(p.stat().st_size for p in sources):
        return False
    pieces = (piece for path in sources for piece in _pieces(path, _CHUNK_BYTES))
    with target.open("rb") as file:
        return all(file.read(len(piece)) == piece for piece in pieces)


def _same_link(one: Path, other: Path) -> bool:
    return one.readlink() == other.readlink()


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(size):
            yield data


def _unlocked(folder: Path) -> int:
    """Let a folder be listed and emptied; return the mode it had."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        folder.chmod(mode | stat.S_IRWXU)
    return mode


def _walk(tree: Path) -> Iterator[tuple[Path, str]]:
    """Yield (path, name relative to the tree), parents before children, sorted."""
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for entry in sorted([*files, *folders]):
            path = Path(folder, entry)
            yield path, path.relative_to(tree).as_posix()
