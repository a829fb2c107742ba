"""What a ``JobStore`` keeps of what executions have read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bacalhau.errors import StaleWriteError
from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.models import ComputeState, ExecutionID, JobID
from bacalhau.models.provenance import ExecutionProvenance
from bacalhau.testing.contracts._store_records import (
    NODE,
    OTHER_NODE,
    make_draft,
    make_execution,
    make_input,
    make_job,
    make_outputs,
    submit,
)

if TYPE_CHECKING:
    from bacalhau.ports.store import JobStore

JOB = JobID("j-1")
E1 = ExecutionID("e-1")


async def add(store: JobStore, *execution_ids: str) -> None:
    """Store the job with new executions, each of which has read something."""
    await submit(store, make_job())
    for execution_id in execution_ids:
        execution = make_execution(execution_id)
        draft = ProvenanceDraft(execution_id=execution.id, inputs=(make_input(execution_id),))
        changes = JobChanges(job_id=JOB, executions=(execution,), provenance=(draft,))
        await store.apply(changes)


class JobProvenance:
    """Part of ``JobStoreContract``."""

    async def test_nothing_is_known_of_executions_that_tell_nothing(self, store: JobStore) -> None:
        assert list(await store.provenance(JOB)) == []
        await submit(store, make_job())
        await store.apply(JobChanges(job_id=JOB, executions=(make_execution(),)))
        assert list(await store.provenance(JOB)) == []

    async def test_what_was_read_and_written_is_told_one_after_the_other(
        self, store: JobStore
    ) -> None:
        await add(store, "e-1")
        begun = ExecutionProvenance(execution_id=E1, node_id=NODE, inputs=[make_input("e-1")])
        assert list(await store.provenance(JOB)) == [begun]
        draft = ProvenanceDraft(execution_id=E1, outputs=make_outputs())
        ended = make_execution("e-1", 2, compute=ComputeState.COMPLETED)
        await store.apply(JobChanges(job_id=JOB, executions=(ended,), provenance=(draft,)))
        assert list(await store.provenance(JOB)) == [
            ExecutionProvenance(
                execution_id=E1,
                node_id=NODE,
                inputs=[make_input("e-1")],
                outputs=make_outputs(),
            )
        ]
        assert store.execution(E1) == ended

    async def test_what_is_told_again_replaces_what_was_told_before(self, store: JobStore) -> None:
        await add(store, "e-1")
        written = ProvenanceDraft(execution_id=E1, outputs=make_outputs())
        read = ProvenanceDraft(execution_id=E1, inputs=(make_input("new"), make_input()))
        await store.apply(JobChanges(job_id=JOB, provenance=(written,)))
        await store.apply(JobChanges(job_id=JOB, provenance=(read,)))
        (found,) = await store.provenance(JOB)
        assert found.inputs == [make_input("new"), make_input()]
        assert found.outputs == make_outputs()

    async def test_a_record_disturbs_no_decision(self, store: JobStore) -> None:
        """Whoever read the job before may decide all the same."""
        await add(store, "e-1")
        seen = store.snapshot(JOB)
        assert seen is not None
        draft = ProvenanceDraft(execution_id=E1, outputs=make_outputs())
        changes = JobChanges(job_id=JOB, provenance=(draft,))
        assert await store.apply(changes) == seen.generation
        assert store.snapshot(JOB) == seen
        decided = JobChanges(job_id=JOB, provenance=(draft,), history=(make_draft("decided"),))
        decided = msgspec.structs.replace(decided, expected_generation=seen.generation)
        assert await store.apply(decided) == seen.generation + 1

    async def test_a_record_of_no_job_is_refused(self, store: JobStore) -> None:
        draft = ProvenanceDraft(execution_id=E1, outputs=make_outputs())
        with pytest.raises(StaleWriteError, match="job j-1 is not stored"):
            await store.apply(JobChanges(job_id=JOB, provenance=(draft,)))
        assert list(await store.provenance(JOB)) == []

    async def test_it_is_listed_in_pages_in_order_of_creation(self, store: JobStore) -> None:
        await add(store, "e-c", "e-a", "e-b")
        await submit(store, make_job("j-2"))
        foreign = make_execution("e-x", job_id="j-2", node_id=OTHER_NODE)
        draft = ProvenanceDraft(execution_id=foreign.id, inputs=(make_input(),))
        await store.apply(
            JobChanges(job_id=foreign.job_id, executions=(foreign,), provenance=(draft,))
        )
        silent = make_execution("e-d")
        await store.apply(JobChanges(job_id=JOB, executions=(silent,)))
        assert [each.execution_id for each in await store.provenance(JOB)] == ["e-c", "e-a", "e-b"]
        assert [each.execution_id for each in await store.provenance(JOB, limit=2)] == [
            "e-c",
            "e-a",
        ]
        rest = await store.provenance(JOB, after=ExecutionID("e-a"), limit=2)
        assert [each.execution_id for each in rest] == ["e-b"]
        assert list(await store.provenance(JOB, after=ExecutionID("e-b"))) == []
        (other,) = await store.provenance(foreign.job_id)
        assert (other.execution_id, other.node_id) == ("e-x", OTHER_NODE)
