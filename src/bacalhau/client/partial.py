"""A download that is not complete yet, on disk: what has arrived, and of which version.

The bytes are at their places in ``STEM.part``. ``STEM.part.log`` has a line of JSON that says what
they are part of, and then a line for each stretch that has been written, which is what a later
process knows of it, however this one ended.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.lib.tree import write_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Span = tuple[int, int]
    """First byte, and the one behind the last."""

PARTIAL_SUFFIXES = (".part", ".part.log", ".part.log.new")

_LOGGED_FROM_BYTES = 1024 * 1024
"""Of smaller files no log is kept: fetching them again costs little more than writing it."""


@dataclass(frozen=True, slots=True)
class Original:
    """What a download is a copy of.

    ``url`` is without its query; ``version`` is the server's mark, empty where it has none;
    ``size_bytes`` None: not known before the end.
    """

    url: str
    version: str
    size_bytes: int | None


class Partial:
    """One incomplete file. Several threads may write to different places of it.

    ``stem`` is where it is kept, with a suffix, until it gets its destination.
    """

    def __init__(self, destination: Path, stem: Path) -> None:
        self.original: Original | None = None
        self._destination = destination
        self.path = stem.with_name(f"{stem.name}.part")
        self._log_path = stem.with_name(f"{stem.name}.part.log")
        self._spans: list[Span] = []
        self._file = -1
        self._log = -1

    def resume(self, url: str) -> bool:
        """Take up what an earlier download has left; False when there is nothing of use."""
        found = self._read_log()
        if found is None or found[0].url != url or not found[0].version:
            return False
        original, spans = found
        size = original.size_bytes or 0
        try:
            if self.path.stat().st_size != size or (spans and spans[-1][1] > size):
                return False
            self._file = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        self._open_log(original, spans)
        return True

    def begin(self, original: Original) -> None:
        """Begin anew, as a copy of this original.

        Raises:
            OSError: the disk refuses.
        """
        self.close()
        self._file = os.open(
            self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
        )
        size = original.size_bytes or 0
        os.ftruncate(self._file, size)
        self._log_path.unlink(missing_ok=True)
        self.original, self._spans = original, []
        if size >= _LOGGED_FROM_BYTES and original.version:
            self._open_log(original, [])

    def write(self, data: bytes, position: int) -> None:
        """Put bytes in their place.

        Raises:
            OSError: the disk refuses.
        """
        write_at(self._file, data, position)

    def note(self, start: int, end: int) -> None:
        """Remember that a stretch has been written."""
        if self._log >= 0 and start < end:
            os.write(self._log, f"{start} {end}\n".encode())

    @property
    def done_bytes(self) -> int:
        """What had arrived when this was taken up."""
        return sum(end - start for start, end in self._spans)

    def missing(self) -> list[Span]:
        """Return what had not arrived when this was taken up, in order."""
        gaps, position = [], 0
        size = (self.original.size_bytes if self.original else 0) or 0
        for start, end in [*self._spans, (size, size)]:
            if position < start:
                gaps.append((position, start))
            position = max(position, end)
        return gaps

    def descriptor(self) -> int:
        """Return the open file."""
        return self._file

    def finish(self, modified_seconds: float | None) -> None:
        """Give the complete file its name, and the time of the original.

        Raises:
            OSError: the disk refuses.
        """
        if modified_seconds is not None:
            os.utime(self._file, (modified_seconds, modified_seconds))
        self.path.replace(self._destination)
        self._log_path.unlink(missing_ok=True)
        self.close()

    def discard(self) -> None:
        """Remove everything."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._log_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files; without a log, nobody could ever go on with what has arrived."""
        if self._file >= 0 and self._log < 0:
            self.path.unlink(missing_ok=True)
        for descriptor in (self._file, self._log):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._log = -1

    def _open_log(self, original: Original, spans: Iterable[Span]) -> None:
        head = json.dumps(
            {"URL": original.url, "Version": original.version, "SizeBytes": original.size_bytes}
        )
        lines = [head, *(f"{start} {end}" for start, end in spans)]
        fresh = self._log_path.with_name(f"{self._log_path.name}.new")
        fresh.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        fresh.replace(self._log_path)
        self._log = os.open(self._log_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.original, self._spans = original, list(spans)

    def _read_log(self) -> tuple[Original, list[Span]] | None:
        try:
            head, *lines = self._log_path.read_text(encoding="utf-8").split("\n")
            fields = json.loads(head)
            original = Original(str(fields["URL"]), str(fields["Version"]), fields["SizeBytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not isinstance(original.size_bytes, int):
            return None
        # The last line has no end if the process was killed while it wrote.
        return original, _joined(_spans(lines[:-1]))


def _spans(lines: Iterable[str]) -> Iterable[Span]:
    for line in lines:
        start, _, end = line.partition(" ")
        with suppress(ValueError):
            yield int(start), int(end)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, without gaps of nothing and without overlaps."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif 0 <= start < end:
            joined.append((start, end))
    return joined
