"""One execution from its inputs to its published results (spec orchestration.md 6.4)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from bacalhau.compute.environment import environment_of
from bacalhau.compute.failures import COMPONENT, defects_contained, told_as
from bacalhau.compute.inputs import fetch, inputs_of, share_of, volumes_of
from bacalhau.compute.moves import COMPLETED_TEXT, Move
from bacalhau.compute.provenance import Scribe
from bacalhau.errors import BacalhauError, Code, ExecutionError, InternalError, NotSupportedError
from bacalhau.lib.parallel import ungrouped
from bacalhau.lib.units import format_duration
from bacalhau.lifecycle.events import TIMEOUT_HINT, error_event, event
from bacalhau.lifecycle.local import Refusal, Step
from bacalhau.models import AllocatedResources, ComputeState, Job, RunOutput, SpecConfig, Topic
from bacalhau.models.capacity import task_resources
from bacalhau.ports import TaskRun

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bacalhau.compute.plugins import Plugins
    from bacalhau.compute.records import Records
    from bacalhau.compute.watches import Watches
    from bacalhau.models import InputSource, Resources
    from bacalhau.models.provenance import InputRecord
    from bacalhau.ports import Clock, Engine, LocalExecution, Published, Volume
    from bacalhau.ports.workspace import TaskFiles, Workspace

JOIN_SECONDS = 3.0
"""How long an execution whose time was up while the node was away may take to tell its end."""

NOTED_AFTER_SECONDS = 1.0
"""How long inputs may take to fetch before it is noted when that began, at the cost of a write."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What every attempt on this node works with."""

    records: Records
    plugins: Plugins
    workspace: Workspace
    clock: Clock
    watches: Watches
    read_timeout_seconds: float


