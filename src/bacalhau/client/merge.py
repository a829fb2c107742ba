"""Putting the trees of several results into one directory (spec storage.md 8.3)."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_APPENDED = frozenset({"stdout", "stderr", "exitCode"})


class Merge:
    """Collects what goes where, and does it when everything fits.

    ``stdout``, ``stderr`` and ``exitCode`` of several results are appended in their order; any
    other file may exist once only, and none may be in the directory before.

    Attributes:
        collision: The first path of the directory that two files want, or that exists; or None.
    """

    def __init__(self, directory: Path, *, only: str = "") -> None:
        self.collision: Path | None = None
        self._directory = directory
        self._only = only.strip("/")
        self._files: list[tuple[Path, str]] = []
        self._folders: dict[str, int] = {}
        self._taken: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to put."""
        return not self._files and not self._folders

    def add(self, tree: Path) -> None:
        """Take in one result."""
        for path, name in _walk(tree):
            is_folder = path.is_dir() and not path.is_symlink()
            mode = _unlocked(path) if is_folder else 0
            if self._only and name != self._only and not name.startswith(f"{self._only}/"):
                continue
            if is_folder:
                self._add_folder(name, mode)
            else:
                self._add_file(path, name)

    def _add_folder(self, name: str, mode: int) -> None:
        target = self._directory / name
        if name in self._taken or (os.path.lexists(target) and not target.is_dir()):
            self.collision = self.collision or target
        self._folders.setdefault(name, mode)

    def _add_file(self, path: Path, name: str) -> None:
        target = self._directory / name
        repeated = name in self._taken and name not in _APPENDED
        if repeated or name in self._folders or os.path.lexists(target):
            self.collision = self.collision or target
        self._taken.add(name)
        self._files.append((path, name))

    def apply(self) -> None:
        """Move everything to its place. Modes of folders come last: some do not let files in."""
        for name in self._folders:
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        for path, name in self._files:
            target = self._directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):
                with path.open("rb") as source, target.open("ab") as sink:
                    shutil.copyfileobj(source, sink)
            else:
                path.rename(target)
        for name, mode in reversed(self._folders.items()):
            (self._directory / name).chmod(mode)


def _unlocked(folder: Path) -> int:
    """Let a folder be listed and emptied; return the mode it had."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    folder.chmod(mode | stat.S_IRWXU)
    return mode


def _walk(tree: Path) -> Iterator[tuple[Path, str]]:
    """Yield (path, name relative to the tree), parents before children, sorted."""
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for entry in sorted([*files, *folders]):
            path = Path(folder, entry)
            yield path, path.relative_to(tree).as_posix()
