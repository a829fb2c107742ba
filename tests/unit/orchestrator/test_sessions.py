"""Sending again: in virtual time, over a network that loses."""

from __future__ import annotations

import asyncio
import random

from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import ExecutionID, NodeID
from bacalhau.orchestrator.sessions import RESEND_SECONDS_MAX, Session
from bacalhau.protocol.messages import ORCHESTRATOR, CancelExecution, Sequenced
from bacalhau.testing.loop import run_simulation
from bacalhau.testing.network import FAULTLESS, NetworkFaults, SimulatedTransport
from bacalhau.testing.store_memory import MemoryJobStore
from tests.support.records import make_job

NODE = NodeID("n-1")
MESSAGE = CancelExecution(execution_id=ExecutionID("e-1"))


async def store_with_message() -> MemoryJobStore:
    job = make_job()
    store = MemoryJobStore()
    await store.apply(JobChanges(job_id=job.id, job=job, messages=((NODE, MESSAGE),)))
    return store


async def take_nothing(node_id: NodeID, messages: object) -> None:
    raise AssertionError("the node sends nothing")


async def first_arrival(*, silent_seconds: float, wake_every_seconds: float) -> Sequenced:
    """Lose everything for a while, and wake the session all the time; return what then arrives."""
    transport = SimulatedTransport(random.Random(1), faults=NetworkFaults(loss=1.0))
    async with (
        transport.endpoint(ORCHESTRATOR) as endpoint,
        transport.endpoint(NODE) as node,
        asyncio.TaskGroup() as tasks,
    ):
        session = Session(
            node_id=NODE,
            name="s-1",
            floor=0,
            endpoint=endpoint,
            store=await store_with_message(),
            take=take_nothing,
        )

        async def disturb() -> None:
            while True:
                await asyncio.sleep(wake_every_seconds)
                session.wake()

        background = [tasks.create_task(session.run()), tasks.create_task(disturb())]
        await asyncio.sleep(silent_seconds)
        transport.faults = FAULTLESS
        async with asyncio.timeout(RESEND_SECONDS_MAX + 1):
            envelope = await node.receive()
        for task in background:
            task.cancel()
    assert isinstance(envelope.message, CancelExecution)
    return envelope.message


def test_a_lost_message_is_sent_again() -> None:
    arrived = run_simulation(first_arrival(silent_seconds=5, wake_every_seconds=1_000), 1)
    assert arrived == MESSAGE


def test_being_woken_does_not_put_off_what_is_to_be_sent_again() -> None:
    arrived = run_simulation(first_arrival(silent_seconds=600, wake_every_seconds=1), 1)
    assert arrived == MESSAGE
