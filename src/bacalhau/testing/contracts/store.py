"""What every store must do (``ports.JobStore`` and ``ports.ExecutionStore``).

Subclass a contract in a test module and give it a fixture ``store``: an open store, empty for each
test. A store that outlives its process also subclasses the durable contract, with a fixture
``reopen``: a function that opens the same store again each time, as an async context manager.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import JobID
from bacalhau.ports.store import LocalChanges
from bacalhau.testing.contracts import _job_writes, _local_writes
from bacalhau.testing.contracts._job_pages import JobPages
from bacalhau.testing.contracts._job_provenance import JobProvenance
from bacalhau.testing.contracts._job_reads import JobReads
from bacalhau.testing.contracts._job_writes import JobWrites
from bacalhau.testing.contracts._local_writes import LocalWrites
from bacalhau.testing.contracts._outboxes import (
    NodeOutbox,
    OrchestratorOutbox,
    Outbox,
    OutboxContract,
    numbers,
)
from bacalhau.testing.contracts._store_records import (
    NODE,
    OTHER_NODE,
    make_draft,
    make_job,
    make_local,
    make_node,
    submit,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from bacalhau.ports.store import ExecutionStore, JobStore

    OpenJobStore = Callable[[], AbstractAsyncContextManager[JobStore]]
    OpenExecutionStore = Callable[[], AbstractAsyncContextManager[ExecutionStore]]

JOB = JobID("j-1")


class JobStoreContract(JobWrites, JobReads, JobPages, JobProvenance, OutboxContract):
    """Everything that a ``JobStore`` promises, but for outliving its process."""

    @pytest.fixture
    async def outbox(self, store: JobStore) -> Outbox:
        """Give the part about outboxes one to work on."""
        await submit(store, make_job())
        return NodeOutbox(store)

    async def test_each_node_has_an_outbox_of_its_own(self, store: JobStore) -> None:
        await submit(store, make_job())
        one, two = NodeOutbox(store, NODE), NodeOutbox(store, OTHER_NODE)
        await one.send(one.samples[0])
        await two.send(two.samples[1])
        await one.send(one.samples[2])
        assert [stored.message for stored in await one.waiting()] == [
            one.samples[0],
            one.samples[2],
        ]
        await one.delivered((await numbers(one))[-1])
        assert [stored.message for stored in await two.waiting()] == [two.samples[1]]
        assert two.floor() == 0


class ExecutionStoreContract(LocalWrites, OutboxContract):
    """Everything that an ``ExecutionStore`` promises, but for outliving its process."""

    @pytest.fixture
    async def outbox(self, store: ExecutionStore) -> Outbox:
        """Give the part about outboxes one to work on."""
        return OrchestratorOutbox(store)


class DurableJobStoreContract:
    """What a ``JobStore`` keeps from one opening to the next."""

    async def test_everything_is_there_after_reopening(self, reopen: OpenJobStore) -> None:
        async with reopen() as store:
            await store.apply(_job_writes.full(1))
            await store.apply(_job_writes.full(2))
            await store.put_node(make_node())
            before = await _job_writes.everything(store, JOB)
        async with reopen() as store:
            assert await _job_writes.everything(store, JOB) == before
            assert list(await store.nodes()) == [make_node()]

    async def test_numbers_go_on_after_reopening(self, reopen: OpenJobStore) -> None:
        async with reopen() as store:
            await store.apply(_job_writes.full(1))
            outbox = NodeOutbox(store)
            last = (await numbers(outbox))[-1]
            await outbox.delivered(last)
        async with reopen() as store:
            outbox = NodeOutbox(store)
            assert outbox.floor() == last
            assert await numbers(outbox) == []
            await outbox.send(outbox.samples[0])
            assert (await numbers(outbox))[0] > last
            history = (make_draft("later"),)
            assert await store.apply(JobChanges(job_id=JOB, history=history)) == 3
            assert [entry.seq_num for entry in await store.history(JOB)] == [1, 2, 3]

    async def test_closing_finishes_what_was_handed_over(self, reopen: OpenJobStore) -> None:
        jobs = [make_job(f"j-{number:03}") for number in range(200)]
        async with asyncio.TaskGroup() as group, reopen() as store:
            for job in jobs:
                group.create_task(submit(store, job))
            await asyncio.sleep(0)  # each task hands over its write
        async with reopen() as store:
            assert [store.job(job.id) for job in jobs] == jobs


class DurableExecutionStoreContract:
    """What an ``ExecutionStore`` keeps from one opening to the next."""

    async def test_everything_is_there_after_reopening(self, reopen: OpenExecutionStore) -> None:
        async with reopen() as store:
            await store.apply(_local_writes.full(1))
            await store.apply(_local_writes.full(2))
            before = await _local_writes.everything(store)
        async with reopen() as store:
            assert await _local_writes.everything(store) == before
            await store.apply(LocalChanges(executions=(make_local("e-1", 3),)))

    async def test_numbers_go_on_after_reopening(self, reopen: OpenExecutionStore) -> None:
        async with reopen() as store:
            outbox = OrchestratorOutbox(store)
            await outbox.send(*outbox.samples)
            last = (await numbers(outbox))[-1]
            await outbox.delivered(last)
        async with reopen() as store:
            outbox = OrchestratorOutbox(store)
            assert outbox.floor() == last
            await outbox.send(outbox.samples[0])
            assert (await numbers(outbox))[0] > last