class Attempt:
    """Carries one execution from the state it is in to its end.

    A record found in Running was interrupted by the end of an earlier process. If the engine still
    holds the task, its prepared inputs and result paths are used again, and the task is joined;
    else it starts anew, with nothing of what it had written. A record found in Publishing has only
    its results to publish.

    ``held`` is what the execution has of the node, with the GPUs that were chosen for it.
    """

    def __init__(self, record: LocalExecution, around: Surroundings, held: Resources) -> None:
        assert record.execution.job is not None, "a bid is only made for an execution with a job"
        self._record = record
        self._job: Job = record.execution.job
        self._task = self._job.task
        self._around = around
        self._held = held
        self._topic = Topic.RUNNING_EXECUTION
        self._run_output = record.run_output
        self._scribe = Scribe(record.execution, around.workspace)
        self._inputs: tuple[InputRecord, ...] = ()
        self._started_at_ns = record.started_at_ns or around.clock.now_ns()

    async def carry_out(self) -> None:
        """Work until the execution has ended, in success or failure.

        Its files stay; see ``clean_up``.

        Cancellation: the task is stopped, or left running once the engines have let go. The record
        keeps its state, so that the execution goes on at the next start unless somebody has ended
        it.
        """
        began = self._around.clock.monotonic()
        last = await self._last_move()
        if last is not None:
            after = await self._around.records.advance(
                self._record.id, last, lambda: self._make_room(last)
            )
            self._log_end(after, last, self._around.clock.monotonic() - began)

    async def _last_move(self) -> Move | None:
        """Do all the work; None means that the execution was ended meanwhile."""
        limit_seconds = self._time_limit_seconds()
        try:
            async with asyncio.timeout(self._time_left_seconds(limit_seconds)):
                with defects_contained(self._record.id):
                    return await self._work()
        except TimeoutError:
            assert limit_seconds is not None, "only a limit ends in time"
            return await self._failure(_timed_out(limit_seconds))
        except BacalhauError as exc:
            return await self._failure(exc)

    def _time_limit_seconds(self) -> int | None:
        if self._job.type.is_long_running:
            return None
        return self._task.timeouts.effective_execution_timeout or None

    def _time_left_seconds(self, limit_seconds: int | None) -> float | None:
        """Return what an earlier process has left of the time, but enough to find out how it went.

        Only the wall clock outlives a process. Where it was set back, nothing counts as spent.
        """
        if limit_seconds is None:
            return None
        spent_ns = self._around.clock.now_ns() - self._started_at_ns
        return max(limit_seconds - max(0, spent_ns) / 1e9, min(limit_seconds, JOIN_SECONDS))

    async def _work(self) -> Move | None:
        if self._record.state is not ComputeState.PUBLISHING and not await self._run_task():
            return None
        published, outputs = SpecConfig(), None
        if self._task.publisher.kind:
            if not await self._enter_publishing():
                return None
            found = await self._publish()
            published, outputs = found.spec, await self._scribe.outputs(found)
        return Move(
            step=Step.COMPLETED,
            event=event(self._around.clock.now_ns(), Topic.EXECUTION, COMPLETED_TEXT),
            run_output=self._run_output,
            published_result=published,
            outputs=outputs,
            tells=True,
        )

    # -- running ------------------------------------------------------------------------

    async def _run_task(self) -> bool:
        engine = self._around.plugins.engines.find(self._task.engine.kind)
        if engine is None:
            raise _not_supported(self._task.engine.kind)
        files, volumes = await self._prepare(engine)
        if not await self._enter(self._started()):
            return False
        ended = await engine.run(self._task_run(files, volumes))
        self._run_output = await self._around.workspace.collect(
            self._record.execution, exit_code=ended.exit_code
        )
        return True

    def _started(self) -> Move:
        """Note which GPUs the task gets, which it keeps over restarts, and what it is to read."""
        held = AllocatedResources(tasks={self._task.name: self._held}) if self._held.gpus else None
        return Move(
            step=Step.STARTED,
            started_at_ns=self._started_at_ns,
            allocated=held,
            inputs=self._inputs,
        )

    async def _prepare(self, engine: Engine) -> tuple[TaskFiles, tuple[Volume, ...]]:
        workspace, execution = self._around.workspace, self._record.execution
        inputs = inputs_of(self._task, self._around.plugins)
        resume = self._record.state is ComputeState.RUNNING and await engine.holds(execution.id)
        with told_as("preparing arguments: "), defects_contained(self._record.id):
            files = await workspace.open(execution, inputs=len(inputs), resume=resume)
            if files.volumes is not None:
                return files, files.volumes
            volumes = await self._fetch(inputs, files, engine)
            if engine.outlives_process:
                await workspace.keep_inputs(execution, volumes)
            return files, volumes

    async def _fetch(
        self, inputs: Sequence[InputSource], files: TaskFiles, engine: Engine
    ) -> tuple[Volume, ...]:
        share = share_of(self._record.execution, self._job)
        with ungrouped(), self._around.watches.inputs_of(self._record.id) as watch:
            async with asyncio.TaskGroup() as group:
                noting = group.create_task(self._note_start())
                prepared = await fetch(
                    inputs,
                    files.input_directories,
                    self._around.plugins.sources,
                    replace(share, is_read_only=not engine.writes_inputs),
                    limit_seconds=self._around.read_timeout_seconds,
                    watch=watch,
                )
                noting.cancel()
            self._inputs = await self._scribe.inputs(prepared)
            return volumes_of(prepared)

    async def _note_start(self) -> None:
        """Note durably when the time began to count, where that may be needed."""
        if not self._record.started_at_ns and self._time_limit_seconds() is not None:
            await asyncio.sleep(NOTED_AFTER_SECONDS)
            await self._enter(Move(step=Step.BEGUN, started_at_ns=self._started_at_ns))

    def _task_run(self, files: TaskFiles, volumes: tuple[Volume, ...]) -> TaskRun:
        execution = self._record.execution
        return TaskRun(
            execution_id=execution.id,
            job_id=self._job.id,
            engine=self._task.engine,
            env=environment_of(self._task, self._job, execution),
            resources=self._held,
            disk_bytes=task_resources(self._task).disk,
            network=self._task.network,
            inputs=volumes,
            outputs=files.outputs,
            sink=files.sink,
        )

    # -- publishing ---------------------------------------------------------------------

    async def _enter_publishing(self) -> bool:
        entered = self._record.state is ComputeState.PUBLISHING or await self._enter(
            Move(step=Step.TASK_ENDED, run_output=self._run_output),
            lambda: _forget(self._record, self._around),
        )
        self._topic = Topic.PUBLISHING_RESULTS
        return entered

    async def _publish(self) -> Published:
        publisher = self._around.plugins.publishers.find(self._task.publisher.kind)
        if publisher is None:
            raise _not_supported(self._task.publisher.kind)
        results = await self._around.workspace.results(self._record.execution)
        if results is None:
            raise InternalError(
                "the results were lost before they could be published",
                hint="run the job again; see what removed files from the node's data directory",
                component=COMPONENT,
                retryable=True,
            )
        with (
            defects_contained(self._record.id, "failed to publish result: "),
            self._around.watches.results_of(self._record.id) as watch,
        ):
            return await publisher.publish(self._record.execution, results, watch)

    # -- ends ---------------------------------------------------------------------------

    async def _enter(
        self, move: Move, make_room: Callable[[], Awaitable[None]] | None = None
    ) -> bool:
        """Store a new phase; return False when the execution was ended meanwhile."""
        after = await self._around.records.advance(self._record.id, move, make_room)
        if isinstance(after, Refusal):
            return False
        self._record = after
        return True

    async def _failure(self, error: BacalhauError) -> Move:
        output = await self._output_until(error)
        if error.code == Code.DISK:
            # Its files may be what leaves no room to store that it has failed.
            await self._around.workspace.discard(self._record.execution)
        return Move(
            step=Step.FAILED,
            event=error_event(self._around.clock.now_ns(), self._topic, error),
            run_output=output,
            retryable=error.retryable,
            tells=True,
        )

    async def _output_until(self, error: BacalhauError) -> RunOutput | None:
        """What the task printed before it failed; the output of a task that ended is known."""
        if self._run_output is not None:
            return self._run_output
        exit_code = _exit_code(error)
        try:
            return await self._around.workspace.collect(
                self._record.execution, exit_code=exit_code, error_message=error.message
            )
        except BacalhauError as exc:
            log.warning("output_lost", execution_id=self._record.id, error=exc.message)
            return RunOutput(exit_code=exit_code, error_msg=error.message)

    async def _make_room(self, last: Move) -> None:
        """Remove what may leave no room to store the end, and is not needed for it.

        Should the node be killed now, the execution starts anew, or is published once more: results
        that are published stay for that.
        """
        await _forget(self._record, self._around)
        if last.step is not Step.COMPLETED or not self._task.publisher.kind:
            await self._around.workspace.discard(self._record.execution)

    def _log_end(self, after: LocalExecution | Refusal, last: Move, seconds: float) -> None:
        if isinstance(after, Refusal):
            return
        log.info(
            "execution_ended",
            execution_id=self._record.id,
            job_id=self._job.id,
            state=after.state.title,
            seconds=round(seconds, 3),
            reason=last.event.message if last.event else "",
        )


