"""An engine without programs: what a task does is written in its parameters.

It waits through the event loop only, so that it runs in a simulation, where time is virtual and a
seed decides. Parameters, all optional::

    Stdout, Stderr   text that is printed at the start
    Print            ["args" | "env:NAME" | "file:PATH"]: what else is printed, a line each
    Copy             {"/inputs/a": "/outputs/b"}: files that are copied at the start
    Seconds          how long the task takes; a negative number means for ever
    ExitCode         how it ends
    Failure          fail with this message instead; FailureCode, Retryable say how
    Arguments, EnvironmentVariables   as other engines have them
"""

from __future__ import annotations

import asyncio
import math
import posixpath
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import msgspec

from bacalhau.errors import ExecutionError, ForeignCode, TransientError
from bacalhau.models.decode import decode_params, ignored_params
from bacalhau.models.params import ParamsModel
from bacalhau.ports.engine import Stream, TaskExit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from bacalhau.models import ExecutionID, InputSource, Resources, SpecConfig, Task
    from bacalhau.ports import Clock, PluginContext, TaskRun


class FakeParams(ParamsModel, frozen=True, kw_only=True):
    """What a task does; see the module."""

    stdout: str = ""
    stderr: str = ""
    print: list[str] = msgspec.field(default_factory=list)
    copy: dict[str, str] = msgspec.field(default_factory=dict)
    seconds: float = 0
    exit_code: int = 0
    failure: str = ""
    failure_code: str = ""
    retryable: bool = False
    arguments: list[str] = msgspec.field(default_factory=list)
    environment_variables: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class FakeMachine:
    """What outlives the process of a node: the tasks that run on it.

    Attributes:
        ends: When each task that is there ends, or has ended, in seconds of the clock.
        started: Every start, in order; an execution that is joined does not start again.
        refuses: A reason to refuse every task, or empty.
        is_available: What the engine tells about itself.
    """

    ends: dict[ExecutionID, float] = field(default_factory=dict)
    started: list[ExecutionID] = field(default_factory=list)
    refuses: str = ""
    is_available: bool = True


class FakeEngine:
    """The engine; give two of them one machine to let the second find the tasks of the first."""

    outlives_process: ClassVar[bool] = True
    writes_inputs: ClassVar[bool] = True

    def __init__(self, clock: Clock, machine: FakeMachine | None = None) -> None:
        self.machine = FakeMachine() if machine is None else machine
        self._clock = clock
        self._lets_go = self._is_crashed = False

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters and return warnings; see ``ports.Plugin``."""
        decode_params(FakeParams, spec)
        return ignored_params("engine", FakeParams, spec)

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[FakeEngine]:
        """Make an engine on a machine of its own."""
        yield cls(context.clock)

    @classmethod
    def extra_inputs(cls, engine: SpecConfig) -> Sequence[InputSource]:
        """Return nothing: there are no modules."""
        del engine
        return ()

    def crash(self) -> None:
        """Let the process die: from now on nothing happens to the tasks."""
        self._lets_go = self._is_crashed = True

    def let_go(self) -> None:
        """Leave tasks running from now on, for the next engine on this machine."""
        self._lets_go = True

    async def is_available(self) -> bool:
        """Tell what the machine is set to."""
        return self.machine.is_available

    async def refusal(self, task: Task, resources: Resources) -> str:
        """Refuse for the reason that the machine is set to, if any."""
        del task, resources
        return self.machine.refuses

    async def run(self, run: TaskRun) -> TaskExit:
        """Do what the parameters say, or join a task that the machine runs already."""
        params = decode_params(FakeParams, run.engine)
        run.sink.reset()
        if run.execution_id not in self.machine.ends:
            self._start(params, run)
        _print(params, run)
        try:
            await self._wait(run.execution_id)
        except asyncio.CancelledError:
            if not self._lets_go:
                self.machine.ends.pop(run.execution_id, None)
            raise
        if params.failure:
            raise _failure(params)
        return TaskExit(exit_code=params.exit_code)

    async def holds(self, execution_id: ExecutionID) -> bool:
        """Tell whether the machine has a task of this execution, also one that has ended."""
        return execution_id in self.machine.ends

    async def forget(self, execution_id: ExecutionID) -> None:
        """Remove the task of an execution."""
        if not self._is_crashed:
            self.machine.ends.pop(execution_id, None)

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Stop the tasks of executions that are not live."""
        for execution_id in sorted(self.machine.ends):
            if not is_live(execution_id):
                del self.machine.ends[execution_id]

    def _start(self, params: FakeParams, run: TaskRun) -> None:
        self.machine.started.append(run.execution_id)
        seconds = math.inf if params.seconds < 0 else params.seconds
        self.machine.ends[run.execution_id] = self._clock.monotonic() + seconds
        for source, target in params.copy.items():
            content = _node_path(source, run).read_bytes()
            _node_path(target, run).write_bytes(content)

    async def _wait(self, execution_id: ExecutionID) -> None:
        end = self.machine.ends[execution_id]
        if math.isinf(end):
            await asyncio.Event().wait()
        await asyncio.sleep(max(0.0, end - self._clock.monotonic()))


def _print(params: FakeParams, run: TaskRun) -> None:
    run.sink.write(Stream.STDOUT, params.stdout.encode())
    run.sink.write(Stream.STDERR, params.stderr.encode())
    env = run.env | params.environment_variables
    for wanted in params.print:
        kind, _, name = wanted.partition(":")
        match kind:
            case "args":
                text = "\n".join(params.arguments).encode()
            case "env":
                text = env.get(name, "").encode()
            case "file":
                text = _node_path(name, run).read_bytes()
            case _:
                raise ExecutionError(f'cannot print "{wanted}"', component="FakeEngine")
        run.sink.write(Stream.STDOUT, text + b"\n")


def _node_path(path: str, run: TaskRun) -> Path:
    """Return where a path of the task is on the node: in the mount with the longest target."""
    for volume in sorted((*run.inputs, *run.outputs), key=lambda each: -len(each.target)):
        inside = posixpath.relpath(path, volume.target)
        if not inside.startswith(".."):
            return volume.path / inside
    raise ExecutionError(f'nothing is mounted at "{path}"', component="FakeEngine")


def _failure(params: FakeParams) -> ExecutionError | TransientError:
    kind = TransientError if params.retryable else ExecutionError
    return kind(
        params.failure, code=ForeignCode(params.failure_code) or None, component="FakeEngine"
    )
