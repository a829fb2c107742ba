"""What the reading methods of ``JobStore`` must do, and its evaluations, history and nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.lifecycle.changes import JobChanges, JobSnapshot
from bacalhau.lifecycle.completed import Completed
from bacalhau.models import (
    ComputeState,
    DesiredState,
    EvaluationID,
    EvaluationStatus,
    ExecutionID,
    HistoryType,
    JobHistory,
    JobID,
    JobState,
    NodeID,
)
from bacalhau.ports.store import WholeJob
from bacalhau.testing.contracts._store_records import (
    NODE,
    OTHER_NODE,
    START_NS,
    make_draft,
    make_evaluation,
    make_execution,
    make_job,
    make_node,
    submit,
)

if TYPE_CHECKING:
    from bacalhau.models import Evaluation, Execution
    from bacalhau.ports.store import JobStore

JOB = JobID("j-1")


async def add(store: JobStore, *executions: Execution) -> None:
    """Store executions of the one job, each in a transaction of its own."""
    for execution in executions:
        await store.apply(JobChanges(job_id=JOB, executions=(execution,)))


async def evaluate(store: JobStore, *evaluations: Evaluation) -> list[str]:
    """Store evaluations and return the ids of those that are open then."""
    await store.apply(JobChanges(job_id=JOB, evaluations=evaluations))
    return [evaluation.id for evaluation in await store.open_evaluations()]


class JobReads:
    """Part of ``JobStoreContract``."""

    async def test_what_is_unknown_is_none_or_empty(self, store: JobStore) -> None:
        assert store.job(JOB) is None
        assert store.execution(ExecutionID("e-1")) is None
        assert store.snapshot(JOB) is None
        assert await store.whole(JOB) is None
        assert list(store.find_jobs("", 10)) == []
        assert list(await store.history(JOB)) == []
        assert list(await store.live_executions()) == []
        assert list(await store.unfinished_jobs()) == []
        assert list(await store.open_evaluations()) == []
        assert list(await store.nodes()) == []

    async def test_a_snapshot_has_the_executions_in_order_of_creation(
        self, store: JobStore
    ) -> None:
        await submit(store, make_job())
        await submit(store, make_job("j-2"))
        await add(store, make_execution("e-b"), make_execution("e-a"))
        foreign = make_execution("e-x", job_id="j-2")
        await store.apply(JobChanges(job_id=JobID("j-2"), executions=(foreign,)))
        await add(store, make_execution("e-c"), make_execution("e-b", 2))
        assert store.snapshot(JOB) == JobSnapshot(
            job=make_job(),
            executions=(make_execution("e-b", 2), make_execution("e-a"), make_execution("e-c")),
            generation=5,
        )

    async def test_a_snapshot_sums_up_what_has_completed(self, store: JobStore) -> None:
        done = ComputeState.COMPLETED
        await submit(store, make_job())
        runs = [make_execution(f"e-{number}", partition_index=number) for number in range(4)]
        elsewhere = make_execution("e-4", node_id=OTHER_NODE, partition_index=4, compute=done)
        await add(store, *runs, elsewhere)
        ended = [make_execution(f"e-{n}", 2, partition_index=n, compute=done) for n in (0, 2)]
        failed = make_execution("e-3", 2, partition_index=3, compute=ComputeState.FAILED)
        await add(store, *ended, failed)
        snapshot = store.snapshot(JOB)
        assert snapshot is not None
        assert snapshot.executions == (runs[1], failed)
        assert snapshot.completed == Completed(
            partitions=frozenset({0, 2, 4}), by_node={NODE: 2, OTHER_NODE: 1}
        )
        assert await store.whole(JOB) == WholeJob(
            job=make_job(), executions=(ended[0], runs[1], ended[1], failed, elsewhere)
        )

    async def test_a_snapshot_has_the_listings_of_what_has_completed(self, store: JobStore) -> None:
        await submit(store, make_job())
        settled = {"/in": "digest"}
        done = make_execution("e-1", compute=ComputeState.COMPLETED, listings=settled)
        await add(store, done)
        snapshot = store.snapshot(JOB)
        assert snapshot is not None
        assert snapshot.completed.listings == settled

    async def test_reads_see_whole_transactions_while_others_write(self, store: JobStore) -> None:
        rounds = 60

        async def write() -> None:
            for revision in range(1, rounds + 1):
                executions = (make_execution("e-1", revision), make_execution("e-2", revision))
                job = make_job(revision=revision)
                await store.apply(JobChanges(job_id=JOB, job=job, executions=executions))

        async def watch(writing: asyncio.Task[None]) -> None:
            while not writing.done():
                snapshot = store.snapshot(JOB)
                if snapshot is not None:
                    seen = {snapshot.job.revision, *(e.revision for e in snapshot.executions)}
                    assert seen == {snapshot.generation}
                assert len({each.revision for each in await store.live_executions()}) <= 1
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            await watch(group.create_task(write()))
        final = store.snapshot(JOB)
        assert final is not None
        assert final.generation == rounds

    async def test_live_executions_are_those_that_have_not_ended(self, store: JobStore) -> None:
        await submit(store, make_job())
        stopped = make_execution("e-stopped", 1, desired=DesiredState.STOPPED)
        running = make_execution("e-run", compute=ComputeState.RUNNING)
        moved = make_execution("e-else", node_id=OTHER_NODE)
        done = make_execution("e-done", compute=ComputeState.COMPLETED)
        await add(store, running, stopped, moved, done, make_execution("e-ending"))
        await add(store, make_execution("e-ending", 2, compute=ComputeState.FAILED))
        assert list(await store.live_executions()) == [running, moved]
        assert list(await store.live_executions(NODE)) == [running]
        assert list(await store.live_executions(OTHER_NODE)) == [moved]

    async def test_unfinished_jobs_are_listed_oldest_first(self, store: JobStore) -> None:
        for job_id in ("j-c", "j-a", "j-b"):
            await submit(store, make_job(job_id))
        done = make_job("j-a", 2, state=JobState.COMPLETED)
        await store.apply(JobChanges(job_id=done.id, job=done))
        changed = make_job("j-c", 2)
        await store.apply(JobChanges(job_id=changed.id, job=changed))
        assert list(await store.unfinished_jobs()) == [changed, make_job("j-b")]

    @pytest.mark.parametrize(
        ("prefix", "limit", "found"),
        [
            ("", 2, ["j-%x", "j-1"]),
            ("j-1", 10, ["j-1", "j-10", "j-1é", "j-1😀"]),
            ("j-1", 2, ["j-1", "j-10"]),
            ("j-10", 10, ["j-10"]),
            ("j-_", 10, ["j-_"]),
            ("j-%", 10, ["j-%x"]),
            ("j-1\U0010ffff", 10, []),
            ("J-1", 10, []),
            ("-1", 10, []),
            ("j-1", 0, []),
        ],
    )
    async def test_ids_are_found_by_their_first_letters(
        self, store: JobStore, prefix: str, limit: int, found: list[str]
    ) -> None:
        for job_id in ("j-2", "j-10", "j-1", "j-_", "j-%x", "j-1é", "j-1😀", "k-1"):
            execution = make_execution(job_id, job_id=job_id)
            changes = JobChanges(
                job_id=JobID(job_id), job=make_job(job_id), executions=(execution,)
            )
            await store.apply(changes)
        assert list(store.find_jobs(prefix, limit)) == found
        assert list(store.find_executions(prefix, limit)) == found

    async def test_evaluations_are_kept_while_they_are_open(self, store: JobStore) -> None:
        await submit(store, make_job())
        blocked = make_evaluation("ev-b", status=EvaluationStatus.BLOCKED)
        failed = make_evaluation("ev-f", status=EvaluationStatus.FAILED)
        assert await evaluate(store, make_evaluation("ev-c"), blocked, failed) == ["ev-c", "ev-b"]
        changed = make_evaluation("ev-c", comment="again")
        assert await evaluate(store, make_evaluation("ev-a"), changed) == ["ev-c", "ev-b", "ev-a"]
        assert (await store.open_evaluations())[0] == changed
        complete = make_evaluation("ev-c", status=EvaluationStatus.COMPLETE)
        cancelled = make_evaluation("ev-a", status=EvaluationStatus.CANCELED)
        assert await evaluate(store, complete, cancelled) == ["ev-b"]

    async def test_an_evaluation_can_be_dropped_by_itself(self, store: JobStore) -> None:
        await submit(store, make_job())
        await evaluate(store, make_evaluation("ev-1"), make_evaluation("ev-2"))
        await store.drop_evaluation(EvaluationID("ev-1"))
        await store.drop_evaluation(EvaluationID("ev-unknown"))
        assert list(await store.open_evaluations()) == [make_evaluation("ev-2")]

    async def test_history_is_numbered_for_each_job_without_gaps(self, store: JobStore) -> None:
        for job_id in (JOB, JobID("j-2")):
            await store.apply(
                JobChanges(
                    job_id=job_id, job=make_job(job_id), history=(make_draft("a"), make_draft("b"))
                )
            )
        later = make_draft("c", execution_id="e-1", at_ns=START_NS + 11)
        await store.apply(JobChanges(job_id=JOB, history=(later,)))
        entries = list(await store.history(JOB))
        assert [entry.seq_num for entry in entries] == [1, 2, 3]
        assert [entry.event.message for entry in entries] == ["a", "b", "c"]
        assert entries[0].type is HistoryType.JOB_LEVEL
        assert entries[0].time == "2023-11-14T22:13:20.123456789Z"
        assert entries[2] == JobHistory(
            seq_num=3,
            type=HistoryType.EXECUTION_LEVEL,
            job_id=JOB,
            execution_id=ExecutionID("e-1"),
            event=later.event,
            time="2023-11-14T22:13:20.1234568Z",
        )

    @pytest.mark.parametrize(
        ("after", "limit", "numbers"),
        [(0, 0, [1, 2, 3, 4]), (2, 0, [3, 4]), (1, 2, [2, 3]), (4, 0, []), (9, 1, [])],
    )
    async def test_history_is_read_from_any_number(
        self, store: JobStore, after: int, limit: int, numbers: list[int]
    ) -> None:
        drafts = tuple(make_draft(text) for text in "abcd")
        await store.apply(JobChanges(job_id=JOB, job=make_job(), history=drafts))
        entries = await store.history(JOB, after=after, limit=limit)
        assert [entry.seq_num for entry in entries] == numbers

    async def test_nodes_are_replaced_and_sorted(self, store: JobStore) -> None:
        for node in (make_node("n-b"), make_node("n-a"), make_node("n-b", git_version="v9")):
            await store.put_node(node)
        assert list(await store.nodes()) == [make_node("n-a"), make_node("n-b", git_version="v9")]

    async def test_a_dropped_node_is_forgotten(self, store: JobStore) -> None:
        for name in ("n-a", "n-b"):
            await store.put_node(make_node(name))
        await store.drop_node(NodeID("n-b"))
        await store.drop_node(NodeID("n-unknown"))
        assert list(await store.nodes()) == [make_node("n-a")]
