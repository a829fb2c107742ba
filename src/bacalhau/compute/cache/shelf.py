"""Taking files out of the cache, a batch at a time. All methods block."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bacalhau.compute.cache.files import UNLINKABLE, copy_into, digest_of, place_of
from bacalhau.lib.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bacalhau.compute.cache.index import KeptFile
    from bacalhau.lib.stopping import Stopped


class Wanted(NamedTuple):
    """A file that is wanted: its name in the cache, its identity, and its path outside."""

    name: str
    identity: str
    path: str


class Verdict(NamedTuple):
    """How files were found that the cache had: placed, or damaged or gone."""

    placed: list[KeptFile]
    damaged: list[KeptFile]


class Shelf:
    """The files below a cache's directory.

    ``verify_ns``: a file is hashed again before it is used when that was done so long ago, or when
    it does not look as it did then.
    """

    def __init__(self, directory: Path, verify_ns: int) -> None:
        self._directory = directory
        self._verify_ns = verify_ns

    def take_out(
        self,
        items: Sequence[tuple[Wanted, KeptFile]],
        directory: Path,
        now_ns: int,
        is_stopped: Stopped,
        *,
        is_linked: bool,
        part_name: str,
    ) -> Verdict:
        """Put files that are as they should be where they are wanted; tell which are not."""
        verdict = Verdict([], [])
        with closing(Tree(directory)) as tree:
            for item, kept in items:
                source = place_of(self._directory, kept.name)
                try:
                    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
                except OSError:
                    verdict.damaged.append(kept)
                    continue
                try:
                    sound = self._verified(kept, descriptor, now_ns, is_stopped)
                    if sound is None:
                        verdict.damaged.append(kept)
                        continue
                    temporary = f"{part_name}-{item.name}"
                    if not (is_linked and _link_into(tree, source, temporary, item.path)):
                        copy_into(tree, descriptor, temporary, item.path, is_stopped)
                finally:
                    os.close(descriptor)
                verdict.placed.append(sound)
        return verdict

    def throw_away(self, names: Sequence[str]) -> None:
        """Remove files, as far as they are there."""
        for name in names:
            with suppress(FileNotFoundError):
                place_of(self._directory, name).unlink()

    def _verified(
        self, kept: KeptFile, descriptor: int, now_ns: int, is_stopped: Stopped
    ) -> KeptFile | None:
        """Return what is known of a file now; None when its bytes are others."""
        facts = os.fstat(descriptor)
        used = msgspec.structs.replace(kept, used_ns=now_ns)
        looks_same = (facts.st_size, facts.st_mtime_ns, facts.st_ino) == (
            kept.size_bytes,
            kept.modified_ns,
            kept.inode,
        )
        if looks_same and 0 <= now_ns - kept.verified_ns < self._verify_ns:
            return used
        if facts.st_size != kept.size_bytes or digest_of(descriptor, is_stopped) != kept.digest:
            return None
        return msgspec.structs.replace(
            used, modified_ns=facts.st_mtime_ns, inode=facts.st_ino, verified_ns=now_ns
        )


def _link_into(tree: Tree, source: Path, name: str, path: str) -> bool:
    """Share a file; return False where the disk cannot."""
    try:
        tree.link(source, name)
    except OSError as exc:
        if exc.errno not in UNLINKABLE:
            raise
        return False
    try:
        tree.place(name, path)
    except OSError:
        tree.discard(name)
        raise
    return True
