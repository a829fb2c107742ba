"""Which paths of the node jobs may use (spec storage.md 6.1, security.md 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bacalhau.errors import Code, UserError
from bacalhau.lib.path_glob import PathGlob

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY = "Compute.AllowListedLocalPaths"


class _Entry(NamedTuple):
    glob: PathGlob
    is_writable: bool


class AllowList:
    """The operator's list. One entry is ``PATTERN[:rw|:ro]``, and read-only by default."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Read the list.

        Raises:
            UserError: code ``ConfigurationError``: an entry is no pattern.
        """
        self._entries = [_entry(text) for text in _whole(entries)]

    def __bool__(self) -> bool:
        return bool(self._entries)

    def allows(self, path: str, *, writing: bool) -> bool:
        """Tell whether some entry covers an absolute, normalised path."""
        return any(
            entry.glob.matches(path) for entry in self._entries if entry.is_writable or not writing
        )


def _entry(text: str) -> _Entry:
    pattern, colon, mode = text.strip().rpartition(":")
    if not colon or mode not in ("rw", "ro"):
        pattern, mode = text.strip(), "ro"
    try:
        return _Entry(PathGlob(pattern), mode == "rw")
    except ValueError as exc:
        raise UserError(
            f'invalid value "{text}" for {KEY}: {exc}',
            code=Code.CONFIGURATION,
            hint="write a path such as /data/** and, where jobs may write, :rw behind it",
            component="LocalInputSource",
            fields=[KEY],
        ) from exc


def _whole(entries: Iterable[str]) -> Iterator[str]:
    """Join what was cut apart: a list in one line of text is cut at commas within braces, too."""
    begun = ""
    for entry in entries:
        begun = f"{begun},{entry}" if begun else entry
        if begun.count("{") <= begun.count("}"):
            yield begun
            begun = ""
    if begun:
        yield begun
