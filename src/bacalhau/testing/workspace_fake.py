"""A workspace without a disk (``ports.workspace.Workspace``), for the simulation."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.models import RUN_OUTPUT_LIMIT_BYTES, RunOutput
from bacalhau.ports import Stream, Volume
from bacalhau.ports.workspace import TaskFiles
from bacalhau.protocol.messages import LogFrame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from bacalhau.models import Execution, ExecutionID
    from bacalhau.protocol.messages import LogRequest

_ROOT = Path("/simulated")


@dataclass(slots=True)
class _Files:
    """What is kept of one execution."""

    inputs: int = 0
    volumes: tuple[Volume, ...] | None = None
    has_results: bool = False
    exit_code: int | None = None
    frames: list[LogFrame] = field(default_factory=list)


@dataclass(slots=True)
class FakeDisk:
    """What outlives the process of a node.

    Attributes:
        files: What is kept of each execution.
        resumed: Each time that an execution was opened with what was there of it.
        lists: The lists about executions, by their names.
    """

    files: dict[ExecutionID, _Files] = field(default_factory=dict)
    resumed: list[ExecutionID] = field(default_factory=list)
    lists: dict[tuple[ExecutionID, str], bytes] = field(default_factory=dict)

    def leftovers(self) -> list[ExecutionID]:
        """Return the executions whose inputs or results are still there, sorted."""
        return sorted(
            execution_id
            for execution_id, files in self.files.items()
            if files.inputs or files.volumes or files.has_results
        )


class _MemorySink:
    """Output in memory (``ports.OutputSink``)."""

    def __init__(self, files: _Files) -> None:
        self.is_open = True
        self.generation = 0
        self._files = files
        self._watchers: list[asyncio.Event] = []

    def reset(self) -> None:
        if self.is_open:
            self._files.frames.clear()
            self.generation += 1
            self._tell_watchers()

    def write(self, stream: Stream, data: bytes) -> None:
        if self.is_open and data:
            self._files.frames.append(LogFrame(stream=stream.value, data=data))
            self._tell_watchers()

    def close(self) -> None:
        self.is_open = False
        self._tell_watchers()

    @contextmanager
    def watched(self, changed: asyncio.Event) -> Iterator[None]:
        self._watchers.append(changed)
        try:
            yield
        finally:
            self._watchers.remove(changed)

    def _tell_watchers(self) -> None:
        for changed in self._watchers:
            changed.set()


class FakeWorkspace:
    """The workspace; give two of them one disk to let the second find the files of the first."""

    def __init__(self, disk: FakeDisk | None = None) -> None:
        self.disk = FakeDisk() if disk is None else disk
        self._sinks: dict[ExecutionID, _MemorySink] = {}
        self._is_crashed = False

    def crash(self) -> None:
        """Let the process die: from now on nothing on the disk changes."""
        self._is_crashed = True
        for sink in self._sinks.values():
            sink.close()

    async def open(self, execution: Execution, *, inputs: int, resume: bool) -> TaskFiles:
        """Make the directories of an execution, and begin its output anew."""
        assert execution.job is not None, "only executions with their job are opened"
        await asyncio.sleep(0)
        files = self.disk.files.setdefault(execution.id, _Files())
        files.frames.clear()
        files.inputs, files.has_results, files.exit_code = inputs, True, None
        files.volumes = files.volumes if resume else None
        if resume:
            self.disk.resumed.append(execution.id)
        sink = self._sinks[execution.id] = _MemorySink(files)
        root = _ROOT / execution.id
        return TaskFiles(
            input_directories=tuple(root / str(number) for number in range(inputs)),
            volumes=files.volumes,
            outputs=tuple(
                Volume(path=root / "results" / path.name, target=path.path)
                for path in execution.job.task.result_paths
            ),
            sink=sink,
        )

    async def keep_inputs(self, execution: Execution, volumes: tuple[Volume, ...]) -> None:
        """Note that all inputs are prepared."""
        await asyncio.sleep(0)
        if not self._is_crashed:
            self.disk.files[execution.id].volumes = volumes

    async def keep_list(self, execution: Execution, name: str, lines: Iterable[bytes]) -> None:
        """Keep a list about an execution."""
        written = b"".join(lines)
        await asyncio.sleep(0)
        if not self._is_crashed:
            self.disk.lists[execution.id, name] = written

    async def collect(
        self, execution: Execution, *, exit_code: int, error_message: str = ""
    ) -> RunOutput:
        """End the output and summarise it."""
        sink = self._sinks.pop(execution.id, None)
        if sink is None:
            return RunOutput(exit_code=exit_code, error_msg=error_message)
        sink.close()
        await asyncio.sleep(0)
        files = self.disk.files[execution.id]
        assert execution.job is not None, "only executions with their job are opened"
        is_published = bool(execution.job.task.publisher.kind) and not error_message
        files.exit_code = exit_code if is_published else None
        stdout, stdout_truncated = _summary(files, Stream.STDOUT)
        stderr, stderr_truncated = _summary(files, Stream.STDERR)
        return RunOutput(
            stdout=stdout,
            stdout_truncated=stdout_truncated,
            stderr=stderr,
            stderr_truncated=stderr_truncated,
            exit_code=exit_code,
            error_msg=error_message,
        )

    async def results(self, execution: Execution) -> Path | None:
        """Return the results directory of a collected execution."""
        files = self.disk.files.get(execution.id)
        if files is None or files.exit_code is None:
            return None
        return _ROOT / execution.id / "results"

    async def discard(self, execution: Execution) -> None:
        """Remove inputs and results; the log stays."""
        sink = self._sinks.pop(execution.id, None)
        if sink is not None:
            sink.close()
        await asyncio.sleep(0)
        self._discard(execution.id)

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove what belongs to no live execution."""
        await asyncio.sleep(0)
        for execution_id in sorted(self.disk.files):
            if not is_live(execution_id):
                self._discard(execution_id)

    def _discard(self, execution_id: ExecutionID) -> None:
        files = self.disk.files.get(execution_id)
        if files is not None and not self._is_crashed:
            files.inputs, files.volumes = 0, None
            files.has_results, files.exit_code = False, None

    def has_log(self, execution_id: ExecutionID) -> bool:
        """Tell whether output of this execution is, or was, written here."""
        files = self.disk.files.get(execution_id)
        return execution_id in self._sinks or (files is not None and bool(files.frames))

    async def logs(self, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Stream output in the order of its writing."""
        files = self.disk.files.get(request.execution_id)
        if files is None:
            return
        written = len(files.frames)
        position = written if request.tail else 0
        sink = self._sinks.get(request.execution_id) if request.follow else None
        if sink is None:
            for frame in files.frames[position:written]:
                yield frame
            return
        changed, generation = asyncio.Event(), sink.generation
        with sink.watched(changed):
            while True:
                changed.clear()
                if sink.generation != generation:
                    position, generation = 0, sink.generation
                while position < len(files.frames):
                    position += 1
                    yield files.frames[position - 1]
                if not sink.is_open:
                    return
                await changed.wait()


def _summary(files: _Files, stream: Stream) -> tuple[str, bool]:
    data = b"".join(frame.data for frame in files.frames if frame.stream == stream.value)
    head = data[:RUN_OUTPUT_LIMIT_BYTES]
    return head.decode(errors="replace"), len(data) > RUN_OUTPUT_LIMIT_BYTES
