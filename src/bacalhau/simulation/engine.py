"""An engine whose tasks last as long as their parameters say, on a host that outlives the node.

Tasks live on the host, as containers do: they go on when the node's process dies, and the next
process finds them again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from bacalhau.errors import ExecutionError
from bacalhau.ports import TaskExit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from bacalhau.models import (
        ExecutionID,
        InputSource,
        JobID,
        NodeID,
        Resources,
        SpecConfig,
        Task,
    )
    from bacalhau.ports import PluginContext, TaskRun
    from bacalhau.simulation.oracle import Oracle

ENGINE_TYPE = "simulated"


@dataclass(slots=True)
class _Container:
    """One task on a host; ``ended`` is set when it is over."""

    execution_id: ExecutionID
    fails: bool
    is_retryable: bool
    timer: asyncio.TimerHandle
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class AttemptCounter:
    """Counts the attempts at each job in the whole cluster, so that the first ones can fail."""

    def __init__(self) -> None:
        self._attempts: dict[JobID, int] = {}

    def next(self, job_id: JobID) -> int:
        """Return the number, from 1, of the attempt that begins."""
        self._attempts[job_id] = self._attempts.get(job_id, 0) + 1
        return self._attempts[job_id]


class TaskHost:
    """The machine under one compute node: its tasks go on whatever happens to the process.

    ``start_seconds`` pass before a task begins, and ``stop_seconds`` before one that is told to
    stop does so.
    """

    def __init__(
        self,
        node_id: NodeID,
        oracle: Oracle,
        attempts: AttemptCounter,
        note: Callable[[str], None],
        *,
        start_seconds: float = 0.0,
        stop_seconds: float = 0.0,
    ) -> None:
        self.start_seconds = start_seconds
        self.stop_seconds = stop_seconds
        self._node_id = node_id
        self._oracle = oracle
        self._attempts = attempts
        self._note = note
        self._containers: dict[ExecutionID, _Container] = {}

    def __contains__(self, execution_id: object) -> bool:
        return execution_id in self._containers

    def container(self, run: TaskRun) -> _Container:
        """Find the container of an execution, or start one."""
        found = self._containers.get(run.execution_id)
        if found is not None:
            self._note(f"{self._node_id} joins task {run.execution_id}")
            return found
        params = run.engine.params
        number, failing = self._attempts.next(run.job_id), int(params["failing_attempts"])
        timer = asyncio.get_running_loop().call_later(
            float(params["seconds"]), self._end, run.execution_id
        )
        container = _Container(
            run.execution_id, number <= failing, bool(params["retryable"]), timer
        )
        self._containers[run.execution_id] = container
        again = " after a failure" if failing and number > 1 else ""
        self._note(f"{self._node_id} starts task {run.execution_id}{again}")
        self._oracle.task_started(self._node_id, run.execution_id, run.resources)
        return container

    def remove(self, execution_id: ExecutionID) -> None:
        """Stop a container if it runs, and forget it."""
        container = self._containers.pop(execution_id, None)
        if container is not None:
            container.timer.cancel()
            self._note(f"{self._node_id} removes task {execution_id}")
            self._oracle.task_ended(self._node_id, execution_id)

    def keep_only(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove all containers but those of live executions."""
        for execution_id in tuple(self._containers):
            if not is_live(execution_id):
                self.remove(execution_id)

    def shut_down(self) -> None:
        """Stop everything, as the loss of power does."""
        self.keep_only(lambda _: False)

    def _end(self, execution_id: ExecutionID) -> None:
        self._note(f"{self._node_id} ends task {execution_id}")
        self._oracle.task_ended(self._node_id, execution_id)
        self._containers[execution_id].ended.set()


class SimulatedEngine:
    """One process's hold on its host (``ports.Engine``)."""

    outlives_process: ClassVar[bool] = True
    writes_inputs: ClassVar[bool] = True

    def __init__(self, host: TaskHost) -> None:
        self._host = host
        self._is_dead = False
        self._lets_go = False

    def kill(self) -> None:
        """Die with the process: from now on nothing happens to the containers."""
        self._is_dead = True

    def let_go(self) -> None:
        """Leave containers running from now on, for the next process."""
        self._lets_go = True

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Accept all parameters."""
        return ()

    @classmethod
    def extra_inputs(cls, engine: SpecConfig) -> Sequence[InputSource]:
        """Ask for no inputs."""
        return ()

    @classmethod
    def open(cls, context: PluginContext) -> AbstractAsyncContextManager[SimulatedEngine]:
        """Refuse: a simulated engine is made with its host."""
        raise NotImplementedError("a simulated engine is made with its host")

    async def is_available(self) -> bool:
        """Say yes."""
        return True

    async def refusal(self, task: Task, resources: Resources) -> str:
        """Refuse nothing."""
        return ""

    async def run(self, run: TaskRun) -> TaskExit:
        """Run a task to its end, or join the one that an earlier process left.

        Raises:
            ExecutionError: the task's parameters wanted this attempt to fail.
        """
        container = await self._run_container(run)
        if container.fails:
            raise ExecutionError(
                "the task failed as it was meant to",
                component="Simulation",
                retryable=container.is_retryable,
            )
        return TaskExit(exit_code=0)

    async def _run_container(self, run: TaskRun) -> _Container:
        try:
            await asyncio.sleep(self._host.start_seconds)
            container = self._host.container(run)
            await container.ended.wait()
        except asyncio.CancelledError:
            if not (self._is_dead or self._lets_go):
                try:
                    await asyncio.sleep(self._host.stop_seconds)
                finally:
                    self._host.remove(run.execution_id)
            raise
        return container

    async def holds(self, execution_id: ExecutionID) -> bool:
        """Tell whether the host has a container of this execution."""
        return execution_id in self._host

    async def forget(self, execution_id: ExecutionID) -> None:
        """Remove the container of an execution."""
        if not self._is_dead:
            self._host.remove(execution_id)

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove the containers of executions that are not live."""
        if not self._is_dead:
            self._host.keep_only(is_live)
