"""One task in its container, from the start to the exit (spec engines.md 2.10)."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import structlog

from bacalhau.engines.docker.daemon import CONNECT_SECONDS, stream
from bacalhau.engines.docker.errors import COMPONENT, docker_error, translated
from bacalhau.engines.docker.kernel import memory_kills
from bacalhau.engines.docker.output import OutputCopy, attach, ends_in_a_line, logs
from bacalhau.engines.docker.start import start_error, start_failure
from bacalhau.errors import BacalhauError, Code, ExecutionError, TransientError
from bacalhau.lib.parallel import ungrouped
from bacalhau.lib.timestamps import parse_rfc3339
from bacalhau.ports import TaskExit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import ThreadPoolExecutor

    import aiodocker
    from aiodocker.containers import DockerContainer

    from bacalhau.engines.docker.daemon import Daemon
    from bacalhau.ports import TaskRun

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_ASK_AGAIN_SECONDS = 30.0
_LAST_OUTPUT_SECONDS = 10.0
_LOGS_SECONDS = 300.0
_STOP_MARGIN_SECONDS = 10.0
_EVENT_SECONDS = 1
_KILL, _OUT_OF_MEMORY = "kill", "oom"
"""Events of the daemon."""

_KILLED = 137
_ENDED_FROM_OUTSIDE = frozenset({137, 143, 255})
"""SIGKILL, SIGTERM, and what a daemon notes that found the container dead."""

_NOT_FOUND = 404


@dataclass(kw_only=True, slots=True)
class ContainerTask:
    """A container that runs, or is about to run, a task.

    Attributes:
        is_let_go: Tells whether a cancelled task is to be left running.
        was_away: For a while nobody saw the container: the daemon could not be reached, or the node
            was away when it ended.
        kills_before: What ``memory_kills`` said when the container had certainly not ended.
    """

    docker: aiodocker.Docker
    daemon: Daemon
    container: DockerContainer
    run: TaskRun
    image: str
    pool: ThreadPoolExecutor
    grace_seconds: float
    is_let_go: Callable[[], bool]
    was_away: bool = False
    kills_before: int = field(default_factory=memory_kills)

    async def start(self) -> TaskExit:
        """Start the container and see it through to its end.

        Raises:
            ExecutionError: it cannot start, or ran out of memory.
            TransientError: the daemon is unwell.
        """
        output = OutputCopy(self.run.sink, self.pool)
        with translated("attach to the container"):
            async with attach(self.docker, self.container.id) as response:
                with translated("start the container", self._start_error):
                    await self.container.start()
                exit_code, is_complete = await self._observe(output, response)
        if exit_code == 0 and is_complete:
            return TaskExit(exit_code=0)  # There is nothing more to know.
        return await self._end(output, is_complete=is_complete)

    def _start_error(self, exc: aiodocker.DockerError) -> BacalhauError:
        return start_error(exc, self.image)

    async def join(self) -> TaskExit:
        """See a container through to its end that runs already, or has ended.

        Raises:
            ExecutionError: it could not start, or ran out of memory.
            TransientError: the daemon is unwell.
        """
        output = OutputCopy(self.run.sink, self.pool)
        with translated("read the container's logs"):
            async with logs(self.docker, self.container.id, follow=True) as response:
                _, is_complete = await self._observe(output, response)
            is_complete = is_complete and await ends_in_a_line(self.docker, self.container.id)
        return await self._end(output, is_complete=is_complete)

    async def _observe(
        self, output: OutputCopy, response: aiohttp.ClientResponse
    ) -> tuple[int, bool]:
        """Copy output until the container exits; return its code, and whether all of it has come.

        Cancellation: the container is stopped, and what it prints until then is copied, too. One
        that was let go is left alone.
        """
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                copying = group.create_task(output.copy(response))
                try:
                    exit_code = await self._patiently(self._wait_exit)
                except asyncio.CancelledError:
                    if not self.is_let_go():
                        await self._stop()
                        await asyncio.wait([copying], timeout=_LAST_OUTPUT_SECONDS)
                    raise
                await _wait_progress(copying, output)
                if not copying.done():
                    copying.cancel()
                    return exit_code, False
                return exit_code, copying.result() and not self.was_away

    async def _wait_exit(self) -> int:
        """Wait until the container does not run, asking again now and then; return its code."""
        with translated("wait for the container"):
            while True:
                kills = memory_kills()
                try:
                    async with asyncio.timeout(_ASK_AGAIN_SECONDS):
                        answer = await self.container.wait()
                    return -1 if answer.get("Error") else int(answer["StatusCode"])
                except TimeoutError:
                    self.kills_before = kills

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Take a step, again and again while the daemon is away.

        Raises:
            TransientError: it stays away.
        """
        while True:
            try:
                return await step()
            except TransientError as exc:
                await self.daemon.wait_back(exc)
                self.was_away = True

    async def _end(self, output: OutputCopy, *, is_complete: bool) -> TaskExit:
        async def read_end() -> tuple[dict[str, Any], OutputCopy]:
            with translated("read the container's end", _end_error):
                state: dict[str, Any] = (await self.container.show())["State"]
                if is_complete and not self.was_away:
                    return state, output
                return state, await self._repeat_output()

        state, complete = await self._patiently(read_end)
        cause = await self._patiently(lambda: self._cause_of_end(state))
        if cause == _KILL:
            raise TransientError(
                "the task was ended from outside, as by a restart of the Docker daemon",
                code=Code.DAEMON_RESTARTED,
                component=COMPONENT,
            )
        if cause == _OUT_OF_MEMORY:
            state = {**state, "OOMKilled": True}
        return task_exit(state, self.run, complete.stderr_head, self.image)

    async def _cause_of_end(self, state: dict[str, Any]) -> str:
        """Return what ended the container that ``state`` does not tell; empty if it does.

        ``_KILL``: it was stopped by the daemon that ends, or by a person. Nothing of what it did
        counts then. A program may also end with such a code by itself; where nobody saw it, it is
        run again to find out. One that runs has ended, and was started again.

        ``_OUT_OF_MEMORY``: the daemon heard of that after it had heard of the end, or not at all.
        """
        if state.get("Running"):
            return _KILL
        if int(state.get("ExitCode", 0)) not in _ENDED_FROM_OUTSIDE or state.get("OOMKilled"):
            return ""
        if self.was_away:
            return _KILL
        event = await self._event_at_end(state)
        if not event and self._was_killed_by_kernel(state):
            return _OUT_OF_MEMORY
        return event

    def _was_killed_by_kernel(self, state: dict[str, Any]) -> bool:
        """Tell whether the kernel has killed for want of memory while the container was ending.

        A daemon never hears of that where the container's control group is gone before it is looked
        at: of 120 that ran out of memory 3 were not told of (containerd 1.6, cgroup v1). That the
        task ended itself with the same code, within a minute of another, is by far less likely.
        """
        return state.get("ExitCode") == _KILLED and memory_kills() > self.kills_before

    async def _event_at_end(self, state: dict[str, Any]) -> str:
        """Return what the daemon has noted that ended the container, if it has noted anything."""
        wanted = {"container": [self.container.id], "event": [_KILL, _OUT_OF_MEMORY]}
        params = {
            "since": _unix_time(state["StartedAt"]),
            # It does so some time after it has sent the signal, or has heard of the end.
            "until": _unix_time(state["FinishedAt"], later_seconds=_EVENT_SECONDS),
            "filters": json.dumps(wanted),
        }
        with translated("read the container's events"):
            async with stream(self.docker, "GET", "events", params=params) as response:
                line = await response.content.readline()
        return str(json.loads(line)["Action"]) if line else ""

    async def _repeat_output(self) -> OutputCopy:
        self.run.sink.reset()
        output = OutputCopy(self.run.sink, self.pool)
        async with (
            asyncio.timeout(_LOGS_SECONDS),
            logs(self.docker, self.container.id, follow=False) as response,
        ):
            if not await output.copy(response):
                _log.warning("task_output_incomplete", execution_id=self.run.execution_id)
        return output

    async def _stop(self) -> None:
        """Ask the container to end, and kill it after the grace period."""
        grace = math.ceil(self.grace_seconds)
        limit = aiohttp.ClientTimeout(
            total=grace + _STOP_MARGIN_SECONDS, sock_connect=CONNECT_SECONDS
        )
        try:
            with translated("stop the container"):
                await self.container.stop(t=grace, timeout=limit)
        except BacalhauError as exc:
            # It is removed by force in any case.
            _log.warning(
                "container_stop_failed", execution_id=self.run.execution_id, error=exc.message
            )


