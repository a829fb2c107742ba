"""What every transport must do (``ports.Transport``).

Subclass ``TransportContract`` in a test module and give it a fixture ``transport``. The transport
under test must be free of faults: the port allows loss and disorder, so only a quiet network can
be held to delivery.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import TransientError
from bacalhau.models import ComputeNodeInfo, ExecutionID, NodeID
from bacalhau.protocol.messages import (
    ORCHESTRATOR,
    Ack,
    CancelExecution,
    Envelope,
    Heartbeat,
    LogFrame,
    LogRequest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.ports.transport import Endpoint, Transport

DELIVERY_SECONDS = 5.0
SILENCE_SECONDS = 0.05
NODE = NodeID("n-one")
OTHER_NODE = NodeID("n-two")


def envelope(source: str, target: str, seq: int = 0) -> Envelope:
    """Make an envelope; one with a number carries a sequenced message, others a signal."""
    message = CancelExecution(execution_id=ExecutionID(f"e-{seq}")) if seq else Ack(seq=7)
    return Envelope(
        source=source,
        target=target,
        session="s-1",
        message=message,
        seq=seq,
        previous=max(0, seq - 1),
    )


async def next_envelope(endpoint: Endpoint) -> Envelope:
    """Receive, or fail the test when nothing comes."""
    async with asyncio.timeout(DELIVERY_SECONDS):
        return await endpoint.receive()


async def assert_silent(endpoint: Endpoint) -> None:
    """Fail the test when anything arrives."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE_SECONDS):
            await endpoint.receive()


async def two_lines(request: LogRequest) -> AsyncIterator[LogFrame]:
    """Answer every request for logs with its execution and one line to each stream."""
    yield LogFrame(stream=1, data=request.execution_id.encode())
    yield LogFrame(stream=2, data=b"done\n")


class TransportContract:
    """The suite; see the module."""

    async def test_carries_an_envelope_unaltered_in_both_directions(
        self, transport: Transport
    ) -> None:
        async with (
            transport.endpoint(ORCHESTRATOR) as orchestrator,
            transport.endpoint(NODE) as node,
        ):
            asked = envelope(ORCHESTRATOR, NODE, seq=3)
            answered = Envelope(
                source=NODE,
                target=ORCHESTRATOR,
                session="s-1",
                message=Heartbeat(load=ComputeNodeInfo(running_executions=2)),
            )
            await orchestrator.send(asked)
            await node.send(answered)
            assert await next_envelope(node) == asked
            assert await next_envelope(orchestrator) == answered

    async def test_delivers_each_envelope_to_its_target_only(self, transport: Transport) -> None:
        async with (
            transport.endpoint(ORCHESTRATOR) as orchestrator,
            transport.endpoint(NODE) as node,
            transport.endpoint(OTHER_NODE) as other,
        ):
            await orchestrator.send(envelope(ORCHESTRATOR, OTHER_NODE, seq=1))
            assert (await next_envelope(other)).seq == 1
            await assert_silent(node)

    async def test_delivers_all_of_a_burst(self, transport: Transport) -> None:
        async with (
            transport.endpoint(ORCHESTRATOR) as orchestrator,
            transport.endpoint(NODE) as node,
        ):
            for seq in range(1, 201):
                await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=seq))
            arrived = [(await next_envelope(node)).seq for _ in range(200)]
            assert sorted(arrived) == list(range(1, 201))

    async def test_a_peer_may_write_to_itself(self, transport: Transport) -> None:
        async with transport.endpoint(NODE) as node:
            await node.send(envelope(NODE, NODE, seq=1))
            assert (await next_envelope(node)).seq == 1

    async def test_drops_envelopes_to_unknown_peers(self, transport: Transport) -> None:
        async with transport.endpoint(ORCHESTRATOR) as orchestrator:
            await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=1))
            async with transport.endpoint(NODE) as node:
                await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=2))
                assert (await next_envelope(node)).seq == 2

    async def test_drops_what_waited_for_a_peer_that_left(self, transport: Transport) -> None:
        async with transport.endpoint(ORCHESTRATOR) as orchestrator:
            async with transport.endpoint(NODE):
                await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=1))
            async with transport.endpoint(NODE) as node:
                await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=2))
                assert (await next_envelope(node)).seq == 2

    async def test_a_cancelled_receive_loses_nothing(self, transport: Transport) -> None:
        async with (
            transport.endpoint(ORCHESTRATOR) as orchestrator,
            transport.endpoint(NODE) as node,
        ):
            await assert_silent(node)
            await orchestrator.send(envelope(ORCHESTRATOR, NODE, seq=1))
            assert (await next_envelope(node)).seq == 1

    async def test_streams_logs_from_the_node_asked(self, transport: Transport) -> None:
        async with transport.endpoint(NODE, logs=two_lines), transport.endpoint(OTHER_NODE):
            async with asyncio.timeout(DELIVERY_SECONDS):
                request = LogRequest(execution_id=ExecutionID("e-9"))
                frames = [frame async for frame in transport.stream_logs(NODE, request)]
        assert frames == [LogFrame(stream=1, data=b"e-9"), LogFrame(stream=2, data=b"done\n")]

    async def test_leaving_a_log_stream_early_ends_it_at_the_node(
        self, transport: Transport
    ) -> None:
        ended = asyncio.Event()

        async def endless(request: LogRequest) -> AsyncIterator[LogFrame]:
            try:
                while True:
                    yield LogFrame(stream=1, data=b"again\n")
                    await asyncio.sleep(0)
            finally:
                ended.set()

        async with transport.endpoint(NODE, logs=endless):
            request = LogRequest(execution_id=ExecutionID("e-9"), follow=True)
            stream: Any = transport.stream_logs(NODE, request)
            async with contextlib.aclosing(stream) as frames:
                async for _ in frames:
                    break
            async with asyncio.timeout(DELIVERY_SECONDS):
                await ended.wait()

    async def test_logs_of_an_absent_node_are_a_transient_error(self, transport: Transport) -> None:
        request = LogRequest(execution_id=ExecutionID("e-9"))
        with pytest.raises(TransientError, match=NODE):
            async for _ in transport.stream_logs(NODE, request):
                pass
