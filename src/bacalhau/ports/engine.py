"""Running a task (spec engines.md 1)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from bacalhau.ports.plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from bacalhau.models import (
        ExecutionID,
        InputSource,
        JobID,
        NetworkConfig,
        Resources,
        SpecConfig,
        Task,
    )
    from bacalhau.ports.plugin import PluginContext, Volume


class Stream(enum.IntEnum):
    """The two outputs of a task; the numbers are those of Docker's frames."""

    STDOUT = 1
    STDERR = 2


class OutputSink(Protocol):
    """Where a task's output goes while it runs."""

    def reset(self) -> None:
        """Drop what was written: the engine is going to repeat the output from its start."""
        ...

    def write(self, stream: Stream, data: bytes) -> None:
        """Append a chunk. Blocks for a local disk write; call from a thread for large amounts."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRun:
    """Everything an engine needs to run one task.

    ``inputs`` are the prepared sources, those from ``extra_inputs`` included; parents come before
    what is nested in them. ``outputs`` are empty directories of the node, one a result path.
    ``env`` is the complete environment given by job and system; the engine's own parameters win
    over it, except for names that start with ``BACALHAU_``.
    ``disk_bytes`` is how much the task may write, 0 for as much as it likes.
    """

    execution_id: ExecutionID
    job_id: JobID
    engine: SpecConfig
    env: dict[str, str]
    resources: Resources
    network: NetworkConfig
    inputs: tuple[Volume, ...]
    outputs: tuple[Volume, ...]
    sink: OutputSink
    disk_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskExit:
    """How a task ended. Any exit code is a success (spec engines.md 1.5)."""

    exit_code: int


class Engine(Plugin, Protocol):
    """A way to run tasks.

    Attributes:
        outlives_process: Whether the next process of the node may join a task of this one; its
            inputs are kept for that.
        writes_inputs: Whether tasks can write into their inputs, where a volume is not read-only.
    """

    outlives_process: ClassVar[bool]
    writes_inputs: ClassVar[bool]

    @classmethod
    def open(cls, context: PluginContext) -> AbstractAsyncContextManager[Engine]:
        """Make a live instance; leaving the context closes it."""
        ...

    @classmethod
    def extra_inputs(cls, engine: SpecConfig) -> Sequence[InputSource]:
        """Return sources that the engine needs beside the task's own, such as a module."""
        ...

    async def refusal(self, task: Task, resources: Resources) -> str:
        """Return why this node cannot run the task, or an empty text.

        The text completes the sentence "this node does not ..." (spec orchestration.md 6.2).

        Raises:
            BacalhauError: the question could not be answered, such as a missing image.
        """
        ...

    async def run(self, run: TaskRun) -> TaskExit:
        """Run a task to its end, or join the one that an earlier process left.

        What has ended may stay until ``forget``: a node that is killed before it has noted the end
        joins the task once more, and does not run it twice.

        Cancellation: the task is stopped with the engine's grace period, and nothing of it is left
        when ``CancelledError`` leaves this method. After ``let_go`` a task that the next process
        can join is left as it is.

        Raises:
            ExecutionError: the task could not start, or ran out of memory.
            TransientError: the engine itself is unwell; another node may do better.
        """
        ...

    async def holds(self, execution_id: ExecutionID) -> bool:
        """Tell whether ``run`` would join a task of this execution instead of starting one.

        Raises:
            TransientError: the engine is unwell and cannot tell.
        """
        ...

    async def forget(self, execution_id: ExecutionID) -> None:
        """Remove what is left of an execution whose end has been noted.

        What cannot be removed now is left to the sweep.
        """
        ...

    def let_go(self) -> None:
        """Prepare for the end of the process: tasks that can outlive it are not stopped any more.

        The next process of this node joins them.
        """
        ...

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove what this node left of executions that are not live.

        May be called while tasks run and start. Other nodes' tasks are not touched, nor those of a
        node with the same name and another data directory.

        Raises:
            TransientError: the engine is unwell.
        """
        ...
