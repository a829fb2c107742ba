"""An orchestrator over a store in memory, and what tests do with it all the time."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import SeededIds
from bacalhau.models import Event, Execution, Job, JobID, JobState, NodeID, RunOutput, Topic
from bacalhau.orchestrator.service import Orchestrator, OrchestratorOptions
from bacalhau.protocol.messages import AskForBid, BidResult, RunResult
from bacalhau.testing.store_memory import MemoryJobStore
from bacalhau.transport.memory import MemoryTransport
from tests.support.records import make_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.lifecycle.changes import JobChanges
    from tests.support.scripted_node import ScriptedNode


class Stage:
    """An orchestrator over a store that outlives it."""

    def __init__(self) -> None:
        self.store = WatchedStore()
        self.transport = MemoryTransport()
        self._starts = 0

    def orchestrator(self, **options: Any) -> Orchestrator:
        self._starts += 1
        return Orchestrator(
            node_id=NodeID("n-0"),
            store=self.store,
            transport=self.transport,
            clock=SystemClock(),
            random=random.Random(1),
            ids=SeededIds(random.Random(self._starts)),
            options=OrchestratorOptions(**options),
        )

    async def until(self, job_id: JobID, reached: Callable[[Job], bool]) -> Job:
        """Wait for a job to look like something."""
        async with asyncio.timeout(5):
            while True:
                job = self.store.job(job_id)
                assert job is not None
                if reached(job):
                    return job
                await asyncio.sleep(0.001)

    async def until_state(self, job_id: JobID, state: JobState) -> Job:
        return await self.until(job_id, lambda job: job.state.state_type is state)

    def executions(self, job_id: JobID) -> tuple[Execution, ...]:
        return self.store.executions_of(job_id)


async def submit(orchestrator: Orchestrator, **changes: Any) -> JobID:
    job = make_job(id="", name="", namespace="", revision=0, create_time=0, **changes)
    response = await orchestrator.intake.submit(job, warnings=[], client_meta={})
    return response.job_id


async def take_and_run(node: ScriptedNode) -> Execution:
    """Agree to the next offer and wait until that is stored."""
    execution = (await node.hear(AskForBid)).execution
    await node.answer(BidResult(execution_id=execution.id, accepted=True))
    await node.all_acknowledged()
    return execution


async def finish(node: ScriptedNode, execution: Execution) -> None:
    event = Event(message="Completed successfully", topic=Topic.EXECUTION.value, timestamp="")
    output = RunOutput(stdout="hello\n")
    await node.answer(RunResult(execution_id=execution.id, events=(event,), run_output=output))


class WatchedStore(MemoryJobStore):
    """Notes every transaction in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.applied: list[JobChanges] = []

    async def apply(self, changes: JobChanges) -> int:
        generation = await super().apply(changes)
        self.applied.append(changes)
        return generation
