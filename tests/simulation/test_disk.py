"""What a crash leaves on a disk."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import StaleWriteError, TransientError
from bacalhau.models import ComputeState, DesiredState, Execution, ExecutionID, State
from bacalhau.ports import LocalChanges, LocalExecution
from bacalhau.simulation.disk import (
    CrashableExecutionStore,
    DiskHealth,
    DiskSpeed,
    Illness,
)
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
    disk: MemoryExecutionStore,
    seed: int = 1,
    on_cut: Callable[[], None] = lambda: None,
    health: DiskHealth | None = None,
) -> CrashableExecutionStore:
    chance = random.Random(seed)
    return CrashableExecutionStore(disk, speed=SPEED, random=chance, on_cut=on_cut, health=health)


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


def test_what_gathers_meanwhile_is_written_together() -> None:
    async def main() -> list[float]:
        store = store_over(MemoryExecutionStore())
        times: list[float] = []

        async def write(number: int) -> None:
            await store.apply(change(number))
            times.append(asyncio.get_running_loop().time())

        async with asyncio.TaskGroup() as tasks:
            for number in range(9):
                tasks.create_task(write(number))
                await asyncio.sleep(0.1)
        return times

    times = run_simulation(main(), 1)
    assert len(times) == 9
    assert len(set(times)) < 6


async def failures(store: CrashableExecutionStore, count: int) -> list[int]:
    """Write one record after another, and return the numbers of those that failed."""
    failed = []
    for number in range(count):
        try:
            await store.apply(change(number))
        except TransientError:
            failed.append(number)
    return failed


@pytest.mark.parametrize("illness", list(Illness))
def test_what_failed_is_not_there_while_the_process_lives(illness: Illness) -> None:
    async def main() -> tuple[list[int], list[str], list[int]]:
        disk, health = MemoryExecutionStore(), DiskHealth(illness)
        store = store_over(disk, health=health)
        failed = await failures(store, 20)
        found = await stored(disk)
        health.illness = None
        return failed, found, await failures(store_over(MemoryExecutionStore()), 5)

    failed, found, afterwards = run_simulation(main(), 1)
    assert found == [f"e-{number}" for number in range(20) if number not in failed]
    assert (len(failed) == 20) == (illness is Illness.FULL)
    assert failed
    assert afterwards == []


def test_what_was_not_synced_may_show_up_after_a_crash() -> None:
    async def main(seed: int, illness: Illness) -> list[str]:
        disk = MemoryExecutionStore()
        store = store_over(disk, seed, health=DiskHealth(illness))
        failed = await failures(store, 1)
        store.kill()
        return await stored(disk) if failed else []

    def ends(illness: Illness) -> set[tuple[str, ...]]:
        return {tuple(run_simulation(main(seed, illness), seed)) for seed in range(40)}

    assert ends(Illness.UNSYNCED) == {(), ("e-0",)}
    assert ends(Illness.FAILING) == ends(Illness.FULL) == {()}


def test_a_later_write_overwrites_what_was_not_synced() -> None:
    async def main(seed: int) -> tuple[list[int], list[str]]:
        disk, health = MemoryExecutionStore(), DiskHealth(Illness.UNSYNCED)
        store = store_over(disk, seed, health=health)
        failed = await failures(store, 1)
        health.illness = None
        await store.apply(change(7))
        store.kill()
        return failed, await stored(disk)

    ends = [run_simulation(main(seed), seed) for seed in range(20)]
    assert {tuple(found) for failed, found in ends if failed} == {("e-7",)}
