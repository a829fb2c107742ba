"""Carrying envelopes and log streams between peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from bacalhau.models import NodeID
    from bacalhau.protocol.messages import Envelope, LogFrame, LogRequest, PeerID

    LogHandler = Callable[[LogRequest], AsyncIterator[LogFrame]]


class Endpoint(Protocol):
    """One peer's door to the transport."""

    async def send(self, envelope: Envelope) -> None:
        """Hand over an envelope. It may be lost, doubled, late or out of order; never altered."""
        ...

    async def receive(self) -> Envelope:
        """Wait for the next envelope addressed to this peer."""
        ...


class Transport(Protocol):
    """A network of peers."""

    def endpoint(
        self, peer: PeerID, *, logs: LogHandler | None = None
    ) -> AbstractAsyncContextManager[Endpoint]:
        """Open a door for ``peer``; ``logs`` answers requests for the output of its executions."""
        ...

    def stream_logs(self, node_id: NodeID, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Stream output of an execution from its node.

        Raises:
            TransientError: the node does not answer.
        """
        ...
