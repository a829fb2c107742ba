"""A network that loses, doubles, delays and reorders, and that cuts peers off.

All of it is drawn from one source of chance, so that a seed repeats every fault. It runs in
virtual time (``bacalhau.testing.loop``).
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bacalhau.errors import ConflictError, TransientError
from bacalhau.protocol.messages import Envelope

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable

    from bacalhau.models import NodeID
    from bacalhau.ports.transport import LogHandler
    from bacalhau.protocol.messages import LogFrame, LogRequest, PeerID

_COMPONENT = "SimulatedTransport"
_DECODER = msgspec.msgpack.Decoder(Envelope)
MAILBOX_CAPACITY = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkFaults:
    """What the network does to envelopes. The default does nothing.

    Attributes:
        loss: Probability that an envelope is lost.
        doubling: Probability that it arrives twice.
        delay_seconds: The longest usual delay; each is drawn evenly from 0 up to it.
        straggling: Probability that an envelope is held back far beyond the usual delay, so that
            many later ones overtake it.
        straggling_seconds: The longest that one is held back.
    """

    loss: float = 0.0
    doubling: float = 0.0
    delay_seconds: float = 0.0
    straggling: float = 0.0
    straggling_seconds: float = 0.0


FAULTLESS = NetworkFaults()


class SimulatedTransport:
    """A network of peers with faults (``ports.Transport``).

    Envelopes are encoded and decoded on the way, so that peers share no object. A full mailbox
    drops what comes last.

    Args:
        random: Decides every fault.
        faults: What happens to envelopes; may be changed at any time.
        observe: Called with one line for each envelope that is sent, lost, doubled or delivered.
    """

    def __init__(
        self,
        random: random.Random,
        *,
        faults: NetworkFaults = FAULTLESS,
        observe: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.faults = faults
        self._random = random
        self._observe = observe
        self._endpoints: dict[PeerID, _SimulatedEndpoint] = {}
        self._mute: dict[PeerID, None] = {}
        self._deaf: dict[PeerID, None] = {}
        self._on_the_way = 0

    @property
    def in_flight(self) -> int:
        """How many envelopes have been sent and neither lost nor received."""
        return self._on_the_way + sum(peer.mailbox.qsize() for peer in self._endpoints.values())

    def isolate(self, peer: PeerID, *, sends: bool = False, receives: bool = False) -> None:
        """Cut a peer off; ``sends`` and ``receives`` name the direction that still works."""
        if not sends:
            self._mute[peer] = None
        if not receives:
            self._deaf[peer] = None
        self._observe(f"isolate {peer} sends={sends} receives={receives}")

    def rejoin(self, peer: PeerID) -> None:
        """End the isolation of a peer."""
        self._mute.pop(peer, None)
        self._deaf.pop(peer, None)
        self._observe(f"rejoin {peer}")

    def heal(self) -> None:
        """End all faults; what is on its way still arrives late."""
        self.faults = FAULTLESS
        self._mute.clear()
        self._deaf.clear()
        self._observe("heal")

    @contextlib.asynccontextmanager
    async def endpoint(
        self, peer: PeerID, *, logs: LogHandler | None = None
    ) -> AsyncIterator[_SimulatedEndpoint]:
        """Open the door for ``peer``.

        Raises:
            ConflictError: the peer has an open endpoint already.
        """
        if peer in self._endpoints:
            raise ConflictError(f"peer {peer!r} is connected already", component=_COMPONENT)
        opened = _SimulatedEndpoint(self, peer, logs)
        self._endpoints[peer] = opened
        try:
            yield opened
        finally:
            self.disconnect(opened)

    def disconnect(self, endpoint: _SimulatedEndpoint) -> None:
        """Close a door at once, as a crash does; closing it again changes nothing."""
        if self._endpoints.get(endpoint.peer) is endpoint:
            del self._endpoints[endpoint.peer]

    def disconnect_peer(self, peer: PeerID) -> None:
        """Close the door of a peer at once, if it has one."""
        self._endpoints.pop(peer, None)

    async def stream_logs(self, node_id: NodeID, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Stream output of an execution from its node.

        Raises:
            TransientError: the node is absent or cut off, or answers no such requests.
        """
        target = self._endpoints.get(node_id)
        if target is None or target.logs is None or self._is_cut(node_id):
            raise TransientError(f"node {node_id!r} does not answer", component=_COMPONENT)
        frames: Any = target.logs(request)
        try:
            async for frame in frames:
                yield frame
        finally:
            close = getattr(frames, "aclose", None)
            if close is not None:
                await close()

    def _is_cut(self, peer: PeerID) -> bool:
        return peer in self._mute or peer in self._deaf

    def carry(self, endpoint: _SimulatedEndpoint, envelope: Envelope) -> None:
        """Send an envelope on its way, or lose it."""
        text = _describe(envelope)
        if self._endpoints.get(endpoint.peer) is not endpoint:
            self._observe(f"lose {text}: sender is gone")
            return
        if self._chance(self.faults.loss):
            self._observe(f"lose {text}")
            return
        copies = 2 if self._chance(self.faults.doubling) else 1
        self._observe(f"send {text} copies={copies}")
        data = msgspec.msgpack.encode(envelope)
        for _ in range(copies):
            self._dispatch(data, envelope)

    def _dispatch(self, data: bytes, envelope: Envelope) -> None:
        delay_seconds = self._delay_seconds()
        self._on_the_way += 1
        if delay_seconds > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(delay_seconds, self._arrive, data, envelope)
        else:
            self._arrive(data, envelope)

    def _arrive(self, data: bytes, envelope: Envelope) -> None:
        self._on_the_way -= 1
        target = self._endpoints.get(envelope.target)
        if envelope.source in self._mute or envelope.target in self._deaf:
            self._observe(f"lose {_describe(envelope)}: cut off")
        elif target is None:
            self._observe(f"lose {_describe(envelope)}: nobody there")
        elif target.mailbox.full():
            self._observe(f"lose {_describe(envelope)}: mailbox full")
        else:
            self._observe(f"deliver {_describe(envelope)}")
            target.mailbox.put_nowait(_DECODER.decode(data))

    def _delay_seconds(self) -> float:
        faults = self.faults
        if self._chance(faults.straggling):
            return self._random.random() * faults.straggling_seconds
        return self._random.random() * faults.delay_seconds if faults.delay_seconds else 0.0

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability


class _SimulatedEndpoint:
    """The door of one peer (``ports.Endpoint``)."""

    def __init__(
        self, transport: SimulatedTransport, peer: PeerID, logs: LogHandler | None
    ) -> None:
        self._transport = transport
        self.peer = peer
        self.logs = logs
        self.mailbox: asyncio.Queue[Envelope] = asyncio.Queue(MAILBOX_CAPACITY)

    async def send(self, envelope: Envelope) -> None:
        """Hand over an envelope; returns at once."""
        assert envelope.source == self.peer, "a peer sends in its own name"
        self._transport.carry(self, envelope)

    async def receive(self) -> Envelope:
        """Wait for the next envelope."""
        return await self.mailbox.get()


def _describe(envelope: Envelope) -> str:
    message = envelope.message
    execution = getattr(message, "execution", message)
    subject = getattr(execution, "id", "") or getattr(message, "execution_id", "")
    return (
        f"{envelope.source}->{envelope.target} {type(message).__name__} {subject}"
        f" #{envelope.seq}/{envelope.previous}"
    )
