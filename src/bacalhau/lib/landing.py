"""Where downloaded files go, each with its SHA-256."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.lib.tree import Tree


class Received(NamedTuple):
    """A whole file in memory, and when it was changed, where that is known."""

    path: str
    data: bytes
    digest: bytes
    modified: float | None


class OpenFile(NamedTuple):
    """A file that is being filled; what is written to ``descriptor`` goes to ``twin``, too.

    ``twin`` is there where the landing needs two files with the same content.
    """

    descriptor: int
    twin: int | None = None

    def close(self) -> None:
        """Let go of both."""
        os.close(self.descriptor)
        if self.twin is not None:
            os.close(self.twin)


class Landing(Protocol):
    """A place for files. All methods block, are called from several threads, and raise OSError."""

    def write(self, files: Sequence[Received]) -> None:
        """Store whole files."""
        ...

    def create(self, path: str) -> OpenFile:
        """Open a new file for reading and writing."""
        ...

    def complete(self, path: str, file: OpenFile, digest: bytes, modified: float | None) -> None:
        """Store a file that was created so; it stays open."""
        ...

    def discard(self, path: str) -> None:
        """Drop a file that was created and not completed, if there is one."""
        ...


class TreeLanding:
    """Files in a directory; see ``Landing``. ``digests`` has the hashes of what landed, by path."""

    def __init__(self, tree: Tree, part_name: str) -> None:
        self._tree = tree
        self._part_name = part_name
        self._numbers = count()
        self._parts: dict[str, str] = {}
        self.digests: dict[str, bytes] = {}

    def write(self, files: Sequence[Received]) -> None:
        """Store whole files."""
        self._tree.store((each.path, each.data, each.modified) for each in files)
        self.digests.update((each.path, each.digest) for each in files)

    def create(self, path: str) -> OpenFile:
        """Create a file that gets its place when it is complete."""
        name = f"{self._part_name}-{next(self._numbers)}"
        descriptor = self._tree.create(name)
        self._parts[path] = name
        return OpenFile(descriptor)

    def complete(self, path: str, file: OpenFile, digest: bytes, modified: float | None) -> None:
        """Move a file to its place."""
        if modified is not None:
            os.utime(file.descriptor, (modified, modified))
        self._tree.place(self._parts[path], path)
        del self._parts[path]
        self.digests[path] = digest

    def discard(self, path: str) -> None:
        """Drop a file that is not complete."""
        if (name := self._parts.pop(path, None)) is not None:
            self._tree.discard(name)
