"""Downloads on their way into the cache, and from there to who ordered them."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bacalhau.compute.cache.files import OBJECTS, UNLINKABLE, place_of, shares_blocks
from bacalhau.compute.cache.index import KeptFile
from bacalhau.lib.landing import OpenFile
from bacalhau.lib.tree import create_new, write_new

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bacalhau.compute.cache.shelf import Wanted
    from bacalhau.lib.landing import Received
    from bacalhau.lib.tree import Tree

T = TypeVar("T")


class CacheLanding:
    """Stores files in their places in the cache, and gives ``tree`` a link to each, or a copy.

    What lies there is nobody's until the index knows it, so it may lie there before it is complete.
    The copy is written from memory, beside the first. Where the disk can share blocks, who ordered
    a large file takes it out of the cache. See ``lib.landing.Landing``.

    Attributes:
        taken: What is complete in the cache, by name.
        placed: The names of those that are in the tree, too.
    """

    def __init__(
        self,
        directory: Path,
        tree: Tree,
        wanted: Mapping[str, Wanted],
        *,
        now_ns: int,
        is_linked: bool,
        part_name: str,
    ) -> None:
        self._directory = directory
        self._tree = tree
        self._wanted = wanted
        self._now_ns = now_ns
        self._is_linked = is_linked
        self._part_name = part_name
        self._objects = os.open(directory / OBJECTS, os.O_RDONLY | os.O_DIRECTORY)
        self._shares_blocks = shares_blocks(directory / OBJECTS)
        self.taken: dict[str, KeptFile] = {}
        self.placed: set[str] = set()

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._objects)

    def write(self, files: Sequence[Received]) -> None:
        """Store whole files, here and there."""
        for each in files:
            store = partial(write_new, self._objects, data=each.data, modified=each.modified)
            self._take(each.path, self._anew(each.path, store), each.digest)
        if not (self._is_linked and self._link([each.path for each in files])):
            self._tree.store((each.path, each.data, each.modified) for each in files)
        self.placed.update(self._wanted[each.path].name for each in files)

    def create(self, path: str) -> OpenFile:
        """Create a file in the cache, and one in the tree where it takes a copy of the bytes."""
        descriptor = self._anew(path, partial(create_new, self._objects))
        if self._is_linked or self._shares_blocks:
            return OpenFile(descriptor)
        try:
            return OpenFile(descriptor, self._tree.create(self._part(path)))
        except OSError:
            os.close(descriptor)
            raise

    def complete(self, path: str, file: OpenFile, digest: bytes, modified: float | None) -> None:
        """Keep a file, and place it if that is quick."""
        if modified is not None:
            for descriptor in file:
                if descriptor is not None:
                    os.utime(descriptor, (modified, modified))
        self._take(path, os.fstat(file.descriptor), digest)
        if file.twin is not None:
            self._tree.place(self._part(path), path)
        elif not (self._is_linked and self._link([path])):
            return
        self.placed.add(self._wanted[path].name)

    def discard(self, path: str) -> None:
        """Remove a file that is not complete."""
        name = self._wanted[path].name
        self._tree.discard(self._part(path))
        if name not in self.taken:
            with suppress(FileNotFoundError):
                os.unlink(_below(name), dir_fd=self._objects)

    def _part(self, path: str) -> str:
        return f"{self._part_name}-{self._wanted[path].name}"

    def _anew(self, path: str, make: Callable[[str], T]) -> T:
        """Make a file under a name that is not in use, whatever lies there from earlier."""
        name = self._wanted[path].name
        while True:
            try:
                return make(_below(name))
            except FileNotFoundError:
                with suppress(FileExistsError):  # made by another thread meanwhile
                    os.mkdir(name[:2], 0o700, dir_fd=self._objects)
            except FileExistsError:
                with suppress(FileNotFoundError):
                    os.unlink(_below(name), dir_fd=self._objects)

    def _take(self, path: str, facts: os.stat_result, digest: bytes) -> None:
        name, identity, _ = self._wanted[path]
        self.taken[name] = KeptFile(
            name=name,
            identity=identity,
            size_bytes=facts.st_size,
            modified_ns=facts.st_mtime_ns,
            inode=facts.st_ino,
            digest=digest,
            verified_ns=self._now_ns,
            used_ns=self._now_ns,
        )

    def _link(self, paths: Sequence[str]) -> bool:
        """Let the tree share new files; False, for all and ever, where the disk cannot."""
        try:
            self._tree.share(
                (place_of(self._directory, self._wanted[path].name), path) for path in paths
            )
        except OSError as exc:
            if exc.errno not in UNLINKABLE:
                raise
            self._is_linked = False
            return False
        return True


def _below(name: str) -> str:
    return f"{name[:2]}/{name}"