def _unix_time(moment: str, *, later_seconds: int = 0) -> str:
    """Return a time as the daemon takes it in a request: seconds and nanoseconds."""
    seconds, nanoseconds = divmod(parse_rfc3339(moment), 1_000_000_000)
    return f"{seconds + later_seconds}.{nanoseconds:09d}"


def _end_error(exc: aiodocker.DockerError) -> BacalhauError:
    if exc.status != _NOT_FOUND:
        return docker_error(exc, "read the container's end")
    return TransientError(
        "the task's container was removed by somebody else",
        code=Code.CONTAINER_NOT_FOUND,
        component=COMPONENT,
        details={"Reason": exc.message},
    )


async def _wait_progress(copying: asyncio.Task[bool], output: OutputCopy) -> None:
    """Wait for the rest of the output, as long as some comes."""
    while not copying.done():
        before = output.copied_bytes
        await asyncio.wait([copying], timeout=_LAST_OUTPUT_SECONDS)
        if output.copied_bytes == before:
            return


def task_exit(state: dict[str, Any], run: TaskRun, stderr_head: bytes, image: str) -> TaskExit:
    """Judge how a container ended; ``stderr_head`` is the beginning of its standard error.

    Only a task that was itself killed for want of memory has failed; the daemon also tells when
    it was a process beside it.

    Raises:
        ExecutionError: code ``MemoryLimitExceeded``; or the program could not start.
    """
    exit_code = int(state.get("ExitCode", 0))
    if failure := start_failure(exit_code, stderr_head, image):
        raise failure
    if not state.get("OOMKilled"):
        return TaskExit(exit_code=exit_code)
    if exit_code != _KILLED:
        _log.warning("task_process_out_of_memory", execution_id=run.execution_id)
        return TaskExit(exit_code=exit_code)
    limit = run.resources.memory
    raise ExecutionError(
        f"memory limit exceeded: the task had used all of its {limit / 1e6:.0f} MB and needs more",
        code=Code.MEMORY_EXCEEDED,
        hint="raise Resources.Memory of the task",
        component=COMPONENT,
        details={"ExitCode": str(exit_code)},
    )


async def unbroken(step: Awaitable[T]) -> T:
    """Take a short step to its end, also when cancelled meanwhile; then be cancelled.

    Cancellation: arrives when the step has ended, however it did.
    """
    was_cancelled = False
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_outcome(step))
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                was_cancelled = True
    if was_cancelled:
        raise asyncio.CancelledError
    result, error = task.result()
    if error is not None:
        raise error
    assert result is not None
    return result[0]


async def _outcome(step: Awaitable[T]) -> tuple[tuple[T] | None, BacalhauError | None]:
    try:
        return (await step,), None
    except BacalhauError as exc:
        return None, exc
