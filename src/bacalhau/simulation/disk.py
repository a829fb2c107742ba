"""Stores as a crash leaves them: a write happens fully or not at all, and may go unanswered.

A *disk* is a store of ``bacalhau.testing.store_memory`` that outlives the processes using it. A
process reaches it through a crashable store, which takes time for every write, in groups one after
another, like the single writer of a real store. Once killed, it commits and answers nothing more: a
write that was not committed never happens, one that was committed but not answered has happened.

A disk may be ill: then writes fail, and some of those that failed show up after a crash.
"""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bacalhau.errors import BacalhauError, TransientError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine, Sequence

    from bacalhau.models import (
        Evaluation,
        EvaluationID,
        Execution,
        ExecutionID,
        Job,
        JobHistory,
        JobID,
        NodeID,
        NodeState,
    )
    from bacalhau.models.provenance import ExecutionProvenance
    from bacalhau.ports import (
        ExecutionStore,
        JobChanges,
        JobPage,
        JobQuery,
        JobSnapshot,
        JobStore,
        LocalChanges,
        LocalExecution,
        WholeJob,
    )
    from bacalhau.protocol.messages import StoredMessage, ToNode

_WAYS_GIVEN_MAX = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskSpeed:
    """How long a disk takes, in seconds; each wait is drawn evenly from 0 up to the limit.

    Attributes:
        commit_seconds: From taking up a write to having it.
        answer_seconds: From having it to saying so.
        scan_seconds: To list something, before or after the moment that the list shows.
    """

    commit_seconds: float = 0.002
    answer_seconds: float = 0.001
    scan_seconds: float = 0.001


class Illness(enum.StrEnum):
    """What ails a disk.

    A ``FULL`` disk takes no write. One that is ``FAILING`` loses some, and says so. When syncing
    fails, ``UNSYNCED``, a write counts as failed although it may be on the disk: nobody sees it
    while the process lives, but after a crash it may turn out to have happened.
    """

    FULL = "full"
    FAILING = "failing"
    UNSYNCED = "unsynced"


@dataclass(slots=True)
class DiskHealth:
    """How a disk is now; it belongs to the machine, and outlives processes."""

    illness: Illness | None = None


@dataclass(frozen=True, slots=True)
class _Write:
    work: Callable[[], Coroutine[Any, Any, Any]]
    answer: asyncio.Future[Any]


