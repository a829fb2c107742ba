"""What ``JobStore.apply`` must do: whole transactions, guarded by revisions and generation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import ConflictError, StaleWriteError
from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.models import (
    ComputeState,
    EvaluationStatus,
    ExecutionID,
    JobID,
    JobState,
    NodeID,
)
from bacalhau.ports.store import JobQuery
from bacalhau.testing.contracts._store_records import (
    NODE,
    cancel,
    make_draft,
    make_evaluation,
    make_execution,
    make_input,
    make_job,
    submit,
)

if TYPE_CHECKING:
    from bacalhau.ports.store import JobStore

JOB = JobID("j-1")
E1 = ExecutionID("e-1")
ELSEWHERE = NodeID("n-elsewhere")


async def everything(store: JobStore, *job_ids: str) -> Any:
    """Read all that a transaction can have changed, as a value to compare."""
    return (
        [store.snapshot(JobID(job_id)) for job_id in job_ids],
        [list(await store.history(JobID(job_id))) for job_id in job_ids],
        list(await store.open_evaluations()),
        list(await store.live_executions()),
        list(await store.unfinished_jobs()),
        [list(await store.provenance(JobID(job_id))) for job_id in job_ids],
        list(await store.outbox(NODE, after=0, limit=0)),
        await store.list_jobs(JobQuery()),
    )


def full(revision: int, *, expected_generation: int | None = None) -> JobChanges:
    """Make a transaction that changes something of every kind, all records to one revision."""
    return JobChanges(
        job_id=JOB,
        job=make_job(revision=revision, state=JobState.RUNNING),
        executions=(make_execution("e-1", revision), make_execution("e-2", revision)),
        evaluations=(make_evaluation(f"ev-{revision}"),),
        history=(make_draft("changed"), make_draft("started", execution_id="e-1")),
        provenance=(ProvenanceDraft(execution_id=E1, inputs=(make_input(f"k/{revision}"),)),),
        messages=((NODE, cancel(f"e-{revision}")),),
        expected_generation=expected_generation,
    )


class JobWrites:
    """Part of ``JobStoreContract``."""

    async def test_a_new_job_is_read_as_it_was_written(self, store: JobStore) -> None:
        job = make_job()
        assert await store.apply(JobChanges(job_id=JOB, job=job)) == 1
        assert store.job(JOB) == job

    async def test_every_transaction_raises_the_generation_by_one(self, store: JobStore) -> None:
        generations = [
            await store.apply(full(1)),
            await store.apply(JobChanges(job_id=JOB, history=(make_draft("note"),))),
            await store.apply(JobChanges(job_id=JOB)),
            await store.apply(full(2, expected_generation=3)),
        ]
        assert generations == [1, 2, 3, 4]
        snapshot = store.snapshot(JOB)
        assert snapshot is not None
        assert snapshot.generation == 4

    async def test_a_taken_id_is_a_conflict(self, store: JobStore) -> None:
        await submit(store, make_job())
        before = await everything(store, JOB)
        other = make_job(namespace="other")
        with pytest.raises(ConflictError) as caught:
            await store.apply(JobChanges(job_id=JOB, job=other, expected_generation=0))
        assert caught.value.code == "ResourceInUse"
        assert caught.value.message == "job already exists: j-1"
        assert await everything(store, JOB) == before

    @pytest.mark.parametrize("revision", [1, 2, 4, 5])
    async def test_an_execution_must_follow_its_revision_by_one(
        self, store: JobStore, revision: int
    ) -> None:
        await store.apply(full(1))
        await store.apply(full(2))
        before = await everything(store, JOB)
        stale = JobChanges(job_id=JOB, executions=(make_execution("e-2", revision),))
        with pytest.raises(StaleWriteError, match="execution e-2") as caught:
            await store.apply(stale)
        assert caught.value.retryable
        assert await everything(store, JOB) == before

    @pytest.mark.parametrize("revision", [2, 4, 5])
    async def test_a_job_must_follow_its_revision_by_one(
        self, store: JobStore, revision: int
    ) -> None:
        await store.apply(full(1))
        await store.apply(full(2))
        with pytest.raises(StaleWriteError, match="job j-1 is at revision 2"):
            await store.apply(JobChanges(job_id=JOB, job=make_job(revision=revision)))

    @pytest.mark.parametrize(
        "changes",
        [
            JobChanges(job_id=JOB, history=(make_draft("lost"),), messages=((NODE, cancel("e")),)),
            JobChanges(job_id=JOB, job=make_job(revision=2)),
            JobChanges(job_id=JOB, job=make_job(), executions=(make_execution(revision=2),)),
            JobChanges(job_id=JOB, job=make_job(), expected_generation=1),
        ],
        ids=["no job", "job of revision 2", "execution of revision 2", "generation"],
    )
    async def test_what_does_not_exist_cannot_be_changed(
        self, store: JobStore, changes: JobChanges
    ) -> None:
        before = await everything(store, JOB)
        with pytest.raises(StaleWriteError, match=r"not stored|generation"):
            await store.apply(changes)
        assert await everything(store, JOB) == before

    @pytest.mark.parametrize("seen", [0, 1, 3])
    async def test_another_generation_than_expected_is_refused(
        self, store: JobStore, seen: int
    ) -> None:
        await store.apply(full(1))
        await store.apply(JobChanges(job_id=JOB))
        with pytest.raises(StaleWriteError, match="generation 2"):
            await store.apply(full(2, expected_generation=seen))
        assert await store.apply(full(2, expected_generation=2)) == 3

    async def test_a_refused_transaction_leaves_no_trace(self, store: JobStore) -> None:
        await store.apply(full(1))
        before = await everything(store, JOB)
        good = full(2)
        late = make_execution("e-3", 7)
        stale = JobChanges(
            job_id=JOB,
            job=good.job,
            executions=(*good.executions, late),
            evaluations=(make_evaluation("ev-1", status=EvaluationStatus.COMPLETE),),
            history=good.history,
            messages=good.messages,
        )
        with pytest.raises(StaleWriteError):
            await store.apply(stale)
        assert await everything(store, JOB) == before
        await store.apply(good)
        numbers = [entry.seq_num for entry in await store.history(JOB)]
        assert numbers == [1, 2, 3, 4]

    async def test_a_stale_write_among_others_fails_alone(self, store: JobStore) -> None:
        await submit(store, make_job())
        jobs = [make_job(f"j-new-{number}") for number in range(40)]
        writes = [JobChanges(job_id=job.id, job=job) for job in jobs]
        stale = JobChanges(job_id=JOB, job=make_job(revision=5))
        mixed = [*writes[:20], stale, *writes[20:]]
        outcomes = await asyncio.gather(
            *(store.apply(changes) for changes in mixed), return_exceptions=True
        )
        assert isinstance(outcomes.pop(20), StaleWriteError)
        assert outcomes == [1] * 40
        assert [store.job(job.id) for job in jobs] == jobs

    async def test_of_rivals_at_one_generation_one_wins(self, store: JobStore) -> None:
        await store.apply(full(1))
        rivals = [full(2, expected_generation=1) for _ in range(20)]
        outcomes = await asyncio.gather(
            *(store.apply(changes) for changes in rivals), return_exceptions=True
        )
        won = [outcome for outcome in outcomes if not isinstance(outcome, StaleWriteError)]
        assert won == [2]
        assert len(await store.history(JOB)) == 4
        assert len(await store.outbox(NODE, after=0, limit=0)) == 2

    async def test_a_cancelled_write_is_whole_or_absent(self, store: JobStore) -> None:
        await submit(store, make_job())
        for turns in range(6):
            job_id = JobID(f"j-cancelled-{turns}")
            changes = JobChanges(
                job_id=job_id,
                job=make_job(job_id),
                executions=(make_execution(f"e-{turns}", job_id=job_id),),
            )
            async with asyncio.TaskGroup() as group:
                task = group.create_task(store.apply(changes))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
            await store.apply(JobChanges(job_id=JOB))  # everything before it has been settled
            snapshot = store.snapshot(job_id)
            assert snapshot is None or len(snapshot.executions) == 1

    async def test_an_execution_is_kept_without_its_job(self, store: JobStore) -> None:
        execution = make_execution(job=make_job())
        await store.apply(JobChanges(job_id=JOB, job=make_job(), executions=(execution,)))
        assert store.execution(execution.id) == make_execution()

    @pytest.mark.parametrize(
        "changes",
        [
            JobChanges(job_id=JOB, job=make_job("j-2")),
            JobChanges(job_id=JOB, executions=(make_execution(job_id="j-2"),)),
            JobChanges(job_id=JOB, evaluations=(make_evaluation(job_id="j-2"),)),
            JobChanges(job_id=JOB, executions=(make_execution(), make_execution(revision=2))),
        ],
        ids=["job", "execution", "evaluation", "twice"],
    )
    async def test_a_transaction_that_mixes_jobs_is_a_defect(
        self, store: JobStore, changes: JobChanges
    ) -> None:
        await submit(store, make_job())
        with pytest.raises(AssertionError, match=r"j-1|once"):
            await store.apply(changes)

    async def test_taking_another_jobs_execution_is_a_defect(self, store: JobStore) -> None:
        await store.apply(full(1))
        await submit(store, make_job("j-2"))
        before = await everything(store, JOB, "j-2")
        stolen = make_execution("e-1", 2, job_id="j-2")
        with pytest.raises(AssertionError, match="j-1"):
            await store.apply(JobChanges(job_id=JobID("j-2"), executions=(stolen,)))
        assert await everything(store, JOB, "j-2") == before

    @pytest.mark.parametrize(
        ("changes", "lasting"),
        [
            (JobChanges(job_id=JOB, job=make_job(revision=3, namespace="other")), "namespace"),
            (JobChanges(job_id=JOB, job=make_job(revision=3, created=1)), "creation time"),
            (JobChanges(job_id=JOB, job=make_job(revision=3, state=JobState.RUNNING)), "for good"),
            (JobChanges(job_id=JOB, executions=(make_execution("e-1", 3),)), "for good"),
            (
                JobChanges(job_id=JOB, executions=(make_execution("e-1", 3, node_id=ELSEWHERE),)),
                NODE,
            ),
        ],
        ids=["namespace", "creation", "job comes back", "execution comes back", "node"],
    )
    async def test_changing_what_lasts_is_a_defect(
        self, store: JobStore, changes: JobChanges, lasting: str
    ) -> None:
        await store.apply(JobChanges(job_id=JOB, job=make_job(), executions=(make_execution(),)))
        job = make_job(revision=2, state=JobState.COMPLETED)
        run = make_execution("e-1", 2, compute=ComputeState.COMPLETED)
        await store.apply(JobChanges(job_id=JOB, job=job, executions=(run,)))
        before = await everything(store, JOB)
        with pytest.raises(AssertionError, match=lasting):
            await store.apply(changes)
        assert await everything(store, JOB) == before

    async def test_what_has_ended_can_be_amended(self, store: JobStore) -> None:
        for revision in (1, 2):
            job = make_job(revision=revision, state=JobState.FAILED)
            run = make_execution("e-1", revision, compute=ComputeState.FAILED)
            await store.apply(JobChanges(job_id=JOB, job=job, executions=(run,)))
        assert store.job(JOB) == job
        assert store.execution(run.id) == run
