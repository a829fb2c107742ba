"""Leftovers of nobody, whenever they appear."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bacalhau.compute.options import ComputeOptions
from bacalhau.errors import TransientError
from bacalhau.models import ExecutionID
from bacalhau.protocol.messages import CancelExecution, RunResult
from bacalhau.testing.engine_fake import FakeEngine
from bacalhau.testing.loop import VirtualClock
from bacalhau.testing.workspace_fake import _Files
from tests.support.compute_node import Machine, offer, simulated, task, until

if TYPE_CHECKING:
    from collections.abc import Callable

STRAY = ExecutionID("e-9")
E1 = ExecutionID("e-1")
EVERY_SECONDS = ComputeOptions().sweep_every_seconds


@simulated
async def test_what_appears_while_the_node_runs_is_removed_and_what_runs_is_not() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Seconds": 400})))
        await until(lambda: machine.tasks.started)
        machine.tasks.ends[STRAY] = 10**6
        machine.disk.files[STRAY] = _Files(inputs=2, has_results=True)
        await asyncio.sleep(EVERY_SECONDS + 1)
        assert list(machine.tasks.ends) == [E1]
        assert machine.disk.leftovers() == [E1]
        await until(lambda: orchestrator.of_type(RunResult))


@simulated
async def test_an_engine_that_was_unwell_is_swept_when_it_is_well_again() -> None:
    machine = Machine()
    engine = machine.engine = _Unwell(VirtualClock(), machine.tasks)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Seconds": -1})))
        await until(lambda: machine.tasks.started)
        await orchestrator.send(CancelExecution(execution_id=E1))
        await until(lambda: machine.disk.leftovers() == [])
        machine.tasks.ends[E1] = 10**6
        await asyncio.sleep(EVERY_SECONDS + 1)
        assert list(machine.tasks.ends) == [E1]
        engine.is_well = True
        await asyncio.sleep(EVERY_SECONDS + 1)
        assert machine.tasks.ends == {}


class _Unwell(FakeEngine):
    is_well = False

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        if not self.is_well:
            raise TransientError("nobody answers")
        await super().sweep(is_live)
