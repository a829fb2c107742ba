"""What a crash leaves on a disk."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import StaleWriteError
from bacalhau.models import ComputeState, DesiredState, Execution, ExecutionID, State
from bacalhau.ports import LocalChanges, LocalExecution
from bacalhau.simulation.disk import CrashableExecutionStore, DiskSpeed
from bacalhau.testing.loop import run_simulation
from bacalhau.testing.store_memory import MemoryExecutionStore

if TYPE_CHECKING:
    from collections.abc import Callable

SPEED = DiskSpeed(commit_seconds=1.0, answer_seconds=1.0, scan_seconds=1.0)


def change(number: int, *, revision: int = 1) -> LocalChanges:
    """Make a transaction that writes one record."""
    execution = Execution(
        id=ExecutionID(f"e-{number}"),
        desired_state=State[DesiredState](state_type=DesiredState.PENDING),
        compute_state=State[ComputeState](state_type=ComputeState.NEW),
    )
    record = LocalExecution(execution=execution, state=ComputeState.NEW, revision=revision)
    return LocalChanges(executions=(record,))


def store_over(
    disk: MemoryExecutionStore, seed: int = 1, on_cut: Callable[[], None] = lambda: None
) -> CrashableExecutionStore:
    return CrashableExecutionStore(disk, speed=SPEED, random=random.Random(seed), on_cut=on_cut)


async def stored(disk: MemoryExecutionStore) -> list[str]:
    return [record.id for record in await disk.live()]


def test_writes_take_time_and_happen_in_order() -> None:
    async def main() -> tuple[list[str], float]:
        disk = MemoryExecutionStore()
        store = store_over(disk)
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(store.apply(change(number)))
                await asyncio.sleep(0)
        assert not store.is_busy
        return await stored(disk), asyncio.get_running_loop().time()

    order, seconds = run_simulation(main(), 1)
    assert order == ["e-0", "e-1", "e-2", "e-3", "e-4"]
    assert 0 < seconds < 10


def test_the_store_refuses_what_its_disk_refuses() -> None:
    async def main() -> None:
        store = store_over(MemoryExecutionStore())
        await store.apply(change(1))
        with pytest.raises(StaleWriteError):
            await store.apply(change(1))

    run_simulation(main(), 1)


def test_a_cancelled_writer_does_not_undo_its_write() -> None:
    async def main() -> list[str]:
        disk = MemoryExecutionStore()
        store = store_over(disk)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.0001):
                await store.apply(change(1))
        await store.apply(change(2))
        return await stored(disk)

    assert run_simulation(main(), 1) == ["e-1", "e-2"]


def test_a_killed_store_answers_nothing_and_writes_nothing_more() -> None:
    async def main() -> list[str]:
        disk = MemoryExecutionStore()
        store = store_over(disk)
        await store.apply(change(1))
        store.kill()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1_000):
                await store.apply(change(2))
        return await stored(disk)

    assert run_simulation(main(), 1) == ["e-1"]


def test_a_write_in_flight_at_the_crash_happens_fully_or_not_at_all() -> None:
    async def main(seed: int) -> list[str]:
        disk = MemoryExecutionStore()
        store = store_over(disk, seed)
        asyncio.get_running_loop().call_later(0.7, store.kill)
        with pytest.raises(TimeoutError):  # noqa: PT012 - a loop until the time is up
            async with asyncio.timeout(1_000):
                while True:
                    await store.apply(change(1))
                    await asyncio.Event().wait()
        return await stored(disk)

    ends = {tuple(run_simulation(main(seed), seed)) for seed in range(30)}
    assert ends == {(), ("e-1",)}


def test_a_cut_kills_at_the_numbered_write_before_or_after_it() -> None:
    async def main(seed: int) -> list[str]:
        disk = MemoryExecutionStore()
        cuts: list[float] = []
        store = store_over(disk, seed, lambda: cuts.append(asyncio.get_running_loop().time()))
        await store.apply(change(1))
        store.cut_after(2)
        with pytest.raises(TimeoutError):  # noqa: PT012 - one of them never returns
            async with asyncio.timeout(1_000):
                for number in (2, 3, 4):
                    await store.apply(change(number))
        assert len(cuts) == 1
        return await stored(disk)

    ends = {tuple(run_simulation(main(seed), seed)) for seed in range(30)}
    assert ends == {("e-1", "e-2"), ("e-1", "e-2", "e-3")}
