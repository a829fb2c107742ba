"""Capacity and the queue for it."""

from __future__ import annotations

from bacalhau.compute.ledger import Ledger
from bacalhau.models import ExecutionID, Resources


def enter(ledger: Ledger, name: str, cpu: float, priority: int = 0) -> bool:
    return ledger.enter(ExecutionID(name), Resources(cpu=cpu), priority)


def full() -> Ledger:
    """Four cores, all in use by "a"."""
    ledger = Ledger(Resources(cpu=4))
    assert enter(ledger, "a", 4)
    return ledger


def test_equal_priorities_go_in_order_of_arrival() -> None:
    ledger = full()
    for name in ("b", "c", "d"):
        assert not enter(ledger, name, 2)
    assert ledger.leave(ExecutionID("a")) == ["b", "c"]
    assert (ledger.running_count, ledger.queued_count) == (2, 1)


def test_higher_priority_goes_first() -> None:
    ledger = full()
    enter(ledger, "low", 4, priority=-1)
    enter(ledger, "high", 4, priority=9)
    assert ledger.leave(ExecutionID("a")) == ["high"]
    assert ledger.leave(ExecutionID("high")) == ["low"]


def test_what_fits_overtakes_what_does_not() -> None:
    ledger = Ledger(Resources(cpu=4))
    enter(ledger, "a", 3)
    assert not enter(ledger, "big", 4, priority=9)
    assert enter(ledger, "small", 1)


def test_withdrawn_work_never_starts() -> None:
    ledger = full()
    enter(ledger, "b", 4)
    enter(ledger, "c", 4)
    assert ledger.withdraw(ExecutionID("b"))
    assert not ledger.withdraw(ExecutionID("b"))
    assert not ledger.withdraw(ExecutionID("a"))
    assert ExecutionID("b") not in ledger
    assert ledger.leave(ExecutionID("a")) == ["c"]


def test_amounts_are_told_in_every_dimension() -> None:
    whole = Resources(cpu=2, memory=100, disk=100, gpu=1)
    ledger = Ledger(whole)
    ledger.enter(ExecutionID("a"), Resources(cpu=0.1, memory=60, gpu=1), 0)
    ledger.enter(ExecutionID("b"), Resources(cpu=0.1, memory=60, disk=5), 0)
    assert ledger.running == Resources(cpu=0.1, memory=60, gpu=1)
    assert ledger.queued == Resources(cpu=0.1, memory=60, disk=5)
    assert not ledger.can_ever_hold(Resources(gpu=2))
