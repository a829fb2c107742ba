"""The log of an execution on disk (spec engines.md 6.3, 1.9).

Frames as Docker multiplexes them: stream number, three zeros, length in four bytes, most
significant first; then a time of 30 characters, a blank, and the output. A frame of stream 4
without content ends the log.

The log is a row of segments, so that its beginning and its latest part can be kept when it grows
too large: ``raw_container_logs``, ``raw_container_logs.1`` and so on. A frame never spans two.
"""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bacalhau.lib.units import format_bytes
from bacalhau.protocol.messages import LogFrame

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

LOG_NAME = "raw_container_logs"
_STDERR = 2
END = 4
_HEADER = struct.Struct(">BxxxI")
_TIME_BYTES = 31
_CHUNK_BYTES = 32 * 1024
_READ_BYTES = 256 * 1024
SEGMENT_BYTES = 64 * 2**20
SEGMENTS_KEPT = 4
"""Together 256 MiB: the first segment and the last three."""


def frames(stream: int, data: bytes, time_ns: int) -> bytes:
    """Encode output as one or more frames."""
    stamp = _stamp(time_ns)
    parts = []
    for start in range(0, len(data), _CHUNK_BYTES):
        chunk = data[start : start + _CHUNK_BYTES]
        parts += [_HEADER.pack(stream, len(stamp) + len(chunk)), stamp, chunk]
    return b"".join(parts)


def end_frame() -> bytes:
    """Encode the end of a log."""
    return _HEADER.pack(END, 0)


def _gap(size_bytes: int) -> LogFrame:
    """Return a line that stands for what is gone, told in the place where it was."""
    text = f"[here about {format_bytes(size_bytes)} of output are missing: too much to be kept]"
    return LogFrame(stream=_STDERR, data=f"\n{text}\n".encode())


def _stamp(time_ns: int) -> bytes:
    seconds, fraction = divmod(time_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z ".encode()


class FrameDecoder:
    """Turns bytes, in pieces of any size, into frames.

    Attributes:
        ended: The end frame was seen.
    """

    def __init__(self) -> None:
        self.ended = False
        self._rest = b""

    def feed(self, data: bytes) -> list[LogFrame]:
        """Return the frames that are complete now."""
        buffer, position, found = self._rest + data, 0, []
        while len(buffer) - position >= _HEADER.size and not self.ended:
            stream, length = _HEADER.unpack_from(buffer, position)
            start, end = position + _HEADER.size, position + _HEADER.size + length
            if stream == END:
                self.ended = True
            elif len(buffer) < end:
                break
            else:
                found.append(LogFrame(stream=stream, data=buffer[start + _TIME_BYTES : end]))
            position = end
        self._rest = buffer[position:]
        return found


class LogWriter:
    """Appends frames. Not safe for several threads at once; ``position`` may be read by any."""

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segments_kept: int = SEGMENTS_KEPT,
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segments_kept = segments_kept
        self._segment = 0
        self._size = 0
        self._descriptor = self._create()

    @property
    def position(self) -> tuple[int, int]:
        """Where the next frame goes: number of the segment, and offset in it."""
        return self._segment, self._size

    def append(self, encoded: bytes) -> None:
        """Write whole frames.

        Raises:
            OSError: the disk refuses.
        """
        if self._size and self._size + len(encoded) > self._segment_bytes:
            self._begin_segment()
        view = memoryview(encoded)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._size += len(encoded)

    def close(self) -> None:
        """Release the file."""
        os.close(self._descriptor)

    def _begin_segment(self) -> None:
        os.close(self._descriptor)
        self._segment += 1
        self._size = 0
        self._descriptor = self._create()
        outdated = self._segment - self._segments_kept + 1
        if outdated > 0:
            _segment_path(self._directory, outdated).unlink(missing_ok=True)

    def _create(self) -> int:
        path = _segment_path(self._directory, self._segment)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


class LogReader:
    """Reads frames from the beginning, or from a position, as far as they are written.

    Attributes:
        ended: The end of the log was read.
    """

    def __init__(self, directory: Path, *, start: tuple[int, int] = (0, 0)) -> None:
        self.ended = False
        self._directory = directory
        self._segment, self._offset = start
        self._decoder = FrameDecoder()
        self._file: FileIO | None = None

    def open(self) -> bool:
        """Open the file where reading begins, unless it is open; return False when it is absent.

        Raises:
            OSError: the disk refuses.
        """
        if self._file is None:
            self._file = self._open(self._segment)
            if self._file is not None:
                self._file.seek(self._offset)
        return self._file is not None

    def read(self) -> list[LogFrame] | None:
        """Return more frames, perhaps none yet although there was data; None at the end of all.

        Where segments are gone, a frame on the error stream says so.

        Raises:
            OSError: the disk refuses.
        """
        if not self.open() or self._file is None:
            return None
        # Looked for first: once a following segment exists, this one does not grow any more.
        following = self._following()
        data = self._file.read(_READ_BYTES)
        if data:
            self._offset += len(data)
            found = self._decoder.feed(data)
            self.ended = self._decoder.ended
            return found
        return None if following is None else self._go_on(following)

    def is_beyond(self, position: tuple[int, int]) -> bool:
        """Tell whether everything before a position has been read."""
        return (self._segment, self._offset) >= position

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()

    def _go_on(self, following: int) -> list[LogFrame]:
        file = self._open(following)
        if file is None:  # rotated away since it was seen, and a later one exists
            return []
        self.close()
        missing = (following - self._segment - 1) * self._offset
        self._file, self._segment, self._offset = file, following, 0
        self._decoder = FrameDecoder()
        return [_gap(missing)] if missing else []

    def _open(self, segment: int) -> FileIO | None:
        try:
            return _segment_path(self._directory, segment).open("rb", buffering=0)
        except FileNotFoundError:
            return None

    def _following(self) -> int | None:
        later = [number for number in segments(self._directory) if number > self._segment]
        return min(later, default=None)


def segments(directory: Path) -> list[int]:
    """Return the numbers of the segments that exist, ascending."""
    found = []
    for path in directory.glob(f"{LOG_NAME}*"):
        number = path.name.removeprefix(LOG_NAME).removeprefix(".") or "0"
        if number.isdigit():
            found.append(int(number))
    return sorted(found)


def remove_log(directory: Path) -> None:
    """Remove all segments."""
    for number in segments(directory):
        _segment_path(directory, number).unlink(missing_ok=True)


def _segment_path(directory: Path, number: int) -> Path:
    return directory / (f"{LOG_NAME}.{number}" if number else LOG_NAME)
