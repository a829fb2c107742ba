"""Answers about many executions of one job, which arrive together."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec

from bacalhau.models import ComputeState, JobState, JobType, NodeID, Resources, RunOutput
from bacalhau.protocol.messages import AskForBid, BidResult, RunResult
from tests.support.orchestrator_stage import Stage, submit
from tests.support.scripted_node import OFFER, scripted_node

COUNT = 40
LARGE = msgspec.structs.replace(OFFER, max_capacity=Resources(cpu=100, memory=10**12, disk=10**12))


async def test_what_arrives_together_is_stored_together() -> None:
    """Else each would be worked out again for every other one that is stored before it."""
    stage = Stage()
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello(LARGE)
        job_id = await submit(orchestrator, count=COUNT)
        offers = [(await node.hear(AskForBid)).execution.id for _ in range(COUNT)]
        before = len(stage.store.applied)
        agreed = [BidResult(execution_id=each, accepted=True) for each in offers]
        ended = [RunResult(execution_id=each, run_output=RunOutput()) for each in offers]
        await orchestrator.answers.take(NodeID("n-1"), [*agreed, *ended])
        stored = [each for each in stage.store.applied[before:] if each.job_id == job_id]
        history = await stage.store.history(job_id)

    assert len(stored) == 2  # all agreed, all ended
    states = {run.compute_state.state_type for run in stage.executions(job_id)}
    assert states == {ComputeState.COMPLETED}
    job = stage.store.job(job_id)
    assert job is not None
    assert job.state.state_type is JobState.COMPLETED
    told = [item.event.message for item in history if item.execution_id == offers[-1]]
    assert told == ["Requested execution on n-1", "Running"]


async def test_what_many_nodes_answer_at_once_is_stored_together() -> None:
    stage = Stage()
    async with AsyncExitStack() as stack:
        orchestrator = await stack.enter_async_context(stage.orchestrator().run())
        names = [f"n-{number}" for number in range(1, COUNT + 1)]
        nodes = [
            await stack.enter_async_context(scripted_node(stage.transport, name)) for name in names
        ]
        for node in nodes:
            await node.hello(OFFER)
        job_id = await submit(orchestrator, type=JobType.OPS)
        offers = {node.name: (await node.hear(AskForBid)).execution.id for node in nodes}
        before = len(stage.store.applied)
        async with asyncio.TaskGroup() as group:
            for name, offered in offers.items():
                agreed = BidResult(execution_id=offered, accepted=True)
                group.create_task(orchestrator.answers.take(NodeID(name), [agreed]))
        stored = [each for each in stage.store.applied[before:] if each.job_id == job_id]

    assert len(stored) == 2  # the first, and all that came while it was stored
    states = {run.compute_state.state_type for run in stage.executions(job_id)}
    assert states == {ComputeState.BID_ACCEPTED}
