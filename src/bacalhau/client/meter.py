"""How far a download is."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A moment of a download.

    Attributes:
        done_bytes: What is there, whether it came now or before.
        moved_bytes: What came now.
        total_bytes: All there is to fetch, or None while that is not known.
        done_files: Files that are complete.
        files: Files in all.
        signs_of_life: Grows as long as anything goes on at all.
    """

    done_bytes: int
    moved_bytes: int
    total_bytes: int | None
    done_files: int
    files: int
    signs_of_life: int


class Meter:
    """Counts what several threads fetch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: list[int | None] = []
        self._done = 0
        self._moved = 0
        self._done_files = 0
        self._signs_of_life = 0

    def add_file(self, size_bytes: int | None) -> int:
        """Take in a file and return its number; its size may be told later."""
        with self._lock:
            self._sizes.append(size_bytes)
            return len(self._sizes) - 1

    def set_size(self, number: int, size_bytes: int | None) -> None:
        """Tell the size of a file."""
        with self._lock:
            self._sizes[number] = size_bytes

    def moved(self, count: int) -> None:
        """Count bytes that came."""
        with self._lock:
            self._done += count
            self._moved += count
            self._signs_of_life += 1

    def found(self, count: int) -> None:
        """Count bytes that were there; a negative number takes back what was counted in vain."""
        with self._lock:
            self._done += count

    def alive(self) -> None:
        """Count work that fetches nothing, such as looking at what is there."""
        with self._lock:
            self._signs_of_life += 1

    def file_done(self) -> None:
        """Count a complete file."""
        with self._lock:
            self._done_files += 1

    def now(self) -> Progress:
        """Return the present state."""
        with self._lock:
            known = [size for size in self._sizes if size is not None]
            return Progress(
                done_bytes=self._done,
                moved_bytes=self._moved,
                total_bytes=sum(known) if len(known) == len(self._sizes) else None,
                done_files=self._done_files,
                files=len(self._sizes),
                signs_of_life=self._signs_of_life,
            )
