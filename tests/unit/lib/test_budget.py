"""Memory that tasks share."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.lib.budget import ByteBudget


async def test_no_more_is_held_than_there_is() -> None:
    budget = ByteBudget(10)
    held = 0
    most = 0

    async def work(size: int) -> None:
        nonlocal held, most
        async with budget.hold(size):
            held += size
            most = max(most, held)
            await asyncio.sleep(0)
            held -= size

    async with asyncio.TaskGroup() as group:
        for size in (4, 6, 3, 9, 1, 1, 10, 2):
            group.create_task(work(size))
    assert held == 0
    assert 0 < most <= 10


async def test_who_wants_more_than_all_works_alone() -> None:
    budget = ByteBudget(10)
    order: list[str] = []

    async def work(name: str, size: int) -> None:
        async with budget.hold(size):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    async with asyncio.TaskGroup() as group:
        group.create_task(work("small", 1))
        group.create_task(work("huge", 1000))
        group.create_task(work("late", 1))
    assert order == [
        "small begins",
        "small ends",
        "huge begins",
        "huge ends",
        "late begins",
        "late ends",
    ]


async def test_bytes_come_back_after_an_error_and_from_who_gave_up() -> None:
    budget = ByteBudget(1)
    with pytest.raises(RuntimeError):
        async with budget.hold(1):
            raise RuntimeError
    async with budget.hold(1), asyncio.TaskGroup() as group:
        waiting = group.create_task(_hold(budget))
        await asyncio.sleep(0)
        waiting.cancel()
    async with asyncio.timeout(1):
        await _hold(budget)


async def _hold(budget: ByteBudget) -> None:
    async with budget.hold(1):
        pass
