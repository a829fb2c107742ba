"""Work in parallel: bounded, in order of its beginning, and stopped by the first error."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.stopping import StoppedError, never
from bacalhau.lib.threads import run_to_end, run_until_stopped

if TYPE_CHECKING:
    from bacalhau.lib.stopping import Stopped


async def test_no_more_at_once_than_allowed() -> None:
    running = most = 0
    begun: list[int] = []

    async def work(item: int) -> None:
        nonlocal running, most
        begun.append(item)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await in_parallel(range(20), 3, work)
    assert begun == list(range(20))
    assert most == 3


async def test_nothing_to_do() -> None:
    async def work(_: int) -> None:
        raise AssertionError

    await in_parallel([], 3, work)


async def test_first_error_stops_the_others_and_is_raised_as_it_is() -> None:
    stopped: list[int] = []

    async def work(item: int) -> None:
        if item == 2:
            raise ValueError("two")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(item)

    with pytest.raises(ValueError, match="two"):
        await in_parallel(range(10), 4, work)
    assert sorted(stopped) == [0, 1, 3]


async def test_cancelled_caller_waits_for_the_thread() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[bool] = []

    def step() -> None:
        begun.set()
        assert go_on.wait(10)
        done.append(True)

    with ThreadPoolExecutor(1) as executor:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(run_to_end(executor, step))
            await asyncio.to_thread(begun.wait, 10)
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
            go_on.set()
            await asyncio.wait([task])
    assert done == [True]
    assert task.cancelled()


async def test_results_and_errors_of_a_thread() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert await run_to_end(executor, lambda: 5) == 5
        with pytest.raises(ValueError, match="invalid literal"):
            await run_to_end(executor, lambda: int("x"))


async def test_cancelled_caller_stops_the_step_and_waits_for_its_end() -> None:
    begun, done = threading.Event(), threading.Event()

    def step(is_stopped: Stopped) -> None:
        begun.set()
        while not is_stopped():
            begun.wait(0.001)
        done.set()
        raise StoppedError

    with ThreadPoolExecutor(1) as executor:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run_until_stopped(executor, step)) for _ in range(3)]
            await asyncio.to_thread(begun.wait, 10)
            for task in reversed(tasks):  # the others have no thread yet
                task.cancel()
                await asyncio.wait([task], timeout=10)
                assert task.cancelled()
                assert done.is_set() == (task is tasks[0])


async def test_results_and_errors_of_a_step_that_may_be_stopped() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert await run_until_stopped(executor, lambda is_stopped: is_stopped()) is never()
        with pytest.raises(ValueError, match="invalid literal"):
            await run_until_stopped(executor, lambda _: int("x"))
