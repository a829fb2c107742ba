"""A node whose disk is replaced while it is down: it gets its executions again.

Scenarios drawn from seeds keep all disks, so nothing is ever offered again in them.
"""

from __future__ import annotations

import asyncio

from bacalhau.models import JobState
from bacalhau.testing.engine_fake import FakeMachine
from bacalhau.testing.store_memory import MemoryExecutionStore
from tests.support.cluster_stage import cluster
from tests.support.compute_node import simulated, task, until


@simulated
async def test_a_node_that_comes_back_with_an_empty_disk_runs_what_it_should() -> None:
    async with cluster() as stage:
        node = await stage.node()
        job = await stage.submit(task(engine={"Seconds": 200}))
        await until(lambda: node.tasks.started)
        assert node.process is not None
        await node.process.crash()
        node.store, node.tasks = MemoryExecutionStore(), FakeMachine()
        await asyncio.sleep(5)
        await node.start()
        await until(lambda: node.tasks.started)
        await stage.until_state(job, JobState.COMPLETED)
        assert len(stage.executions(job)) == 1
