"""A compute node that says exactly what a test wants it to say."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from bacalhau.models import (
    ComputeNodeInfo,
    ComputeState,
    ExecutionID,
    NodeID,
    NodeInfo,
    NodeType,
    Resources,
)
from bacalhau.protocol.messages import (
    ORCHESTRATOR,
    Ack,
    AnyMessage,
    Envelope,
    Hello,
    Message,
    Report,
    Welcome,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.ports import Endpoint
    from bacalhau.transport.memory import MemoryTransport

M = TypeVar("M", bound=Message)
PATIENCE_SECONDS = 5.0

OFFER = ComputeNodeInfo(
    execution_engines=["wasm"],
    storage_sources=["inline"],
    publishers=["local"],
    max_capacity=Resources(cpu=1, memory=8_000_000_000, disk=10_000_000_000),
)


class ScriptedNode:
    """One end of a session. Sequenced messages are acknowledged, unless it is told not to."""

    def __init__(self, endpoint: Endpoint, name: str, session: str) -> None:
        self.name = name
        self.session = session
        self.received = 0
        self._endpoint = endpoint
        self._said = 0

    async def say(self, message: AnyMessage, *, seq: int = 0, previous: int = 0) -> None:
        await self._endpoint.send(
            Envelope(
                source=self.name,
                target=ORCHESTRATOR,
                session=self.session,
                message=message,
                seq=seq,
                previous=previous,
            )
        )

    async def answer(self, message: AnyMessage) -> None:
        self._said += 1
        await self.say(message, seq=self._said, previous=self._said - 1)

    async def all_acknowledged(self) -> None:
        """Wait until the orchestrator has stored all answers, skipping what it sends meanwhile."""
        while (await self.hear(Ack)).seq < self._said:
            pass

    async def hello(self, offer: ComputeNodeInfo = OFFER) -> None:
        info = NodeInfo(
            node_id=NodeID(self.name), node_type=NodeType.COMPUTE, compute_node_info=offer
        )
        await self.say(Hello(info=info, floor=0))
        self.received = (await self.hear(Welcome)).floor

    async def report(self, *untold: ExecutionID, **executions: ComputeState) -> None:
        live = {ExecutionID(key): state for key, state in executions.items()}
        await self.say(Report(executions=live, received=self.received, untold=untold))

    async def hear(self, kind: type[M], *, acknowledge: bool = True) -> M:
        """Wait for a message of a kind, skipping others."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                envelope = await self._endpoint.receive()
                if acknowledge and envelope.seq:
                    self.received = max(self.received, envelope.seq)
                    await self.say(Ack(seq=self.received))
                if isinstance(envelope.message, kind):
                    return envelope.message


@asynccontextmanager
async def scripted_node(
    transport: MemoryTransport, name: str = "n-1", session: str = "s-1"
) -> AsyncIterator[ScriptedNode]:
    async with transport.endpoint(name) as endpoint:
        yield ScriptedNode(endpoint, name, session)
