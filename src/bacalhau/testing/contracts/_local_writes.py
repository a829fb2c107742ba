"""What ``ExecutionStore`` must do beside its outbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import StaleWriteError
from bacalhau.models import ComputeState, ExecutionID, RunOutput
from bacalhau.ports.store import LocalChanges
from bacalhau.protocol.messages import RunResult
from bacalhau.testing.contracts._store_records import make_local

if TYPE_CHECKING:
    from bacalhau.ports.store import ExecutionStore

EXECUTION = ExecutionID("e-1")
MESSAGE = RunResult(execution_id=EXECUTION, run_output=RunOutput(exit_code=1))


async def everything(store: ExecutionStore) -> Any:
    """Read all that a transaction can have changed, as a value to compare."""
    return (
        store.execution(EXECUTION),
        list(await store.live()),
        list(await store.outbox(after=0, limit=0)),
    )


def full(revision: int) -> LocalChanges:
    """Make a transaction with two records of one revision, and a message."""
    return LocalChanges(
        executions=(make_local("e-1", revision), make_local("e-2", revision)),
        messages=(MESSAGE,),
    )


class LocalWrites:
    """Part of ``ExecutionStoreContract``."""

    async def test_a_record_is_read_as_it_was_written(self, store: ExecutionStore) -> None:
        record = make_local(run_output=RunOutput(stdout="ä\n", exit_code=2))
        assert store.execution(EXECUTION) is None
        await store.apply(LocalChanges(executions=(record,)))
        assert store.execution(EXECUTION) == record

    @pytest.mark.parametrize("revision", [1, 2, 4])
    async def test_a_record_must_follow_its_revision_by_one(
        self, store: ExecutionStore, revision: int
    ) -> None:
        await store.apply(full(1))
        await store.apply(full(2))
        with pytest.raises(StaleWriteError, match="execution e-1"):
            await store.apply(LocalChanges(executions=(make_local(revision=revision),)))
        await store.apply(full(3))

    async def test_an_unknown_record_cannot_be_changed(self, store: ExecutionStore) -> None:
        with pytest.raises(StaleWriteError, match="execution e-1 is not stored"):
            await store.apply(full(2))
        assert await everything(store) == (None, [], [])

    async def test_a_refused_transaction_leaves_no_trace(self, store: ExecutionStore) -> None:
        await store.apply(full(1))
        before = await everything(store)
        mixed = LocalChanges(
            executions=(make_local("e-1", 2), make_local("e-2", 1)), messages=(MESSAGE,)
        )
        with pytest.raises(StaleWriteError, match="execution e-2 is stored already"):
            await store.apply(mixed)
        assert await everything(store) == before

    async def test_live_records_are_listed_oldest_first(self, store: ExecutionStore) -> None:
        names = ("e-c", "e-a", "e-d", "e-b")
        await store.apply(LocalChanges(executions=tuple(make_local(name) for name in names)))
        done = make_local("e-a", 2, state=ComputeState.COMPLETED)
        running = make_local("e-c", 2, state=ComputeState.RUNNING)
        await store.apply(LocalChanges(executions=(done, running)))
        assert list(await store.live()) == [running, make_local("e-d"), make_local("e-b")]
        assert store.execution(done.id) == done

    async def test_of_rivals_at_one_revision_one_wins(self, store: ExecutionStore) -> None:
        outcomes = await asyncio.gather(
            *(store.apply(full(1)) for _ in range(20)), return_exceptions=True
        )
        assert outcomes.count(None) == 1
        assert sum(isinstance(outcome, StaleWriteError) for outcome in outcomes) == 19
        assert len(await store.outbox(after=0, limit=0)) == 1

    async def test_a_cancelled_write_is_whole_or_absent(self, store: ExecutionStore) -> None:
        for turns in range(6):
            names = (f"e-{turns}-a", f"e-{turns}-b")
            changes = LocalChanges(executions=tuple(make_local(name) for name in names))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(store.apply(changes))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
            await store.apply(LocalChanges())  # everything before it has been settled
            kept = [store.execution(ExecutionID(name)) is not None for name in names]
            assert kept[0] == kept[1]

    async def test_writing_a_record_twice_at_once_is_a_defect(self, store: ExecutionStore) -> None:
        twice = LocalChanges(executions=(make_local(), make_local(revision=2)))
        with pytest.raises(AssertionError, match="once"):
            await store.apply(twice)

    async def test_what_has_ended_never_comes_back(self, store: ExecutionStore) -> None:
        ended = make_local(revision=2, state=ComputeState.FAILED)
        amended = make_local(revision=3, state=ComputeState.CANCELLED)
        for record in (make_local(), ended, amended):
            await store.apply(LocalChanges(executions=(record,)))
        with pytest.raises(AssertionError, match="for good"):
            await store.apply(LocalChanges(executions=(make_local(revision=4),)))
        assert store.execution(EXECUTION) == amended
