"""The latest word of each node on its executions, for as long as it is believed."""

from __future__ import annotations

from bacalhau.lifecycle.events import event
from bacalhau.models import Event, ExecutionID, NodeID, Topic
from bacalhau.orchestrator.underway import EVENTS_A_NODE, FRESH_SECONDS, UnderwayEvents

HERE, THERE = NodeID("n-1"), NodeID("n-2")
ONE, TWO = ExecutionID("e-1"), ExecutionID("e-2")


class FakeClock:
    """Time that passes when it is told to."""

    seconds = 0.0

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def word(text: str) -> Event:
    return event(0, Topic.DOWNLOADING_INPUTS, text)


def test_a_word_replaces_the_one_before() -> None:
    told = UnderwayEvents(FakeClock())
    told.tell(HERE, {ONE: word("1"), TWO: word("2")})
    told.tell(HERE, {TWO: word("3")})
    assert told.find(HERE, ONE) is None
    assert told.find(HERE, TWO) == word("3")
    told.tell(HERE, {})
    assert told.find(HERE, TWO) is None


def test_nodes_speak_for_their_own_executions() -> None:
    told = UnderwayEvents(FakeClock())
    told.tell(HERE, {ONE: word("1")})
    assert told.find(THERE, ONE) is None


def test_a_node_that_falls_silent_is_not_believed_for_long() -> None:
    clock = FakeClock()
    told = UnderwayEvents(clock)
    told.tell(HERE, {ONE: word("1")})
    clock.advance(FRESH_SECONDS - 1)
    assert told.find(HERE, ONE) == word("1")
    clock.advance(1)
    assert told.find(HERE, ONE) is None


def test_a_node_is_listened_to_within_bounds() -> None:
    told = UnderwayEvents(FakeClock())
    many = {ExecutionID(f"e-{n}"): word("") for n in range(EVENTS_A_NODE + 1)}
    told.tell(HERE, many)
    assert told.find(HERE, ExecutionID(f"e-{EVENTS_A_NODE - 1}")) is not None
    assert told.find(HERE, ExecutionID(f"e-{EVENTS_A_NODE}")) is None
