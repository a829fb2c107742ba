"""SQLite and memory do the same under any sequence of operations, also when a disk fails.

As everywhere, nothing that has ended comes back, and a job keeps its namespace and its time of
creation, an execution its node: a store may rely on that.

A write whose commit the disk refuses has no effect. After a cut of power, when the end of the log
is torn, the last write has happened as a whole or not at all, and all before it have.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
import sqlite3
import tempfile
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bacalhau.errors import BacalhauError, TransientError
from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import (
    ComputeState,
    EvaluationID,
    EvaluationStatus,
    Execution,
    ExecutionID,
    Job,
    JobID,
    JobState,
    LabelSelectorRequirement,
    NodeID,
)
from bacalhau.ports.store import JobQuery, LocalChanges, LocalExecution
from bacalhau.protocol.messages import BidResult
from bacalhau.store.sqlite import SQLiteExecutionStore, SQLiteJobStore
from bacalhau.store.sqlite._recent import LARGE, RecentSnapshots
from bacalhau.testing.contracts._store_records import (
    cancel,
    make_draft,
    make_evaluation,
    make_execution,
    make_job,
    make_local,
    make_node,
)
from bacalhau.testing.store_memory import MemoryExecutionStore, MemoryJobStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from bacalhau.ports.store import ExecutionStore, JobStore

T = TypeVar("T")

QUICK = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
JOBS = [JobID(name) for name in ("j-a", "j-b", "j-_", "j-é")]
NAMESPACES = dict(zip(JOBS, ["default", "red", "default", "red"], strict=True))
CREATED = dict(zip(JOBS, [2, 1, 1, 0], strict=True))
NODES = [NodeID("n-one"), NodeID("n-two")]
NAMES = [ExecutionID(f"e-{name}") for name in "abcdef"]
UNFINISHED = [JobState.PENDING, JobState.QUEUED, JobState.RUNNING]
LIVE = [ComputeState.NEW, ComputeState.RUNNING]

# Mostly the revision that fits, sometimes one that does not.
steps = st.sampled_from([1, 1, 1, 1, 1, 0, 2, -1])
times = st.integers(0, 3)


async def outcome(awaitable: Awaitable[T]) -> T | tuple[type, str]:
    """Return a result, or the kind and text of a refusal."""
    try:
        return await awaitable
    except (BacalhauError, AssertionError) as error:
        return type(error), str(error)


@contextmanager
def failing_sync(store: SQLiteJobStore | SQLiteExecutionStore) -> Iterator[None]:
    """Let the disk fail at the end of each transaction."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC

    def fail() -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._database._writer, "_commit", fail)
        yield


