"""Getting one file or folder of the results (spec storage.md 8.3)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from bacalhau.client.failures import COMPONENT
from bacalhau.client.lanes import Lanes
from bacalhau.client.stream import Stream
from bacalhau.client.unpacking import open_archive
from bacalhau.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from bacalhau.client.addresses import Address
    from bacalhau.client.meter import Meter
    from bacalhau.client.results import Result
    from bacalhau.client.web import Web

_SUGGESTIONS = 3


def narrowed(result: Result, path: str) -> Result:
    """Leave out what is not wanted of a result; an archive is looked into later."""
    if not result.is_archive and not result.is_tree:
        return result if result.name == path else replace(result, files=())
    contents = result.contents
    if contents is not None:
        contents = tuple(item for item in contents if _is_within(item.path, path))
    files = result.files
    if result.is_tree:
        files = tuple(file for file in files if _is_within(file.path, path))
    return replace(result, files=files, contents=contents)


def _is_within(path: str, wanted: str) -> bool:
    return path == wanted or path.startswith(f"{wanted}/")


class PathInArchives:
    """One path of several archives, read from their fronts as far as is needed.

    Attributes:
        names: What else there is, for a suggestion.
    """

    def __init__(self, path: str, meter: Meter) -> None:
        self.names: set[str] = set()
        self._path = path
        self._meter = meter
        self._lanes = Lanes()

    def stream(
        self, archives: Sequence[tuple[str, Address, Path]], tick: Callable[[], None]
    ) -> None:
        """Take the path out of archives that are not here: (name, address, folder for it).

        Raises:
            BacalhauError: one cannot be read, or is damaged; its folder is gone.
            OSError: the disk refuses.
        """
        self._lanes.put(partial(self._stream, *archive) for archive in archives)
        self._lanes.run(tick)

    def open(self, archive: Path, tree: Path) -> None:
        """Take the path out of an archive that is here. Raises as ``stream``."""
        with archive.open("rb") as file:
            size = archive.stat().st_size
            found = open_archive(file, archive.name, size, tree, only=self._path)
        self.names.update(found.names)

    def _stream(self, name: str, address: Address, tree: Path, web: Web) -> None:
        number = self._meter.add_file(None)
        with Stream(web, address, self._lanes, self._meter) as archive:
            size = archive.size_bytes()
            self._meter.set_size(number, size or None)
            found = open_archive(cast("BinaryIO", archive), name, size, tree, only=self._path)
        self._meter.file_done()
        self.names.update(found.names)


def no_such_path(path: str, names: Iterable[str]) -> NotFoundError:
    """Return the error for a path that no result has; the hint names some that are like it."""
    from difflib import get_close_matches

    known = sorted(set(names))
    last = path.rpartition("/")[2]
    near = [name for name in known if name.rpartition("/")[2] == last]
    near += [name for name in get_close_matches(path, known, n=_SUGGESTIONS) if name not in near]
    if near:
        hint = f"did you mean {' or '.join(near[:_SUGGESTIONS])}?"
    else:
        roots = sorted({name.partition("/")[0] for name in known})
        hint = f"they have {', '.join(roots[:20])}" if roots else "they are empty"
    return NotFoundError(f'the results have no file "{path}"', hint=hint, component=COMPONENT)
