"""Ordered delivery over a network that loses, doubles and reorders.

Both are plain values that change by their own methods and do no I/O. Numbers come from the
sender's outbox; they grow, but need not be consecutive. Delivery is cumulative, as in TCP: the
receiver takes a message only when it has everything before it, and acknowledges the last one taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bacalhau.protocol.messages import Envelope, StoredMessage


class Sender:
    """Decides what to send of an outbox within one session.

    Attributes:
        acked: Everything up to here has arrived.
        sent: The highest number sent since the last rewind; at least ``acked``.
    """

    def __init__(self, floor: int) -> None:
        self.acked = floor
        self.sent = floor

    def take(
        self, waiting: Sequence[StoredMessage], window: int
    ) -> list[tuple[StoredMessage, int]]:
        """Choose messages to send now, each with the number before it, and count them as sent.

        The first after ``acked`` names 0: nothing is missing before it. So a receiver that has
        forgotten where it stood, and counts from too low a floor, can go on all the same.

        ``waiting`` is the outbox above ``acked``, in order. At most ``window`` are in flight.
        """
        chosen = []
        previous = 0
        for message in waiting[:window]:
            if message.seq > self.sent:
                chosen.append((message, previous))
            previous = message.seq
        if chosen:
            self.sent = chosen[-1][0].seq
        return chosen

    def acknowledge(self, seq: int) -> bool:
        """Note an acknowledgement; return True when it says something new."""
        if seq <= self.acked:
            return False
        self.acked = seq
        self.sent = max(self.sent, seq)
        return True

    def rewind(self) -> bool:
        """Send everything unacknowledged again; return True when there is such a thing."""
        lost = self.sent > self.acked
        self.sent = self.acked
        return lost


class Receiver:
    """Decides which messages to take within one session.

    Attributes:
        received: Everything up to here has been taken; what to acknowledge.
    """

    def __init__(self, floor: int) -> None:
        self.received = floor

    def is_next(self, seq: int, previous: int) -> bool:
        """Tell whether a message is new and nothing before it is missing."""
        return previous <= self.received < seq

    def in_order(self, envelopes: Iterable[Envelope]) -> list[Envelope]:
        """Return what may be taken now, in order: everything new that has no gap before it.

        The rest is of no use: the sender sends it again.
        """
        ahead = Receiver(self.received)
        batch = []
        for envelope in sorted(envelopes, key=lambda each: each.seq):
            if ahead.is_next(envelope.seq, envelope.previous):
                ahead.take(envelope.seq)
                batch.append(envelope)
        return batch

    def take(self, seq: int) -> None:
        """Note that a message has been stored."""
        assert seq > self.received, "a message is taken once"
        self.received = seq


class Patience:
    """How long to wait for an acknowledgement before everything is sent again.

    Counted from the first look at it: what is sent meanwhile does not put it off. Doubled by each
    wait in vain. Times are seconds on whichever clock the caller uses.
    """

    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._seconds = first_seconds
        self._until: float | None = None

    def until(self, now: float) -> float:
        """Return the moment at which it ends."""
        if self._until is None:
            self._until = now + self._seconds
        return self._until

    def renew(self) -> None:
        """Begin anew: something was acknowledged, or nothing is waited for."""
        self._seconds, self._until = self._first, None

    def lengthen(self) -> None:
        """Begin anew, more patiently: nothing came in time."""
        self._seconds, self._until = min(self._seconds * 2, self._longest), None
