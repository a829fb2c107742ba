"""The faults of the simulated network."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import TransientError
from bacalhau.models import ExecutionID
from bacalhau.protocol.messages import ORCHESTRATOR, LogRequest
from bacalhau.testing.contracts.transport import NODE, envelope, two_lines
from bacalhau.testing.loop import run_simulation
from bacalhau.testing.network import NetworkFaults, SimulatedTransport

if TYPE_CHECKING:
    from bacalhau.ports.transport import Endpoint

COUNT = 400


async def drain(endpoint: Endpoint) -> list[int]:
    """Receive until nothing has come for an hour."""
    arrived: list[int] = []
    while True:
        try:
            async with asyncio.timeout(3_600):
                arrived.append((await endpoint.receive()).seq)
        except TimeoutError:
            return arrived


def arrivals(faults: NetworkFaults, seed: int = 1) -> list[int]:
    """Send many envelopes in a minute, and return the numbers that arrive."""

    async def main() -> list[int]:
        transport = SimulatedTransport(random.Random(seed), faults=faults)
        async with transport.endpoint(ORCHESTRATOR) as source, transport.endpoint(NODE) as node:
            for seq in range(1, COUNT + 1):
                await source.send(envelope(ORCHESTRATOR, NODE, seq=seq))
                await asyncio.sleep(60 / COUNT)
            return await drain(node)

    return run_simulation(main(), seed)


def test_loses_about_as_many_as_asked() -> None:
    arrived = arrivals(NetworkFaults(loss=0.25))
    assert len(arrived) == len(set(arrived))
    assert 0.6 * COUNT < len(arrived) < 0.9 * COUNT


def test_doubles_some() -> None:
    arrived = arrivals(NetworkFaults(doubling=0.25))
    assert set(arrived) == set(range(1, COUNT + 1))
    assert 1.1 * COUNT < len(arrived) < 1.4 * COUNT


def test_delays_reorder_but_lose_nothing() -> None:
    arrived = arrivals(NetworkFaults(delay_seconds=1.0))
    assert sorted(arrived) == list(range(1, COUNT + 1))
    assert arrived != sorted(arrived)


def test_stragglers_are_overtaken_by_many() -> None:
    arrived = arrivals(NetworkFaults(straggling=0.02, straggling_seconds=60.0))
    assert sorted(arrived) == list(range(1, COUNT + 1))
    lateness = [place - seq for place, seq in enumerate(arrived, start=1)]
    assert max(lateness) > 20


def test_a_seed_repeats_its_faults() -> None:
    faults = NetworkFaults(loss=0.1, doubling=0.1, delay_seconds=2.0)
    assert arrivals(faults, seed=3) == arrivals(faults, seed=3)
    assert arrivals(faults, seed=3) != arrivals(faults, seed=4)


def run_between(*steps: str) -> tuple[list[int], list[int]]:
    """Send one envelope in each direction after each step; return what arrived at either end."""

    async def main() -> tuple[list[int], list[int]]:
        transport = SimulatedTransport(random.Random(1))
        actions = {
            "isolate": lambda: transport.isolate(NODE),
            "mute": lambda: transport.isolate(NODE, receives=True),
            "deafen": lambda: transport.isolate(NODE, sends=True),
            "rejoin": lambda: transport.rejoin(NODE),
            "heal": transport.heal,
        }
        async with transport.endpoint(ORCHESTRATOR) as hub, transport.endpoint(NODE) as node:
            for seq, step in enumerate(steps, start=1):
                actions[step]()
                await hub.send(envelope(ORCHESTRATOR, NODE, seq=seq))
                await node.send(envelope(NODE, ORCHESTRATOR, seq=seq))
            return await drain(node), await drain(hub)

    return run_simulation(main(), 1)


def test_an_isolated_peer_neither_hears_nor_is_heard_until_it_rejoins() -> None:
    assert run_between("isolate", "rejoin") == ([2], [2])


def test_isolation_may_be_of_one_direction() -> None:
    assert run_between("mute", "heal") == ([1, 2], [2])
    assert run_between("deafen", "heal") == ([2], [1, 2])


def test_what_is_on_its_way_is_lost_when_the_peer_is_cut_off() -> None:
    async def main() -> list[int]:
        faults = NetworkFaults(delay_seconds=10.0)
        transport = SimulatedTransport(random.Random(1), faults=faults)
        async with transport.endpoint(ORCHESTRATOR) as hub, transport.endpoint(NODE) as node:
            await hub.send(envelope(ORCHESTRATOR, NODE, seq=1))
            assert transport.in_flight == 1
            transport.isolate(NODE)
            arrived = await drain(node)
            assert transport.in_flight == 0
            return arrived

    assert run_simulation(main(), 1) == []


def test_a_crashed_peer_sends_nothing_more() -> None:
    async def main() -> list[int]:
        transport = SimulatedTransport(random.Random(1))
        async with transport.endpoint(ORCHESTRATOR) as hub, transport.endpoint(NODE) as node:
            transport.disconnect_peer(NODE)
            async with transport.endpoint(NODE) as successor:
                await node.send(envelope(NODE, ORCHESTRATOR, seq=1))
                await successor.send(envelope(NODE, ORCHESTRATOR, seq=2))
                return await drain(hub)

    assert run_simulation(main(), 1) == [2]


def test_logs_of_an_isolated_node_are_a_transient_error() -> None:
    async def main() -> None:
        transport = SimulatedTransport(random.Random(1))
        async with transport.endpoint(NODE, logs=two_lines):
            transport.isolate(NODE)
            request = LogRequest(execution_id=ExecutionID("e-1"))
            with pytest.raises(TransientError, match="does not answer"):
                async for _ in transport.stream_logs(NODE, request):
                    pass

    run_simulation(main(), 1)
