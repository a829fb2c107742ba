"""Filling a directory without ever writing outside it.

Paths are walked from an open directory, one segment at a time, and links are never followed; so a
link that somebody else put there cannot lead a write elsewhere. All methods block; use them from a
thread.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILE_MODE = 0o644
DIRECTORY_MODE = 0o755

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree:
    """A directory that is being filled. Paths are relative, clean and not empty.

    A file is written under a name of its own in the root and gets its place when it is complete;
    what is in memory as a whole is written in its place.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _OPEN_DIRECTORY)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._root)

    def make_directory(self, path: str) -> None:
        """Make a directory with its parents; existing ones are fine.

        Raises:
            OSError: something else is in the way.
        """
        with self._directory(path.split("/")):
            pass

    def create(self, name: str) -> int:
        """Create a file in the root and return its descriptor, open for reading and writing.

        Raises:
            OSError: the name is taken, or the disk refuses.
        """
        return create_new(self._root, name)

    def store(self, files: Iterable[tuple[str, bytes, float | None]]) -> None:
        """Make whole files: path, content, and when it was changed, where that is known.

        They are made in their places. Neighbours should follow each other.

        Raises:
            OSError: a place is taken, or the disk refuses; of the file in question nothing is left.
        """
        for above, neighbours in groupby(files, lambda file: file[0].rpartition("/")[0]):
            with self._directory(above.split("/") if above else []) as parent:
                for path, data, modified in neighbours:
                    write_new(parent, path.rpartition("/")[2], data, modified)

    def share(self, files: Iterable[tuple[Path, str]]) -> None:
        """Let paths stand for existing files, which get one more name each.

        Raises:
            OSError: a place is taken, a file is on another disk, or the disk refuses.
        """
        for above, neighbours in groupby(files, lambda file: file[1].rpartition("/")[0]):
            with self._directory(above.split("/") if above else []) as parent:
                for source, path in neighbours:
                    name = path.rpartition("/")[2]
                    os.link(source, name, dst_dir_fd=parent, follow_symlinks=False)

    def place(self, name: str, path: str) -> None:
        """Move a complete file from the root to its place; parents are made as needed.

        Raises:
            OSError: the place is taken by a directory, or the disk refuses.
        """
        *above, last = path.split("/")
        with self._directory(above) as parent:
            os.rename(name, last, src_dir_fd=self._root, dst_dir_fd=parent)

    def link(self, source: Path, name: str) -> None:
        """Let a name in the root stand for an existing file, which gets one more name thereby.

        Raises:
            OSError: the name is taken, the file is on another disk, or the disk refuses.
        """
        os.link(source, name, dst_dir_fd=self._root, follow_symlinks=False)

    def discard(self, name: str) -> None:
        """Remove a file from the root, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._root)

    @contextmanager
    def _directory(self, segments: list[str]) -> Iterator[int]:
        current = os.dup(self._root)
        try:
            for segment in segments:
                is_new = _make_directory(segment, current)
                below = os.open(segment, _OPEN_DIRECTORY, dir_fd=current)
                os.close(current)
                current = below
                if is_new:
                    os.fchmod(current, DIRECTORY_MODE)  # whatever the umask says
            yield current
        finally:
            os.close(current)


def create_new(parent: int, name: str) -> int:
    """Create a file in an open directory and return its descriptor, for reading and writing.

    Raises:
        OSError: the name is taken, or the disk refuses.
    """
    descriptor = os.open(name, _CREATE, FILE_MODE, dir_fd=parent)
    os.fchmod(descriptor, FILE_MODE)  # whatever the umask says
    return descriptor


def write_new(parent: int, name: str, data: bytes, modified: float | None) -> os.stat_result:
    """Make a whole file in an open directory, and return what became of it.

    Raises:
        OSError: the name is taken, or the disk refuses; nothing is left.
    """
    descriptor = create_new(parent, name)
    try:
        write_at(descriptor, data, 0)
        if modified is not None:
            os.utime(descriptor, (modified, modified))
        return os.fstat(descriptor)
    except OSError:
        os.unlink(name, dir_fd=parent)
        raise
    finally:
        os.close(descriptor)


def write_at(descriptor: int, data: bytes | bytearray | memoryview, position: int) -> None:
    """Write all of the data to a place in an open file.

    Raises:
        OSError: the disk refuses.
    """
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.pwrite(descriptor, view[written:], position + written)


def _make_directory(name: str, parent: int) -> bool:
    try:
        os.mkdir(name, DIRECTORY_MODE, dir_fd=parent)
    except FileExistsError:
        return False
    return True
