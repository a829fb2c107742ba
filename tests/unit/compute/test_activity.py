"""What a node tells of what it does now."""

from __future__ import annotations

from bacalhau.models import ComputeState
from bacalhau.protocol.messages import RunResult
from tests.support.compute_node import Machine, offer, simulated, task, until


@simulated
async def test_a_node_tells_what_runs_and_how_much_has_completed() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator, machine.node() as process:
        idle = await process.node.activity()
        await orchestrator.ask(offer(task()))
        await until(lambda: orchestrator.of_type(RunResult))
        await orchestrator.ask(offer(task(engine={"Seconds": -1}), name="e-2"))
        await until(lambda: machine.state("e-2") is ComputeState.RUNNING)
        busy = await process.node.activity()
    assert (idle.active_jobs, idle.jobs_completed) == ([], 0)
    assert busy.jobs_completed == 1
    (active,) = busy.active_jobs
    assert (active.execution_id, active.job_id, active.state) == ("e-2", "j-1", "Running")
    assert active.allocated_resources.tasks["main"].cpu == 1
