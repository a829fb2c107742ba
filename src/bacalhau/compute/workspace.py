"""Files of executions on disk (``ports.workspace.Workspace``).

Below ``<data directory>/compute/executions``::

    <job>/<execution>/0, 1, ...     one directory for each input
    <job>/<execution>/inputs.json   written when all inputs are prepared
    output/<execution>/results/     what is published
    output/<execution>/logs/        the log, kept after the end
    output/<execution>/provenance/  long lists of what was read and written, kept as long
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from bacalhau.compute.directories import (
    OUTPUT,
    directories_in,
    directory_name,
    discard,
    disk,
    last_change_ns,
    make_input,
    make_output,
    read_kept_inputs,
    remove,
    write_kept_inputs,
    write_list,
)
from bacalhau.compute.log_file import LogReader
from bacalhau.compute.output import FILE_NAMES, FileSink
from bacalhau.lib.files import check_room, write_atomically
from bacalhau.models import ExecutionID, RunOutput
from bacalhau.ports import Stream
from bacalhau.ports.workspace import TaskFiles

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
    from pathlib import Path

    from bacalhau.models import Execution
    from bacalhau.ports import Clock, Volume
    from bacalhau.protocol.messages import LogFrame, LogRequest

T = TypeVar("T")

LOG_RETENTION_SECONDS = 24 * 3600
THREADS = 8
_LISTS = "provenance"


@contextlib.asynccontextmanager
async def open_workspace(directory: Path, clock: Clock) -> AsyncIterator[DiskWorkspace]:
    """Keep files below ``directory``, which is made, with a pool of threads for the disk.

    Raises:
        TransientError: the directory cannot be made.
    """
    with ThreadPoolExecutor(THREADS, thread_name_prefix="workspace") as pool:
        workspace = DiskWorkspace(directory, clock, pool)
        try:
            yield workspace
        finally:
            workspace.close()


class DiskWorkspace:
    """See the module. Made by ``open_workspace``."""

    def __init__(self, directory: Path, clock: Clock, pool: ThreadPoolExecutor) -> None:
        self._root = directory
        self._clock = clock
        self._pool = pool
        self._sinks: dict[ExecutionID, FileSink] = {}
        with disk("make the directory for executions"):
            (directory / OUTPUT).mkdir(mode=0o700, parents=True, exist_ok=True)

    def close(self) -> None:
        """Take no more output; logs that have not ended stay without an end."""
        for sink in self._sinks.values():
            sink.close(ended=False)

    # -- a task's directories -----------------------------------------------------------

    async def open(self, execution: Execution, *, inputs: int, resume: bool) -> TaskFiles:
        """Make the directories of an execution, and begin its output anew."""
        return await self._in_thread(lambda: self._open(execution, inputs, resume))

    def _open(self, execution: Execution, inputs: int, resume: bool) -> TaskFiles:
        assert execution.job is not None, "only executions with their job are opened"
        input_root, output_root = self._input_root(execution), self._output_root(execution.id)
        result_paths = execution.job.task.result_paths
        with disk("make the directories of the task"):
            kept = read_kept_inputs(input_root) if resume else None
            if not resume:
                remove(output_root / "results")
            if kept is None:
                remove(input_root)
            if result_paths:
                (output_root / "results").mkdir(mode=0o700, parents=True, exist_ok=True)
            outputs = tuple(make_output(output_root / "results", path) for path in result_paths)
            directories = tuple(input_root / str(number) for number in range(inputs))
            if kept is None:
                for directory in directories:
                    make_input(directory)
        return TaskFiles(
            input_directories=directories,
            volumes=kept,
            outputs=outputs,
            sink=self._open_sink(execution.id, output_root),
        )

    def _open_sink(self, execution_id: ExecutionID, output_root: Path) -> FileSink:
        earlier = self._sinks.get(execution_id)
        if earlier is not None:
            earlier.close(ended=False)
        sink = FileSink(
            results=output_root / "results", logs=output_root / "logs", clock=self._clock
        )
        sink.clear()
        self._sinks[execution_id] = sink
        return sink

    async def keep_inputs(self, execution: Execution, volumes: tuple[Volume, ...]) -> None:
        """Note for the next process that all inputs are prepared."""
        input_root = self._input_root(execution)

        def write() -> None:
            with disk("note that the inputs are prepared"):
                write_kept_inputs(input_root, volumes)

        await self._in_thread(write)

    async def keep_list(self, execution: Execution, name: str, lines: Iterable[bytes]) -> None:
        """Write a long list about an execution beside its log."""
        path = self._output_root(execution.id) / _LISTS / f"{name}.jsonl"

        def write() -> None:
            with disk("write the list of files"):
                write_list(path, lines)

        await self._in_thread(write)

    # -- the end of a task --------------------------------------------------------------

    async def collect(
        self, execution: Execution, *, exit_code: int, error_message: str = ""
    ) -> RunOutput:
        """End the output and summarise it."""
        sink = self._sinks.pop(execution.id, None)
        if sink is None:
            return RunOutput(exit_code=exit_code, error_msg=error_message)
        assert execution.job is not None, "only executions with their job are opened"
        is_published = bool(execution.job.task.publisher.kind) and not error_message
        if is_published or sink.has_files:
            code = exit_code if is_published else None
            await self._in_thread(lambda: self._collect(execution, sink, code))
        else:
            sink.close(ended=True)
        stdout, stdout_truncated = sink.summary(Stream.STDOUT)
        stderr, stderr_truncated = sink.summary(Stream.STDERR)
        return RunOutput(
            stdout=stdout,
            stdout_truncated=stdout_truncated,
            stderr=stderr,
            stderr_truncated=stderr_truncated,
            exit_code=exit_code,
            error_msg=error_message,
        )

    def _collect(self, execution: Execution, sink: FileSink, exit_code: int | None) -> None:
        """Close the output; with an exit code, complete the results for their publisher."""
        sink.close(ended=True)
        if exit_code is None:
            return
        results = self._output_root(execution.id) / "results"
        with disk("collect the output of the task"):
            results.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in FILE_NAMES.values():
                (results / name).touch(0o644)
            write_atomically(results / "exitCode", str(exit_code).encode())
            # The store would wait for room, and the results, which take it, for the store.
            check_room(results.parent)

    async def results(self, execution: Execution) -> Path | None:
        """Return the results directory of a collected execution."""
        results = self._output_root(execution.id) / "results"
        return results if (results / "exitCode").exists() else None

    async def discard(self, execution: Execution) -> None:
        """Remove inputs and results; the log stays."""
        sink = self._sinks.pop(execution.id, None)
        if sink is not None:
            sink.close(ended=True)
        await self._in_thread(lambda: self._discard(execution))

    def _discard(self, execution: Execution) -> None:
        input_root = self._input_root(execution)
        discard(input_root, self._output_root(execution.id) / "results")
        with contextlib.suppress(OSError):  # another execution of the job is there
            input_root.parent.rmdir()

    # -- leftovers ----------------------------------------------------------------------

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove what belongs to no live execution, and logs older than a day."""
        inputs, outputs = await self._in_thread(self._owned_directories)
        # Asked after looking: what has files by then and is not live will never be.
        inputs = [path for path in inputs if not is_live(ExecutionID(path.name))]
        outputs = [path for path in outputs if not is_live(ExecutionID(path.name))]
        await self._in_thread(lambda: self._sweep(inputs, outputs))

    def _owned_directories(self) -> tuple[list[Path], list[Path]]:
        """Return the directories of inputs and of output of all executions that have any."""
        with disk("look for files of executions that have ended"):
            jobs = [path for path in directories_in(self._root) if path.name != OUTPUT]
            for job in jobs:
                with contextlib.suppress(OSError):  # it has executions
                    job.rmdir()
            inputs = [path for job in jobs for path in directories_in(job)]
            return inputs, directories_in(self._root / OUTPUT)

    def _sweep(self, inputs: list[Path], outputs: list[Path]) -> None:
        oldest_ns = self._clock.now_ns() - LOG_RETENTION_SECONDS * 10**9
        for leftover in inputs:
            discard(leftover)
            with contextlib.suppress(OSError):  # another execution of the job is there
                leftover.parent.rmdir()
        for output in outputs:
            discard(output / "results")
            if max(last_change_ns(output / name) for name in ("logs", _LISTS)) < oldest_ns:
                discard(output)

    # -- logs ---------------------------------------------------------------------------

    def has_log(self, execution_id: ExecutionID) -> bool:
        """Tell whether output of this execution is, or was, written here."""
        return execution_id in self._sinks or self._log_directory(execution_id).is_dir()

    async def logs(self, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Stream output in the order of its writing."""
        sink = self._sinks.get(request.execution_id)
        directory = self._log_directory(request.execution_id)
        if request.follow and sink is not None:
            frames = self._follow(directory, sink, tail=request.tail)
        elif not request.tail:
            frames = self._read(LogReader(directory), sink.mark[1] if sink is not None else None)
        else:
            return
        async with contextlib.aclosing(frames):
            async for frame in frames:
                yield frame

    async def _read(
        self, reader: LogReader, until: tuple[int, int] | None
    ) -> AsyncGenerator[LogFrame, None]:
        """Read as far as is written, or to a position."""
        with contextlib.closing(reader):
            while not reader.ended and not (until is not None and reader.is_beyond(until)):
                found = await self._in_thread(lambda: _read_log(reader))
                if found is None:
                    return
                for frame in found:
                    yield frame

    async def _follow(
        self, directory: Path, sink: FileSink, *, tail: bool
    ) -> AsyncGenerator[LogFrame, None]:
        """Read until the output ends; from its start again when the engine repeats it."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        generation, end = sink.mark
        start = end if tail else (0, 0)
        with sink.watched(lambda: loop.call_soon_threadsafe(changed.set)):
            while True:
                reader = LogReader(directory, start=start)
                frames = self._follow_once(reader, sink, generation, changed)
                async with contextlib.aclosing(frames):
                    async for frame in frames:
                        yield frame
                if sink.generation == generation:
                    return
                generation, start = sink.generation, (0, 0)

    async def _follow_once(
        self, reader: LogReader, sink: FileSink, generation: int, changed: asyncio.Event
    ) -> AsyncGenerator[LogFrame, None]:
        """Read one generation of the output until it ends, or until another begins."""
        with contextlib.closing(reader):
            attached = await self._in_thread(lambda: _attach(reader, sink))
            while attached == generation and not reader.ended:
                changed.clear()
                was_open = sink.is_open
                found = await self._in_thread(lambda: _read_log(reader))
                if sink.generation != generation or (found is None and not was_open):
                    return
                for frame in found or ():
                    yield frame
                if found is None:
                    await changed.wait()

    # -- paths and threads --------------------------------------------------------------

    def _input_root(self, execution: Execution) -> Path:
        return self._root / directory_name(execution.job_id) / directory_name(execution.id)

    def _output_root(self, execution_id: ExecutionID) -> Path:
        return self._root / OUTPUT / directory_name(execution_id)

    def _log_directory(self, execution_id: ExecutionID) -> Path:
        return self._output_root(execution_id) / "logs"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run in the pool; when cancelled, wait for the end, so that nothing is half done."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # looked at, as nobody else will
            raise


def _attach(reader: LogReader, sink: FileSink) -> int:
    with disk("read the log"):
        return sink.attach(reader)


def _read_log(reader: LogReader) -> list[LogFrame] | None:
    with disk("read the log"):
        return reader.read()
