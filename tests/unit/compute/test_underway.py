"""What a node tells of executions that wait in its own queue, or publish."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.compute.ledger import Ledger
from bacalhau.compute.underway import TOLD_OF_QUEUE, Doings, waiting_text
from bacalhau.compute.watches import Watches
from bacalhau.models import ExecutionID, Resources, ResourcesConfig, SpecConfig
from bacalhau.protocol.messages import BidResult, CancelExecution, RunResult, Underway
from tests.support.compute_node import Machine, Orchestrator, offer, simulated, task, until

E1 = ExecutionID("e-1")


@pytest.mark.parametrize(
    ("wanted", "free", "text"),
    [
        (
            Resources(cpu=2, memory=10**9),
            Resources(cpu=0.5, memory=4 * 10**9),
            "wants CPU 2; free CPU 0.5",
        ),
        (
            Resources(cpu=0.1, memory=10**9, disk=10**10, gpu=2),
            Resources(cpu=1, memory=5 * 10**8, disk=10**9, gpu=0),
            "wants memory 1.0 GB, disk 10 GB, GPU 2; free memory 500 MB, disk 1.0 GB, GPU 0",
        ),
    ],
)
def test_only_what_is_lacking_is_told(wanted: Resources, free: Resources, text: str) -> None:
    assert waiting_text(wanted, free) == f"Waiting for room on the node: {text}"


async def test_those_whose_turn_is_next_are_told_of() -> None:
    ledger = Ledger(Resources(cpu=1))
    doings = Doings(Watches(), ledger)
    assert ledger.enter(E1, Resources(cpu=1), 0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(doings.wait_any(), 0)
    for number in range(TOLD_OF_QUEUE + 1):
        ledger.enter(ExecutionID(f"e-w{number}"), Resources(cpu=1), number)
    await asyncio.wait_for(doings.wait_any(), 1)
    events = doings.events(0)
    assert len(events) == TOLD_OF_QUEUE
    assert ExecutionID("e-w0") not in events, "it has the lowest priority"
    assert events[ExecutionID("e-w1")].topic == "Queueing"
    for number in range(TOLD_OF_QUEUE + 1):
        ledger.withdraw(ExecutionID(f"e-w{number}"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(doings.wait_any(), 0)


@simulated
async def test_an_execution_that_waits_for_room_says_so_until_it_starts() -> None:
    machine = Machine()
    work = task(engine={"Seconds": -1}, resources=ResourcesConfig(cpu="3"))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(work, name="e-1"))
        await until(lambda: len(orchestrator.of_type(BidResult)) == 1)
        await orchestrator.ask(offer(work, name="e-2"))
        await until(lambda: words(orchestrator))
        (told,) = words(orchestrator)[-1].values()
        assert told == "Waiting for room on the node: wants CPU 3; free CPU 1"
        await orchestrator.send(CancelExecution(execution_id=E1, reason="enough"))
        await until(lambda: words(orchestrator)[-1] == {})


@simulated
async def test_an_execution_that_publishes_says_so_until_it_has_ended() -> None:
    machine = Machine()
    slow = task(publisher=SpecConfig(type="fake", params={"Seconds": 5.5}))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(slow, name="e-1"))
        await until(lambda: orchestrator.of_type(RunResult))
        await until(lambda: words(orchestrator)[-1] == {})
    assert words(orchestrator) == [{E1: "Publishing results"}] * 5 + [{}]


@simulated
async def test_an_execution_that_publishes_quickly_says_nothing() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(publisher=SpecConfig(type="fake")), name="e-1"))
        await until(lambda: orchestrator.of_type(RunResult))
        await asyncio.sleep(5)
    assert words(orchestrator) == []


def words(orchestrator: Orchestrator) -> list[dict[ExecutionID, str]]:
    """Return what the node has said of its executions, each time."""
    return [
        {execution_id: event.message for execution_id, event in envelope.message.events.items()}
        for _, envelope in orchestrator.arrivals
        if isinstance(envelope.message, Underway)
    ]