class _Writer:
    """Commits one group of writes after another; can be killed between any two steps.

    What gathers while a group is on its way is the next one. A group becomes durable as a whole.
    """

    def __init__(
        self,
        speed: DiskSpeed,
        random: random.Random,
        on_cut: Callable[[], None],
        health: DiskHealth,
        note: Callable[[str], None],
    ) -> None:
        self.speed = speed
        self.is_dead = False
        self._random = random
        self._on_cut = on_cut
        self._health = health
        self._note = note
        self._writes_until_cut = 0
        self._waiting: list[_Write] = []
        self._group: list[_Write] = []
        self._unsynced: list[_Write] = []

    @property
    def is_busy(self) -> bool:
        """True while a write is not answered."""
        return bool(self._waiting or self._group) and not self.is_dead

    def kill(self) -> None:
        """Commit and answer nothing more; of what was not synced, it now shows what is there."""
        if self.is_dead:
            return
        self.is_dead = True
        if self._unsynced and self._random.random() < 0.5:
            self._note("a write that had failed is found on the disk")
            self._run(self._unsynced)

    def cut_after(self, writes: int) -> None:
        """Die at the ``writes``-th commit from now."""
        self._writes_until_cut = writes

    async def write(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Hand a write over and wait for the answer, for ever when the process is dead.

        Cancellation: the write still happens.
        """
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(work, answer))
        if not self._group and len(self._waiting) == 1:
            self._after(self.speed.commit_seconds, self._commit)
        return await answer

    def is_slow_first(self) -> bool:
        """Draw whether a scan takes its time before what it shows, or after."""
        return self._random.random() < 0.5

    async def pause(self) -> None:
        """Let the time of a scan pass."""
        await asyncio.sleep(self._random.random() * self.speed.scan_seconds)

    def _after(self, limit_seconds: float, step: Callable[..., None], *arguments: Any) -> None:
        delay = self._random.random() * limit_seconds
        asyncio.get_running_loop().call_later(delay, step, *arguments)

    def _commit(self) -> None:
        if self.is_dead:
            return
        self._group, self._waiting = self._waiting, []
        is_cut = 0 < self._writes_until_cut <= len(self._group)
        self._writes_until_cut -= min(len(self._group), self._writes_until_cut)
        if is_cut and self._random.random() < 0.5:
            self._cut()
            return
        outcomes = self._attempt()
        self._after(self.speed.answer_seconds, self._answer, outcomes)
        if is_cut:
            self._cut()

    def _attempt(self) -> list[Any]:
        """Carry the group out, or fail it as a whole."""
        illness = self._health.illness
        if illness is None or (illness is not Illness.FULL and self._random.random() < 0.5):
            self._unsynced = []
            return self._run(self._group)
        self._note(f"disk is {illness}, {len(self._group)} writes fail")
        self._unsynced = list(self._group) if illness is Illness.UNSYNCED else []
        return [
            TransientError(f"the disk is {illness}", component="Simulation") for _ in self._group
        ]

    def _run(self, group: list[_Write]) -> list[Any]:
        outcomes: list[Any] = []
        for write in group:
            try:
                outcomes.append(_run_at_once(write.work()))
            except (BacalhauError, AssertionError) as error:
                outcomes.append(error)
        return outcomes

    def _cut(self) -> None:
        self._note("dies at a write")
        self.kill()
        self._on_cut()

    def _answer(self, outcomes: list[Any]) -> None:
        if self.is_dead:
            return
        group, self._group = self._group, []
        for write, outcome in zip(group, outcomes, strict=True):
            if write.answer.done():
                continue
            if isinstance(outcome, Exception):
                write.answer.set_exception(outcome)
            else:
                write.answer.set_result(outcome)
        if self._waiting:
            self._after(self.speed.commit_seconds, self._commit)


def _run_at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end in one go.

    A store in memory waits for nothing. It only gives way to other tasks, which is of no use here:
    the time that a write takes has passed before.
    """
    for _ in range(_WAYS_GIVEN_MAX):
        try:
            given = work.send(None)
        except StopIteration as stop:
            return stop.value
        assert given is None, "a store in memory waits for nothing"
    raise AssertionError("a store in memory never ends")


class CrashableStore:
    """What both kinds of crashable stores share.

    Args:
        speed: How long the disk takes.
        random: Decides how long each step takes and on which side of a cut a write falls.
        on_cut: Called when the process dies at a write; see ``cut_after``.
        health: How the disk is, which others may change.
        note: Takes a line for each failure of the disk.
    """

    def __init__(
        self,
        *,
        speed: DiskSpeed,
        random: random.Random,
        on_cut: Callable[[], None] = lambda: None,
        health: DiskHealth | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._writer = _Writer(speed, random, on_cut, health or DiskHealth(), note)

    @property
    def is_busy(self) -> bool:
        """True while a write is not answered."""
        return self._writer.is_busy

    def kill(self) -> None:
        """Die: commit and answer nothing more."""
        self._writer.kill()

    def cut_after(self, writes: int) -> None:
        """Die at the ``writes``-th write from now, before it or after it; 0 takes that back."""
        self._writer.cut_after(writes)

    async def _scan(self, read: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if self._writer.is_slow_first():
            await self._writer.pause()
            return await read()
        result = await read()
        await self._writer.pause()
        return result


class CrashableJobStore(CrashableStore):
    """The orchestrator's way to its disk (``ports.JobStore``).

    ``on_commit`` is called for each transaction at the moment it becomes durable.
    """

    def __init__(
        self,
        disk: JobStore,
        *,
        on_commit: Callable[[JobChanges], None] = lambda _: None,
        on_drop: Callable[[EvaluationID], None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._disk = disk
        self._on_commit = on_commit
        self._on_drop = on_drop

    async def apply(self, changes: JobChanges) -> int:
        """Store one transaction; see the port."""

        async def commit() -> int:
            generation = await self._disk.apply(changes)
            self._on_commit(changes)
            return generation

        return int(await self._writer.write(commit))

    def job(self, job_id: JobID) -> Job | None:
        """Read one job."""
        return self._disk.job(job_id)

    def execution(self, execution_id: ExecutionID) -> Execution | None:
        """Read one execution."""
        return self._disk.execution(execution_id)

    def snapshot(self, job_id: JobID) -> JobSnapshot | None:
        """Read what decisions about a job are made from."""
        return self._disk.snapshot(job_id)

    async def whole(self, job_id: JobID) -> WholeJob | None:
        """Read a job with all its executions."""
        found: WholeJob | None = await self._scan(lambda: self._disk.whole(job_id))
        return found

    def find_jobs(self, prefix: str, limit: int) -> Sequence[JobID]:
        """Find jobs by the start of their id."""
        return self._disk.find_jobs(prefix, limit)

    def find_executions(self, prefix: str, limit: int) -> Sequence[ExecutionID]:
        """Find executions by the start of their id."""
        return self._disk.find_executions(prefix, limit)

    def outbox_floor(self, node_id: NodeID) -> int:
        """Return the number below which nothing waits for this node."""
        return self._disk.outbox_floor(node_id)

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """List jobs."""
        page: JobPage = await self._scan(lambda: self._disk.list_jobs(query))
        return page

    async def history(
        self, job_id: JobID, *, after: int = 0, limit: int = 0
    ) -> Sequence[JobHistory]:
        """List events of a job."""

        async def read() -> Sequence[JobHistory]:
            return await self._disk.history(job_id, after=after, limit=limit)

        events: Sequence[JobHistory] = await self._scan(read)
        return events

    async def provenance(
        self, job_id: JobID, *, after: ExecutionID | None = None, limit: int = 0
    ) -> Sequence[ExecutionProvenance]:
        """List what executions have read and written."""

        async def read() -> Sequence[ExecutionProvenance]:
            return await self._disk.provenance(job_id, after=after, limit=limit)

        found: Sequence[ExecutionProvenance] = await self._scan(read)
        return found

    async def live_executions(self, node_id: NodeID | None = None) -> Sequence[Execution]:
        """List executions that have not ended."""
        live: Sequence[Execution] = await self._scan(lambda: self._disk.live_executions(node_id))
        return live

    async def unfinished_jobs(self) -> Sequence[Job]:
        """List jobs that have not ended."""
        jobs: Sequence[Job] = await self._scan(self._disk.unfinished_jobs)
        return jobs

    async def open_evaluations(self) -> Sequence[Evaluation]:
        """List evaluations that wait."""
        waiting: Sequence[Evaluation] = await self._scan(self._disk.open_evaluations)
        return waiting

    async def drop_evaluation(self, evaluation_id: EvaluationID) -> None:
        """Forget an evaluation."""

        async def commit() -> None:
            await self._disk.drop_evaluation(evaluation_id)
            self._on_drop(evaluation_id)

        await self._writer.write(commit)

    async def send(self, node_id: NodeID, message: ToNode) -> None:
        """Put a message into the outbox of a node that may be cut off."""
        await self._writer.write(lambda: self._disk.send(node_id, message))

    async def outbox(self, node_id: NodeID, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """List messages that wait for a node."""

        async def read() -> Sequence[StoredMessage]:
            return await self._disk.outbox(node_id, after=after, limit=limit)

        messages: Sequence[StoredMessage] = await self._scan(read)
        return messages

    async def outbox_delivered(self, node_id: NodeID, *, up_to: int) -> None:
        """Forget delivered messages."""
        await self._writer.write(lambda: self._disk.outbox_delivered(node_id, up_to=up_to))

    async def put_node(self, node: NodeState) -> None:
        """Store the record of a node."""
        await self._writer.write(lambda: self._disk.put_node(node))

    async def drop_node(self, node_id: NodeID) -> None:
        """Forget the record of a node."""
        await self._writer.write(lambda: self._disk.drop_node(node_id))

    async def nodes(self) -> Sequence[NodeState]:
        """List nodes."""
        states: Sequence[NodeState] = await self._scan(self._disk.nodes)
        return states


class CrashableExecutionStore(CrashableStore):
    """A compute node's way to its disk (``ports.ExecutionStore``).

    ``on_commit`` is called for each transaction at the moment it becomes durable.
    """

    def __init__(
        self,
        disk: ExecutionStore,
        *,
        on_commit: Callable[[LocalChanges], None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._disk = disk
        self._on_commit = on_commit

    async def apply(self, changes: LocalChanges) -> None:
        """Store one transaction; see the port."""

        async def commit() -> None:
            await self._disk.apply(changes)
            self._on_commit(changes)

        await self._writer.write(commit)

    def execution(self, execution_id: ExecutionID) -> LocalExecution | None:
        """Read one record."""
        return self._disk.execution(execution_id)

    async def live(self) -> Sequence[LocalExecution]:
        """List records that have not ended."""
        records: Sequence[LocalExecution] = await self._scan(self._disk.live)
        return records

    async def outbox(self, *, after: int, limit: int) -> Sequence[StoredMessage]:
        """List messages that wait for the orchestrator."""

        async def read() -> Sequence[StoredMessage]:
            return await self._disk.outbox(after=after, limit=limit)

        messages: Sequence[StoredMessage] = await self._scan(read)
        return messages

    async def outbox_delivered(self, *, up_to: int) -> None:
        """Forget delivered messages."""
        await self._writer.write(lambda: self._disk.outbox_delivered(up_to=up_to))

    def outbox_floor(self) -> int:
        """Return the number below which nothing waits."""
        return self._disk.outbox_floor()