class Machine(RuleBasedStateMachine):
    """Runs each operation on both stores, in a loop of its own, and compares.

    Attributes:
        before: The memory store as it was before the last write that ``remember`` preceded.
        log_before: How long the log of the file was then, in bytes.
        ending: What ends by the changes that are being drawn.
    """

    file_name: str
    memory: Any
    sqlite: Any

    def __init__(self) -> None:
        super().__init__()
        self.ending: set[str] = set()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.files = 0
        self.stack = AsyncExitStack()
        self.open()
        self.remember()

    @property
    def path(self) -> Path:
        return Path(self.folder.name) / str(self.files) / self.file_name

    @property
    def log(self) -> Path:
        return self.path.with_name(f"{self.file_name}-wal")

    def next_state(
        self, draw: st.DataObject, execution_id: ExecutionID, has_ended: bool
    ) -> ComputeState:
        if has_ended or execution_id in self.ending:
            return ComputeState.FAILED
        state = draw.draw(st.sampled_from([*LIVE, ComputeState.COMPLETED]))
        if state.is_terminal:
            self.ending.add(execution_id)
        return state

    def log_bytes(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def remember(self) -> None:
        """Note how it was before the changes that have been drawn."""
        self.ending.clear()
        self.before, self.log_before = copy.deepcopy(self.memory), self.log_bytes()

    def fails(self, write: Callable[[Any], Awaitable[Any]]) -> None:
        """Hand a write to a disk that fails: it fails, or is refused as on any other disk."""
        expected = self.run(outcome(write(copy.deepcopy(self.memory))))
        with failing_sync(self.sqlite):
            answer = self.run(outcome(write(self.sqlite)))
        self.ending.clear()
        assert isinstance(answer, tuple)
        assert answer == expected or issubclass(answer[0], TransientError), answer

    @precondition(lambda self: self.log_bytes() > self.log_before)
    @rule(draw=st.data())
    def lose_power(self, draw: st.DataObject) -> None:
        """Go on with what is on the disk when the last bytes of the log did not get there."""
        whole = self.log_bytes()
        kept = draw.draw(st.integers(self.log_before, whole))
        files = [self.path, self.log]
        self.files += 1
        self.path.parent.mkdir()
        for file in files:
            shutil.copy(file, self.path.parent)
        with self.log.open("r+b") as log:
            log.truncate(kept)
        self.close()
        if kept < whole:
            self.memory = self.before
        self.open()
        self.remember()

    @rule()
    def reopen(self) -> None:
        self.close()
        self.open()
        self.remember()

    def open(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.run(self.stack.aclose())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        self.close()
        self.runner.close()
        self.folder.cleanup()


class JobStores(Machine):
    """The orchestrator's store."""

    file_name = "jobs.db"

    def __init__(self) -> None:
        self.memory = MemoryJobStore()
        self.large = LARGE
        super().__init__()

    @initialize(large=st.sampled_from([0, LARGE]))
    def keep_snapshots(self, large: int) -> None:
        """Keep those of all jobs from one decision to the next, or of none."""
        self.large = large
        self.sqlite._recent = RecentSnapshots(large)

    def open(self) -> None:
        self.sqlite = self.run(self.stack.enter_async_context(SQLiteJobStore.open(self.path)))
        self.sqlite._recent = RecentSnapshots(self.large)

    def same(self, operation: Callable[[JobStore], Awaitable[T]]) -> T | tuple[type, str]:
        """Run an operation on both, and return what both answer."""
        expected = self.run(outcome(operation(self.memory)))
        assert self.run(outcome(operation(self.sqlite))) == expected
        return expected

    def next_job(self, draw: st.DataObject, job_id: JobID) -> Job | None:
        stored = self.memory.job(job_id)
        if draw.draw(st.booleans()) and stored is not None:
            return None
        terminal = job_id in self.ending or (stored is not None and stored.is_terminal)
        state = JobState.FAILED if terminal else draw.draw(st.sampled_from(list(JobState)))
        if state.is_terminal:
            self.ending.add(job_id)
        return make_job(
            job_id,
            max(1, (stored.revision if stored else 0) + draw.draw(steps)),
            namespace=NAMESPACES[job_id],
            labels={"rank": draw.draw(st.sampled_from("ab"))},
            state=state,
            created=CREATED[job_id],
            modified=draw.draw(times),
        )

    def next_execution(
        self, draw: st.DataObject, job_id: JobID, execution_id: ExecutionID
    ) -> Execution:
        stored = self.memory.execution(execution_id)
        return make_execution(
            execution_id,
            max(1, (stored.revision if stored else 0) + draw.draw(steps)),
            job_id=job_id,
            node_id=NODES[NAMES.index(execution_id) % 2],
            compute=self.next_state(draw, execution_id, stored is not None and stored.is_terminal),
            job=make_job(job_id),
        )

    def next_changes(self, draw: st.DataObject) -> JobChanges:
        index = draw.draw(st.integers(0, len(JOBS) - 1))
        job_id = JOBS[index]
        own = NAMES[index : index + 3]
        chosen = draw.draw(st.lists(st.sampled_from(own), max_size=3, unique=True))
        snapshot = self.memory.snapshot(job_id)
        generation = snapshot.generation if snapshot else 0
        guards = st.sampled_from([None, generation, generation, generation + 1])
        return JobChanges(
            job_id=job_id,
            expected_generation=draw.draw(guards),
            job=self.next_job(draw, job_id),
            executions=tuple(self.next_execution(draw, job_id, name) for name in chosen),
            evaluations=tuple(
                make_evaluation(f"ev-{number}", job_id=job_id, status=status)
                for number, status in draw.draw(
                    st.lists(
                        st.tuples(st.integers(0, 4), st.sampled_from(list(EvaluationStatus))),
                        max_size=2,
                    )
                )
            ),
            history=(make_draft("one"), make_draft("two"))[: draw.draw(st.integers(0, 2))],
            messages=tuple(
                (node_id, cancel(job_id))
                for node_id in draw.draw(st.lists(st.sampled_from(NODES), max_size=3))
            ),
        )

    @rule(draw=st.data())
    def apply(self, draw: st.DataObject) -> None:
        changes = self.next_changes(draw)
        self.remember()
        self.same(lambda store: store.apply(changes))

    @rule(draw=st.data(), number=st.integers(2, 4))
    def apply_together(self, draw: st.DataObject, number: int) -> None:
        several = [self.next_changes(draw) for _ in range(number)]
        self.remember()

        async def together(store: JobStore) -> list[Any]:
            return await asyncio.gather(*(outcome(store.apply(changes)) for changes in several))

        self.same(together)

    @rule(draw=st.data())
    def apply_in_vain(self, draw: st.DataObject) -> None:
        changes = self.next_changes(draw)
        self.fails(lambda store: store.apply(changes))

    @rule(node_id=st.sampled_from(NODES))
    def send(self, node_id: NodeID) -> None:
        self.remember()
        self.same(lambda store: store.send(node_id, cancel(JOBS[0])))

    @rule(node_id=st.sampled_from(NODES))
    def drop_node(self, node_id: NodeID) -> None:
        self.remember()
        self.same(lambda store: store.drop_node(node_id))

    @rule(number=st.integers(0, 4))
    def drop_evaluation(self, number: int) -> None:
        self.remember()
        self.same(lambda store: store.drop_evaluation(EvaluationID(f"ev-{number}")))

    @rule(node_id=st.sampled_from(NODES), up_to=st.integers(-1, 30))
    def deliver(self, node_id: NodeID, up_to: int) -> None:
        self.remember()
        self.same(lambda store: store.outbox_delivered(node_id, up_to=up_to))

    @rule(node_id=st.sampled_from(NODES), version=st.sampled_from(["v1", "v2"]))
    def put_node(self, node_id: NodeID, version: str) -> None:
        self.remember()
        self.same(lambda store: store.put_node(make_node(node_id, git_version=version)))

    @rule(
        order_by=st.sampled_from(["created_at", "modified_at", "id"]),
        reverse=st.booleans(),
        namespace=st.sampled_from(["", "default", "red"]),
        limit=st.integers(0, 3),
        rank=st.sampled_from([None, "a"]),
    )
    def walk(
        self, order_by: str, reverse: bool, namespace: str, limit: int, rank: str | None
    ) -> None:
        labels = (
            (LabelSelectorRequirement(key="rank", operator="=", values=[rank]),) if rank else ()
        )
        query = JobQuery(
            namespace=namespace, labels=labels, order_by=order_by, reverse=reverse, limit=limit
        )

        async def pages(store: JobStore) -> list[Any]:
            found = [await store.list_jobs(query)]
            while found[-1].cursor:
                following = JobQuery(namespace=namespace, labels=labels, after=found[-1].cursor)
                found.append(await store.list_jobs(following))
            return found

        self.same(pages)

    @invariant()
    def agree(self) -> None:
        async def everything(store: JobStore) -> Any:
            return (
                [store.snapshot(job_id) for job_id in JOBS],
                [await store.whole(job_id) for job_id in JOBS],
                [store.execution(name) for name in NAMES],
                [list(await store.history(job_id, after=1, limit=3)) for job_id in JOBS],
                list(store.find_jobs("j-", 3)),
                list(store.find_executions("e-", 4)),
                list(await store.live_executions()),
                list(await store.live_executions(NODES[0])),
                list(await store.unfinished_jobs()),
                list(await store.open_evaluations()),
                [list(await store.outbox(node, after=2, limit=5)) for node in NODES],
                [store.outbox_floor(node) for node in NODES],
                list(await store.nodes()),
            )

        self.same(everything)


class ExecutionStores(Machine):
    """The compute node's store."""

    file_name = "executions.db"

    def __init__(self) -> None:
        self.memory = MemoryExecutionStore()
        super().__init__()

    def open(self) -> None:
        opening = SQLiteExecutionStore.open(self.path)
        self.sqlite = self.run(self.stack.enter_async_context(opening))

    def same(self, operation: Callable[[ExecutionStore], Awaitable[T]]) -> None:
        """Run an operation on both stores, which answer the same."""
        expected = self.run(outcome(operation(self.memory)))
        assert self.run(outcome(operation(self.sqlite))) == expected

    def next_record(self, draw: st.DataObject, execution_id: ExecutionID) -> LocalExecution:
        stored = self.memory.execution(execution_id)
        revision = max(1, (stored.revision if stored else 0) + draw.draw(steps))
        has_ended = stored is not None and stored.state.is_terminal
        state = self.next_state(draw, execution_id, has_ended)
        return make_local(execution_id, revision, state=state)

    def next_changes(self, draw: st.DataObject) -> LocalChanges:
        names = draw.draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
        answers = draw.draw(st.lists(st.booleans(), max_size=2))
        return LocalChanges(
            executions=tuple(self.next_record(draw, name) for name in names),
            messages=tuple(
                BidResult(execution_id=NAMES[0], accepted=accepted) for accepted in answers
            ),
        )

    @rule(draw=st.data())
    def apply(self, draw: st.DataObject) -> None:
        changes = self.next_changes(draw)
        self.remember()
        self.same(lambda store: store.apply(changes))

    @rule(draw=st.data(), number=st.integers(2, 4))
    def apply_together(self, draw: st.DataObject, number: int) -> None:
        several = [self.next_changes(draw) for _ in range(number)]

        async def together(store: ExecutionStore) -> list[Any]:
            return await asyncio.gather(*(outcome(store.apply(changes)) for changes in several))

        self.remember()
        self.same(together)

    @rule(draw=st.data())
    def apply_in_vain(self, draw: st.DataObject) -> None:
        changes = self.next_changes(draw)
        self.fails(lambda store: store.apply(changes))

    @rule(up_to=st.integers(-1, 30))
    def deliver(self, up_to: int) -> None:
        self.remember()
        self.same(lambda store: store.outbox_delivered(up_to=up_to))

    @invariant()
    def agree(self) -> None:
        async def everything(store: ExecutionStore) -> Any:
            return (
                [store.execution(name) for name in NAMES],
                list(await store.live()),
                list(await store.outbox(after=1, limit=4)),
                store.outbox_floor(),
            )

        self.same(everything)


TestJobStores = JobStores.TestCase
TestJobStores.settings = QUICK
TestExecutionStores = ExecutionStores.TestCase
TestExecutionStores.settings = QUICK
