"""The virtual-time loop: time, order, and what it refuses."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading

import pytest

from bacalhau.testing.loop import (
    EPOCH_NS,
    DeadlockError,
    EscapeError,
    LivelockError,
    SimulationError,
    VirtualClock,
    run_simulation,
)


def order_of_ten(seed: int) -> list[int]:
    """Run ten tasks that are ready at the same time, and return who came first."""
    order: list[int] = []

    async def note(number: int) -> None:
        await asyncio.sleep(0)
        order.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(note(number))

    run_simulation(main(), seed)
    return order


def test_waiting_costs_no_time_and_moves_both_clocks() -> None:
    async def main() -> tuple[int, float]:
        clock = VirtualClock()
        assert (clock.now_ns(), clock.monotonic()) == (EPOCH_NS, 0.0)
        await asyncio.sleep(86_400 * 365)
        return clock.now_ns(), clock.monotonic()

    assert run_simulation(main(), 1) == (
        EPOCH_NS + 86_400 * 365 * 10**9,
        86_400 * 365.0,
    )


def test_a_wait_until_a_wall_time_never_ends_early() -> None:
    async def main() -> None:
        clock = VirtualClock()
        for step_ns in (1, 7, 333_333_333, 1_000_000_007, 59_999_999_999):
            deadline_ns = clock.now_ns() + step_ns
            await asyncio.sleep((deadline_ns - clock.now_ns()) / 1e9)
            assert clock.now_ns() >= deadline_ns

    run_simulation(main(), 1)


def test_a_wall_clock_may_be_ahead_of_another() -> None:
    async def main() -> int:
        return VirtualClock(offset_ns=5).now_ns() - VirtualClock().now_ns()

    assert run_simulation(main(), 1) == 5


def test_a_seed_repeats_its_order_and_seeds_differ() -> None:
    orders = [order_of_ten(seed) for seed in range(5)]
    assert orders == [order_of_ten(seed) for seed in range(5)]
    assert len({tuple(order) for order in orders}) == 5


def test_a_group_cancels_its_tasks_in_the_order_of_the_seed() -> None:
    def cancelled_order() -> list[int]:
        order: list[int] = []
        ballast = [object() for _ in range(len(kept) * 37)]
        kept.append(ballast)

        async def wait(number: int) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                order.append(number)

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ValueError

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(8):
                    group.create_task(wait(number))
                group.create_task(fail())

        with pytest.raises(ExceptionGroup):
            run_simulation(main(), 7)
        return order

    kept: list[list[object]] = []
    first = cancelled_order()
    assert all(cancelled_order() == first for _ in range(5))


def test_a_deadlock_is_reported_with_those_who_wait() -> None:
    async def wait_for_nobody() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match="wait_for_nobody"):
        run_simulation(wait_for_nobody(), 1)


def test_a_program_that_never_waits_is_reported() -> None:
    async def spin() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    with pytest.raises(LivelockError, match="stands still"):
        run_simulation(spin(), 1)


def test_a_program_that_never_ends_is_reported() -> None:
    async def tick() -> None:
        for _ in itertools.count():
            await asyncio.sleep(1)

    with pytest.raises(LivelockError, match="no end after 3600 s"):
        run_simulation(tick(), 1, limit_seconds=3600)


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(EscapeError, match="thread"):
        run_simulation(main(), 1)


def test_calls_from_another_thread_are_refused() -> None:
    refused: list[BaseException] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def call() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except EscapeError as error:
                refused.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    run_simulation(main(), 1)
    assert len(refused) == 1


def test_sockets_are_refused() -> None:
    async def main() -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_recv(near, 1)
        finally:
            near.close()
            far.close()

    with pytest.raises(EscapeError, match="socket"):
        run_simulation(main(), 1)


def test_tasks_left_behind_are_reported_and_ended() -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append("linger")

    async def main() -> None:
        asyncio.get_running_loop().create_task(linger())
        await asyncio.sleep(1)

    with pytest.raises(SimulationError, match="linger"):
        run_simulation(main(), 1)
    assert ended == ["linger"]


def test_the_result_and_the_error_of_the_program_come_through() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise KeyError("lost")

    assert run_simulation(answer(), 1) == 42
    with pytest.raises(KeyError, match="lost"):
        run_simulation(fail(), 1)
