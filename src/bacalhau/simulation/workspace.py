"""A workspace without files: simulated tasks read and print nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.models import RunOutput
from bacalhau.ports.workspace import TaskFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from bacalhau.models import Execution, ExecutionID
    from bacalhau.ports import Stream, Volume
    from bacalhau.protocol.messages import LogFrame, LogRequest


class _Nowhere:
    """Drops all output (``ports.OutputSink``)."""

    def reset(self) -> None:
        """Do nothing."""

    def write(self, stream: Stream, data: bytes) -> None:
        """Drop a chunk."""


class SimulatedWorkspace:
    """Gives every execution what it asks for and keeps nothing (``ports.workspace.Workspace``)."""

    async def open(self, execution: Execution, *, inputs: int, resume: bool) -> TaskFiles:
        """Return directories that do not exist."""
        return TaskFiles(
            input_directories=tuple(Path(str(number)) for number in range(inputs)),
            volumes=None,
            outputs=(),
            sink=_Nowhere(),
        )

    async def keep_inputs(self, execution: Execution, volumes: tuple[Volume, ...]) -> None:
        """Do nothing."""

    async def keep_list(self, execution: Execution, name: str, lines: Iterable[bytes]) -> None:
        """Keep nothing of it."""
        for _ in lines:
            pass

    async def collect(
        self, execution: Execution, *, exit_code: int, error_message: str = ""
    ) -> RunOutput:
        """Return the exit code and no output."""
        return RunOutput(exit_code=exit_code, error_msg=error_message)

    async def results(self, execution: Execution) -> Path | None:
        """Return a directory that does not exist."""
        return Path(execution.id)

    async def discard(self, execution: Execution) -> None:
        """Do nothing."""

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Do nothing."""

    def has_log(self, execution_id: ExecutionID) -> bool:
        """Say no."""
        return False

    async def logs(self, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Yield nothing."""
        no_frames: tuple[LogFrame, ...] = ()
        for frame in no_frames:
            yield frame
