"""The files of executions on a compute node (spec engines.md 1.3, 1.4, 1.9, 6.3; storage.md 1.4).

Each execution has a directory for every input, a results directory that is published as it is, and
a log, which outlives both for as long as the retention says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from bacalhau.models import Execution, ExecutionID, RunOutput
    from bacalhau.ports.engine import OutputSink
    from bacalhau.ports.plugin import Volume
    from bacalhau.protocol.messages import LogFrame, LogRequest

STDOUT_FILE_LIMIT_BYTES = 2**30
"""How much of each stream is kept as a result; the rest is read and dropped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFiles:
    """The directories of one execution.

    ``input_directories`` are empty, one for each input that was asked for. ``volumes`` are the
    inputs that an earlier process of this node prepared to the end, or None; a task that it left
    running has them mounted, so they are used again instead.
    """

    input_directories: tuple[Path, ...]
    volumes: tuple[Volume, ...] | None
    outputs: tuple[Volume, ...]
    sink: OutputSink


class Workspace(Protocol):
    """A place for the files of executions."""

    async def open(self, execution: Execution, *, inputs: int, resume: bool) -> TaskFiles:
        """Make the directories of an execution, which carries its job, and begin its output anew.

        ``resume`` False removes what was there. True keeps prepared inputs and result paths, for
        a task that an earlier process left.

        Raises:
            ValidationError: the name of a result path leads out of the results directory.
            TransientError: the disk refuses.
        """
        ...

    async def keep_inputs(self, execution: Execution, volumes: tuple[Volume, ...]) -> None:
        """Note durably that all inputs are prepared; ``open`` returns them after a crash."""
        ...

    async def keep_list(self, execution: Execution, name: str, lines: Iterable[bytes]) -> None:
        """Write a long list about an execution beside its log, for as long as that is kept.

        ``lines`` is gone through once, in a thread, and to its end whether the disk takes it or
        not. A list of the same name is replaced once the new one is complete.

        Raises:
            TransientError: the disk refuses.
        """
        ...

    async def collect(
        self, execution: Execution, *, exit_code: int, error_message: str = ""
    ) -> RunOutput:
        """End the output and summarise it: the first 2,048 bytes of each stream.

        The file ``exitCode`` joins the results unless there is an error message. Output that
        comes later is dropped. An execution that was never opened gives an empty summary.
        """
        ...

    async def results(self, execution: Execution) -> Path | None:
        """Return the results directory of a collected execution, or None when it is gone."""
        ...

    async def discard(self, execution: Execution) -> None:
        """Remove inputs and results; the log stays. What cannot be removed waits for the sweep."""
        ...

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove what belongs to no live execution, and logs older than the retention.

        ``is_live`` is asked in the event loop about executions that have files. May be called
        while others are opened and discarded.
        """
        ...

    def has_log(self, execution_id: ExecutionID) -> bool:
        """Tell whether output of this execution is, or was, written here."""
        ...

    def logs(self, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Stream output in the order of its writing.

        Ends at the end of the output; without ``follow`` at what was written when it began; with
        ``tail`` begins there instead.
        """
        ...
