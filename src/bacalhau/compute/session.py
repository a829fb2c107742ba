"""What one session with the orchestrator remembers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bacalhau.protocol.sequence import Receiver, Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.protocol.messages import Envelope

PENDING_LIMIT = 1024


class Session:
    """One session, from Hello until it is lost.

    Attributes:
        name: Identifies the session; envelopes of other sessions are ignored.
        sender: Decides what of the outbox to send. Hello tells what it knows delivered; so both
            sides count from the same number, whatever the store says by then.
        forgotten: The last message that was taken out of the outbox.
        receiver: What to take of the orchestrator's messages; None before Welcome.
        heard: When the orchestrator was last heard, in seconds of the monotonic clock.
        welcomed: Set by Welcome.
        lost: Set when the orchestrator does not know the session.
        to_acknowledge: Set when an acknowledgement is due.
    """

    def __init__(self, name: str, floor: int, now: float) -> None:
        self.name = name
        self.heard = now
        self.sender = Sender(floor)
        self.forgotten = floor
        self.receiver: Receiver | None = None
        self.welcomed = asyncio.Event()
        self.lost = asyncio.Event()
        self.to_acknowledge = asyncio.Event()
        self._pending: list[Envelope] = []

    def welcome(self, floor: int) -> None:
        """Begin to count the orchestrator's messages; a repeated Welcome changes nothing."""
        if self.receiver is None:
            self.receiver = Receiver(floor)
            self.welcomed.set()

    def arrived(self, envelope: Envelope) -> None:
        """Keep a message until it is taken. Too many are dropped: they will be sent again."""
        if self.receiver is not None and len(self._pending) < PENDING_LIMIT:
            self._pending.append(envelope)

    def in_order(self) -> Sequence[Envelope]:
        """Return what may be taken now: everything new that has no gap before it.

        The rest is forgotten; the orchestrator sends it again.
        """
        pending, self._pending = self._pending, []
        if self.receiver is None:
            return []
        return self.receiver.in_order(pending)

    def take(self, batch: Sequence[Envelope]) -> None:
        """Note that a batch has been stored, or that what came was not new."""
        assert self.receiver is not None, "messages are taken after Welcome"
        if batch:
            self.receiver.take(batch[-1].seq)
        self.to_acknowledge.set()
