"""The transports under their contract, and what each adds to it."""

from __future__ import annotations

import random

import pytest

from bacalhau.errors import ConflictError
from bacalhau.protocol.messages import ORCHESTRATOR
from bacalhau.testing.contracts.transport import (
    NODE,
    TransportContract,
    assert_silent,
    envelope,
    next_envelope,
)
from bacalhau.testing.network import SimulatedTransport
from bacalhau.transport.memory import MemoryTransport


class TestMemoryTransport(TransportContract):
    @pytest.fixture
    def transport(self) -> MemoryTransport:
        return MemoryTransport()

    async def test_keeps_the_order_of_what_is_sent(self, transport: MemoryTransport) -> None:
        async with (
            transport.endpoint(ORCHESTRATOR) as orchestrator,
            transport.endpoint(NODE) as node,
        ):
            for seq in range(1, 6):
                await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=seq))
            assert [(await next_envelope(node)).seq for _ in range(5)] == [1, 2, 3, 4, 5]

    async def test_a_full_mailbox_drops_what_comes_last(self) -> None:
        transport = MemoryTransport(mailbox_capacity=2)
        async with (
            transport.endpoint(ORCHESTRATOR) as orchestrator,
            transport.endpoint(NODE) as node,
        ):
            for seq in (1, 2, 3):
                await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=seq))
            assert [(await next_envelope(node)).seq for _ in range(2)] == [1, 2]
            await assert_silent(node)
            assert transport.statistics().dropped_mailbox_full == 1

    async def test_counts_what_nobody_could_receive(self, transport: MemoryTransport) -> None:
        async with transport.endpoint(ORCHESTRATOR) as orchestrator:
            await orchestrator.send(envelope(ORCHESTRATOR, NODE))
        assert transport.statistics().dropped_unknown_peer == 1

    async def test_refuses_a_second_peer_of_the_same_name(self, transport: MemoryTransport) -> None:
        async with transport.endpoint(NODE):
            with pytest.raises(ConflictError, match="connected already"):
                async with transport.endpoint(NODE):
                    pass
        async with transport.endpoint(NODE):
            pass


class TestSimulatedTransportWithoutFaults(TransportContract):
    @pytest.fixture
    def transport(self) -> SimulatedTransport:
        return SimulatedTransport(random.Random(0))

    async def test_peers_share_no_object(self, transport: SimulatedTransport) -> None:
        async with (
            transport.endpoint(ORCHESTRATOR) as orchestrator,
            transport.endpoint(NODE) as node,
        ):
            sent = envelope(ORCHESTRATOR, NODE, seq=1)
            await orchestrator.send(sent)
            assert (await next_envelope(node)).message is not sent.message
