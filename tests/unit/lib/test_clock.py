"""A clock that does not go back with its machine's."""

from __future__ import annotations

import itertools

import pytest

from bacalhau.lib.clock import SLEW, SteadyClock

SECOND = 10**9
START_NS = 1_700_000_000 * SECOND


class Machine:
    """A machine whose date can be set."""

    def __init__(self) -> None:
        self.uptime = 100.0
        self.date_ns = START_NS

    def now_ns(self) -> int:
        return self.date_ns

    def monotonic(self) -> float:
        return self.uptime

    def passes(self, seconds: float) -> None:
        self.uptime += seconds
        self.date_ns += int(seconds * SECOND)


def no_news(seconds: float) -> None:
    pytest.fail(f"{seconds} s behind")


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_it_is_the_machines_date_while_nobody_sets_that(machine: Machine) -> None:
    clock = SteadyClock(machine, no_news)
    for seconds in (0.0, 1e-6, 0.5, 3600.0):
        machine.passes(seconds)
        assert clock.now_ns() == machine.now_ns()
        assert clock.monotonic() == machine.monotonic()


def test_a_date_that_is_set_back_is_told_once_and_caught_up_with(machine: Machine) -> None:
    told: list[float] = []
    clock = SteadyClock(machine, told.append)
    machine.date_ns -= 60 * SECOND
    shown = [clock.now_ns()]
    for _ in range(70):
        machine.passes(10)
        shown.append(clock.now_ns())
    assert told == [60]
    steps = [(later - sooner) / SECOND for sooner, later in itertools.pairwise(shown)]
    assert min(steps) == pytest.approx(10 * (1 - SLEW))
    assert shown[-1] == machine.now_ns()

    machine.date_ns -= 2 * SECOND
    clock.now_ns()
    assert told == [60, 2]


def test_a_date_that_is_set_forward_is_followed_at_once(machine: Machine) -> None:
    clock = SteadyClock(machine, no_news)
    machine.date_ns += 3600 * SECOND
    assert clock.now_ns() == machine.now_ns()


def test_a_correction_of_less_than_a_second_is_no_news(machine: Machine) -> None:
    clock = SteadyClock(machine, no_news)
    before = clock.now_ns()
    machine.date_ns -= SECOND // 2
    assert clock.now_ns() == before
