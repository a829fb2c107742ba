"""Ordered delivery over a network that loses, doubles and reorders: one sender, one receiver.

Both are plain values that change by their own methods and do no I/O. Numbers come from the
sender's outbox; they grow, but need not be consecutive. Delivery is cumulative, as in TCP: the
receiver takes a message only when it has everything before it, and acknowledges the last one taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.protocol.messages import StoredMessage


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

    def take(self, seq: int) -> None:
        """Note that a message has been stored."""
        assert seq > self.received, "a message is taken once"
        self.received = seq
