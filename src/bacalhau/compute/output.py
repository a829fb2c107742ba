"""Where the output of a running task goes: two result files and the log."""

from __future__ import annotations

import codecs
import contextlib
import os
import threading
from typing import TYPE_CHECKING

from bacalhau.compute.failures import COMPONENT
from bacalhau.compute.log_file import LogWriter, end_frame, frames, remove_log
from bacalhau.errors import Code, TransientError
from bacalhau.models import RUN_OUTPUT_LIMIT_BYTES
from bacalhau.ports import Stream
from bacalhau.ports.workspace import STDOUT_FILE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bacalhau.compute.log_file import LogReader
    from bacalhau.ports import Clock

FILE_NAMES = {Stream.STDOUT: "stdout", Stream.STDERR: "stderr"}


class FileSink:
    """Writes output to disk (``ports.OutputSink``). Any thread may write.

    Each result file keeps the first gibibyte of its stream; more is dropped, so that neither
    stream ever holds up the other. Files are made when there is something to write into them.
    """

    def __init__(
        self,
        *,
        results: Path,
        logs: Path,
        clock: Clock,
        file_limit_bytes: int = STDOUT_FILE_LIMIT_BYTES,
    ) -> None:
        self._results = results
        self._logs = logs
        self._clock = clock
        self._file_limit_bytes = file_limit_bytes
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], object]] = []
        self._is_open = True
        self._generation = 0
        self._begin()

    @property
    def is_open(self) -> bool:
        """True until the output has ended."""
        return self._is_open

    @property
    def generation(self) -> int:
        """How many times the output began anew."""
        return self._generation

    @property
    def mark(self) -> tuple[int, tuple[int, int]]:
        """The generation, and where its log ends now."""
        with self._lock:
            return self._generation, self._log.position if self._log else (0, 0)

    @property
    def has_files(self) -> bool:
        """True when something was written to disk."""
        return self._log is not None

    def summary(self, stream: Stream) -> tuple[str, bool]:
        """Return the beginning of a stream as text, and whether there is more of it.

        A character that the limit cuts in two is left out.
        """
        head = self._heads[stream]
        truncated = len(head) > RUN_OUTPUT_LIMIT_BYTES
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder.decode(bytes(head[:RUN_OUTPUT_LIMIT_BYTES]), final=not truncated), truncated

    def attach(self, reader: LogReader) -> int:
        """Open a reader of this log and return the generation that it reads.

        Raises:
            OSError: the disk refuses.
        """
        with self._lock:
            reader.open()
            return self._generation

    def clear(self) -> None:
        """Remove what an earlier process wrote.

        Raises:
            TransientError: the disk refuses.
        """
        try:
            for name in FILE_NAMES.values():
                (self._results / name).unlink(missing_ok=True)
            remove_log(self._logs)
        except OSError as exc:
            raise disk_refused("keep the output of the task", exc) from exc

    def reset(self) -> None:
        """Drop what was written: the engine is going to repeat the output from its start.

        Raises:
            TransientError: the disk refuses.
        """
        with self._lock:
            if self._is_open:
                self._generation += 1
                self._is_open = False  # for good, should the disk refuse
                had_files = self.has_files
                self._release()
                self._begin()
                if had_files:
                    self.clear()
                self._is_open = True
        self._tell_watchers()

    def write(self, stream: Stream, data: bytes) -> None:
        """Append a chunk; after the end it is dropped.

        Raises:
            TransientError: the disk refuses.
        """
        with self._lock:
            if not self._is_open or not data:
                return
            try:
                self._write_result(stream, data)
                self._writable_log().append(frames(stream.value, data, self._clock.now_ns()))
            except OSError as exc:
                self._give_room_back()
                raise disk_refused("keep the output of the task", exc) from exc
        self._tell_watchers()

    def close(self, *, ended: bool) -> None:
        """Take no more; ``ended`` False leaves the log without its end, as a crash would."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            if ended and self._log is not None:
                with contextlib.suppress(OSError):  # readers end without it, too
                    self._log.append(end_frame())
            self._release()
        self._tell_watchers()

    @contextlib.contextmanager
    def watched(self, notice: Callable[[], object]) -> Iterator[None]:
        """Call ``notice`` after every change, from whichever thread makes it."""
        with self._lock:
            self._watchers.append(notice)
        try:
            yield
        finally:
            with self._lock:
                self._watchers.remove(notice)

    def _tell_watchers(self) -> None:
        for notice in tuple(self._watchers):
            notice()

    def _begin(self) -> None:
        self._files: dict[Stream, int] = {}
        self._sizes = dict.fromkeys(Stream, 0)
        self._heads = {stream: bytearray() for stream in Stream}
        self._log: LogWriter | None = None

    def _writable_log(self) -> LogWriter:
        if self._log is None:
            self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._log = LogWriter(self._logs)
        return self._log

    def _result_file(self, stream: Stream) -> int:
        if stream not in self._files:
            self._results.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._files[stream] = os.open(self._results / FILE_NAMES[stream], flags, 0o644)
        return self._files[stream]

    def _release(self) -> None:
        if self._log is not None:
            self._log.close()
        for descriptor in self._files.values():
            os.close(descriptor)

    def _give_room_back(self) -> None:
        """Empty the result files: a task whose output was not kept publishes nothing.

        On a full disk the node could not even store that the task has failed.
        """
        for descriptor in self._files.values():
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
        self._sizes = dict.fromkeys(Stream, self._file_limit_bytes)

    def _write_result(self, stream: Stream, data: bytes) -> None:
        head = self._heads[stream]
        head += data[: RUN_OUTPUT_LIMIT_BYTES + 1 - len(head)]
        room = self._file_limit_bytes - self._sizes[stream]
        view = memoryview(data)[: max(0, room)]
        self._sizes[stream] += len(view)
        while view:
            view = view[os.write(self._result_file(stream), view) :]


def disk_refused(wanted: str, exc: OSError) -> TransientError:
    """Say what could not be done for want of a disk that takes it."""
    return TransientError(
        f"cannot {wanted}: {exc.strerror or exc}",
        code=Code.DISK,
        hint="check free space and permissions of the node's data directory",
        component=COMPONENT,
        details={"Path": str(exc.filename)} if exc.filename else {},
    )