def _exit_code(error: BacalhauError) -> int:
    """How the task ended that failed, where the engine knows: 137 when it ran out of memory."""
    told = error.details.get("ExitCode", "")
    return int(told) if told.isdecimal() else -1


async def clean_up(record: LocalExecution, around: Surroundings) -> None:
    """Remove what an execution leaves, unless the next process of this node goes on with it."""
    now = around.records.read(record.id)
    if now is not None and not now.state.is_terminal:
        return
    await _forget(record, around)
    await around.workspace.discard(record.execution)


async def _forget(record: LocalExecution, around: Surroundings) -> None:
    """Let the engine remove what is left of the task."""
    job = record.execution.job
    engine = around.plugins.engines.find(job.task.engine.kind) if job is not None else None
    if engine is not None:
        await engine.forget(record.id)


def _timed_out(limit_seconds: int) -> BacalhauError:
    return ExecutionError(
        f"Execution timed out after {format_duration(limit_seconds)}",
        code=Code.EXECUTION_TIMEOUT,
        hint=TIMEOUT_HINT,
        component=COMPONENT,
        retryable=True,
    )


def _not_supported(kind: str) -> BacalhauError:
    return NotSupportedError(
        f'this node does not support "{kind}"',
        hint="another node may; see `bacalhau node describe`",
        component=COMPONENT,
        retryable=True,
    )
