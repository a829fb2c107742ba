"""What of the results a directory has already, as far as that is known without fetching them."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from bacalhau.client.merge import APPENDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bacalhau.client.results import Content, PublishedFile, Result

_CHUNK_BYTES = 1024 * 1024


def missing_files(
    directory: Path, results: Sequence[Result]
) -> tuple[list[tuple[Result, PublishedFile]], Path | None]:
    """Return the files that have to be fetched, and the first path that is in their way.

    What is there already with the checksum that was published need not be fetched. Of an archive
    whose contents nobody knows, they are the three special files, and more.
    """
    present: set[tuple[str, str]] = set()
    collision: Path | None = None
    is_known = all(result.contents is not None for result in results)
    for path, places in _by_path(results).items():
        target = directory / path
        if len(places) > 1 and path not in APPENDED:
            collision = collision or target
        elif os.path.lexists(target):
            contents = [content for _, content in places]
            if (is_known or path not in APPENDED) and _has(target, contents):
                present.update((result.name, path) for result, _ in places)
            else:
                collision = collision or target
    missing = []
    for result in results:
        missing += [(result, file) for file in _missing(result, present)]
        if result.contents is None:
            names = APPENDED if result.is_archive else (result.name,)
            taken = (directory / name for name in names if os.path.lexists(directory / name))
            collision = collision or next(taken, None)
    return missing, collision


def _missing(result: Result, present: set[tuple[str, str]]) -> list[PublishedFile]:
    if result.is_tree:
        return [file for file in result.files if (result.name, file.path) not in present]
    has_all = bool(result.contents) and all(
        (result.name, content.path) in present for content in result.contents or ()
    )
    return [] if has_all else list(result.files)


def _by_path(results: Iterable[Result]) -> dict[str, list[tuple[Result, Content]]]:
    found: dict[str, list[tuple[Result, Content]]] = {}
    for result in results:
        for content in result.contents or ():
            found.setdefault(content.path, []).append((result, content))
    return found


def _has(path: Path, contents: Sequence[Content]) -> bool:
    """Tell whether a path is a file that holds just these, one behind the other."""
    if path.is_symlink() or not path.is_file():
        return False
    sizes = [content.size_bytes for content in contents if content.size_bytes is not None]
    if len(sizes) < len(contents) or path.stat().st_size != sum(sizes):
        return False
    with path.open("rb") as file:
        for content, size in zip(contents, sizes, strict=True):
            digest, left = hashlib.sha256(), size
            while left and (data := file.read(min(left, _CHUNK_BYTES))):
                digest.update(data)
                left -= len(data)
            if left or digest.digest() != content.digest:
                return False
    return True
