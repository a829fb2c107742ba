"""Ordered delivery holds whatever the network does."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.models import ExecutionID
from bacalhau.protocol.messages import CancelExecution, Envelope, Rejoin, StoredMessage
from bacalhau.protocol.sequence import Patience, Receiver, Sender


def stored(*numbers: int) -> list[StoredMessage]:
    """Make an outbox with these numbers."""
    return [
        StoredMessage(seq=seq, message=CancelExecution(execution_id=ExecutionID(f"e-{seq}")))
        for seq in numbers
    ]


def chosen(sender: Sender, outbox: list[StoredMessage], window: int) -> list[tuple[int, int]]:
    """Let the sender choose, and return (number, number before it)."""
    return [(message.seq, previous) for message, previous in sender.take(outbox, window)]


def test_each_message_names_the_one_before_it() -> None:
    sender = Sender(floor=2)
    assert chosen(sender, stored(3, 7, 8), window=10) == [(3, 0), (7, 3), (8, 7)]


def test_nothing_is_sent_twice_without_a_reason() -> None:
    sender = Sender(floor=0)
    chosen(sender, stored(1, 2), window=10)
    assert chosen(sender, stored(1, 2, 3), window=10) == [(3, 2)]
    assert chosen(sender, stored(1, 2, 3), window=10) == []


def test_no_more_than_the_window_is_in_flight() -> None:
    sender = Sender(floor=0)
    assert chosen(sender, stored(1, 2, 3), window=2) == [(1, 0), (2, 1)]
    assert chosen(sender, stored(1, 2, 3), window=2) == []
    assert sender.acknowledge(1)
    assert chosen(sender, stored(2, 3), window=2) == [(3, 2)]


def test_a_rewind_sends_again_what_is_not_acknowledged() -> None:
    sender = Sender(floor=0)
    chosen(sender, stored(1, 2, 3), window=10)
    sender.acknowledge(1)
    assert sender.rewind()
    assert chosen(sender, stored(2, 3), window=10) == [(2, 0), (3, 2)]


def test_a_rewind_with_nothing_on_the_way_says_so() -> None:
    sender = Sender(floor=5)
    assert not sender.rewind()


def test_old_acknowledgements_say_nothing_new() -> None:
    sender = Sender(floor=3)
    assert not sender.acknowledge(3)
    assert not sender.acknowledge(1)
    assert sender.acked == 3


def test_an_acknowledgement_after_a_rewind_still_counts() -> None:
    sender = Sender(floor=0)
    chosen(sender, stored(1, 2, 3), window=10)
    sender.rewind()
    assert sender.acknowledge(2)
    assert chosen(sender, stored(3), window=10) == [(3, 0)]


def test_a_receiver_with_too_low_a_floor_goes_on_where_the_sender_stands() -> None:
    sender, receiver = Sender(floor=2), Receiver(floor=0)
    [(seq, previous)] = chosen(sender, stored(3), window=10)
    assert receiver.is_next(seq, previous)


def test_the_receiver_takes_what_follows_and_nothing_else() -> None:
    receiver = Receiver(floor=2)
    assert receiver.is_next(7, 2), "numbers need not be consecutive"
    assert receiver.is_next(7, 1), "an older predecessor is a smaller claim"
    assert not receiver.is_next(7, 5), "5 is missing"
    assert not receiver.is_next(2, 1), "2 is known"


def test_a_message_cannot_be_taken_twice() -> None:
    receiver = Receiver(floor=0)
    receiver.take(4)
    with pytest.raises(AssertionError, match="taken once"):
        receiver.take(4)


@dataclass
class Link:
    """A sender and a receiver with a network between them that does everything but invent."""

    numbers: list[int]
    window: int
    chance: random.Random
    on_the_way: list[tuple[int, int]] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sender = Sender(0)
        self.receiver = Receiver(0)
        self.written = 0

    def outbox(self) -> list[StoredMessage]:
        """What is written and not acknowledged."""
        waiting = [n for n in self.numbers[: self.written] if n > self.sender.acked]
        return stored(*waiting)

    def send(self) -> None:
        """Let the sender choose, lose and double some."""
        for pair in chosen(self.sender, self.outbox(), self.window):
            copies = self.chance.choice((0, 1, 1, 2))
            self.on_the_way.extend([pair] * copies)
        in_flight = [n for n in self.numbers if self.sender.acked < n <= self.sender.sent]
        assert len(in_flight) <= self.window

    def deliver(self) -> None:
        """Deliver any one of those on the way, and perhaps lose the acknowledgement."""
        if not self.on_the_way:
            return
        place = self.chance.randrange(len(self.on_the_way))
        seq, previous = self.on_the_way.pop(place)
        if self.receiver.is_next(seq, previous):
            self.receiver.take(seq)
            self.taken.append(seq)
        if self.chance.random() < 0.7:
            self.acks.append(self.receiver.received)

    def acknowledge(self) -> None:
        """Deliver any acknowledgement; some arrive late."""
        if self.acks:
            self.sender.acknowledge(self.acks.pop(self.chance.randrange(len(self.acks))))

    def step(self) -> None:
        """Do one thing, drawn by chance, and check what must always hold."""
        if self.written < len(self.numbers) and self.chance.random() < 0.5:
            self.written += 1
        actions = (self.send, self.send, self.deliver, self.deliver, self.acknowledge)
        self.chance.choice(actions)()
        if self.chance.random() < 0.1:
            self.sender.rewind()
        assert self.taken == self.numbers[: len(self.taken)], "in order, each once, no gap"
        assert self.sender.acked <= self.receiver.received, "only what arrived is acknowledged"
        assert self.sender.acked <= self.sender.sent

    def calm(self) -> None:
        """End all faults and let both sides talk until all has arrived."""
        self.written = len(self.numbers)
        while self.sender.acked < self.numbers[-1]:
            before = self.sender.acked
            self.sender.rewind()
            for seq, previous in chosen(self.sender, self.outbox(), self.window):
                if self.receiver.is_next(seq, previous):
                    self.receiver.take(seq)
                    self.taken.append(seq)
            self.sender.acknowledge(self.receiver.received)
            assert self.sender.acked > before, "a round without faults makes progress"


outboxes = st.lists(st.integers(1, 10_000), min_size=1, max_size=30, unique=True).map(sorted)


@given(outboxes, st.integers(1, 8), st.integers(0, 2**32))
def test_any_network_keeps_order_and_a_calm_one_delivers_all(
    numbers: list[int], window: int, seed: int
) -> None:
    link = Link(numbers, window, random.Random(seed))
    for _ in range(200):
        link.step()
    link.calm()
    assert link.taken == numbers


def test_patience_counts_from_the_first_look() -> None:
    patience = Patience(2, 30)
    assert patience.until(10.0) == 12.0
    assert patience.until(11.5) == 12.0


def test_patience_doubles_with_each_wait_in_vain_up_to_a_limit() -> None:
    patience = Patience(2, 5)
    waits = []
    for _ in range(3):
        waits.append(patience.until(0.0))
        patience.lengthen()
    assert waits == [2.0, 4.0, 5.0]


def test_progress_renews_patience() -> None:
    patience = Patience(2, 30)
    patience.until(0.0)
    patience.lengthen()
    patience.renew()
    assert patience.until(10.0) == 12.0


def test_only_what_has_no_gap_before_it_may_be_taken() -> None:
    receiver = Receiver(3)
    envelopes = [_envelope(9, 8), _envelope(4, 3), _envelope(6, 4), _envelope(2, 1)]
    assert [item.seq for item in receiver.in_order(envelopes)] == [4, 6]
    assert receiver.received == 3


def _envelope(seq: int, previous: int) -> Envelope:
    return Envelope(
        source="n-1", target="o", session="s", message=Rejoin(), seq=seq, previous=previous
    )
