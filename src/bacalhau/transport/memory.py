"""The transport of peers that share a process: queues in memory."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.errors import ConflictError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.models import NodeID
    from bacalhau.ports.transport import LogHandler
    from bacalhau.protocol.messages import Envelope, LogFrame, LogRequest, PeerID

_COMPONENT = "MemoryTransport"
MAILBOX_CAPACITY = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryTransportStatistics:
    """Counts since the transport was made: envelopes taken, and those lost by reason."""

    sent: int
    dropped_unknown_peer: int
    dropped_mailbox_full: int


class MemoryTransport:
    """Carries envelopes between the peers of one process (``ports.Transport``).

    Envelopes arrive once and in order. Two kinds are dropped, as a network would do, and it is for
    the protocol to send them again: those to a peer that has no open endpoint, and those to a peer
    whose mailbox is full. Senders never wait, so that two peers cannot block each other.

    Args:
        mailbox_capacity: How many envelopes may wait for one peer.
    """

    def __init__(self, *, mailbox_capacity: int = MAILBOX_CAPACITY) -> None:
        assert mailbox_capacity > 0, "a mailbox holds at least one envelope"
        self._mailbox_capacity = mailbox_capacity
        self._endpoints: dict[PeerID, _MemoryEndpoint] = {}
        self._sent = 0
        self._dropped_unknown_peer = 0
        self._dropped_mailbox_full = 0

    def statistics(self) -> MemoryTransportStatistics:
        """Return what was carried so far."""
        return MemoryTransportStatistics(
            sent=self._sent,
            dropped_unknown_peer=self._dropped_unknown_peer,
            dropped_mailbox_full=self._dropped_mailbox_full,
        )

    @contextlib.asynccontextmanager
    async def endpoint(
        self, peer: PeerID, *, logs: LogHandler | None = None
    ) -> AsyncIterator[_MemoryEndpoint]:
        """Open the door for ``peer``; what arrives while it is closed is lost.

        Raises:
            ConflictError: the peer has an open endpoint already.
        """
        if peer in self._endpoints:
            raise ConflictError(
                f"peer {peer!r} is connected already",
                hint="give every node of this process a name of its own",
                component=_COMPONENT,
            )
        opened = _MemoryEndpoint(self, peer, logs, self._mailbox_capacity)
        self._endpoints[peer] = opened
        try:
            yield opened
        finally:
            del self._endpoints[peer]

    async def stream_logs(self, node_id: NodeID, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Stream output of an execution from its node; the node's handler ends the stream.

        Raises:
            TransientError: the node has no open endpoint, or answers no such requests.
        """
        target = self._endpoints.get(node_id)
        if target is None or target.logs is None:
            raise TransientError(
                f"node {node_id!r} does not answer requests for logs",
                hint="try again when the node is connected",
                component=_COMPONENT,
            )
        frames = target.logs(request)
        try:
            async for frame in frames:
                yield frame
        finally:
            # A generator left to the garbage collector would end at an unknown time.
            close = getattr(frames, "aclose", None)
            if close is not None:
                await close()

    def deliver(self, envelope: Envelope) -> None:
        """Put an envelope into the mailbox of its target, or drop it."""
        target = self._endpoints.get(envelope.target)
        if target is None:
            self._dropped_unknown_peer += 1
        elif target.mailbox.full():
            self._dropped_mailbox_full += 1
        else:
            target.mailbox.put_nowait(envelope)
            self._sent += 1


class _MemoryEndpoint:
    """The door of one peer (``ports.Endpoint``)."""

    def __init__(
        self, transport: MemoryTransport, peer: PeerID, logs: LogHandler | None, capacity: int
    ) -> None:
        self._transport = transport
        self._peer = peer
        self.logs = logs
        self.mailbox: asyncio.Queue[Envelope] = asyncio.Queue(capacity)

    async def send(self, envelope: Envelope) -> None:
        """Hand over an envelope; returns at once."""
        assert envelope.source == self._peer, "a peer sends in its own name"
        self._transport.deliver(envelope)

    async def receive(self) -> Envelope:
        """Wait for the next envelope.

        Cancellation: no envelope is lost.
        """
        return await self.mailbox.get()
