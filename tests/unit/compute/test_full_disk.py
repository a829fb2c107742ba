"""A node whose disk takes no writes for a while."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.errors import Code, TransientError
from bacalhau.models import ComputeState, ExecutionID, SpecConfig
from bacalhau.ports import LocalChanges
from bacalhau.protocol.messages import BidResult, RunResult
from bacalhau.testing.engine_fake import FakeMachine
from bacalhau.testing.store_memory import MemoryExecutionStore
from tests.support.compute_node import Machine, now, offer, simulated, task, until

E1 = ExecutionID("e-1")


class Disk(MemoryExecutionStore):
    """Refuses while it is full; says once that it refused although it did not, if told so."""

    is_full = False
    lies = False

    async def apply(self, changes: LocalChanges) -> None:
        self._check()
        await super().apply(changes)
        if self.lies:
            self.lies = False
            raise TransientError("no answer")

    async def outbox_delivered(self, *, up_to: int) -> None:
        self._check()
        await super().outbox_delivered(up_to=up_to)

    def _check(self) -> None:
        if self.is_full:
            raise TransientError("no space left")


@simulated
async def test_offers_wait_for_the_disk() -> None:
    disk = Disk()
    machine = Machine(store=disk)
    async with machine.cluster() as orchestrator:
        disk.is_full = True
        await orchestrator.ask(offer())
        await asyncio.sleep(100)
        assert machine.state() is None
        assert orchestrator.acked == 0
        disk.is_full = False
        await until(lambda: orchestrator.of_type(RunResult))
    assert orchestrator.acked == 1


@simulated
async def test_a_task_that_ends_meanwhile_is_not_lost() -> None:
    disk = Disk()
    machine = Machine(store=disk)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Seconds": 20, "Stdout": "x"})))
        await until(lambda: machine.tasks.started)
        disk.is_full = True
        await asyncio.sleep(100)
        assert machine.state() is ComputeState.RUNNING
        disk.is_full = False
        await until(lambda: orchestrator.of_type(RunResult))
        await until(lambda: disk.outbox_floor() == 2)
    assert orchestrator.of_type(RunResult)[0].run_output.stdout == "x"
    assert machine.tasks.started == [E1]


@simulated
async def test_a_write_that_only_seemed_to_fail_is_not_written_twice() -> None:
    disk = Disk()
    machine = Machine(store=disk)
    work = task(engine={"Seconds": 20}, publisher=SpecConfig(type="fake", params={"Seconds": 20}))
    async with machine.cluster() as orchestrator:
        disk.lies = True
        await orchestrator.ask(offer(work))
        await until(lambda: not disk.lies)
        await until(lambda: machine.state() is ComputeState.RUNNING)
        disk.lies = True
        await until(lambda: machine.state() is ComputeState.PUBLISHING)
        await until(lambda: not disk.lies)
        disk.lies = True
        await until(lambda: orchestrator.of_type(RunResult))
    assert [type(message) for message in orchestrator.told] == [BidResult, RunResult]


class FilledDisk(MemoryExecutionStore):
    """Is full as long as the engine keeps what the task has left, once it is told so."""

    def __init__(self, tasks: FakeMachine) -> None:
        super().__init__()
        self._tasks = tasks
        self.is_filled = False

    async def apply(self, changes: LocalChanges) -> None:
        if self.is_filled and self._tasks.ends:
            raise TransientError("no space left", code=Code.DISK)
        await super().apply(changes)


@pytest.mark.parametrize(
    ("does", "is_published", "state"),
    [
        ({}, False, ComputeState.COMPLETED),
        ({}, True, ComputeState.COMPLETED),
        ({"Failure": "no"}, False, ComputeState.FAILED),
    ],
)
@simulated
async def test_a_task_whose_container_fills_the_disk_makes_room_for_its_end(
    does: dict[str, object], *, is_published: bool, state: ComputeState
) -> None:
    """The container was removed after its end was stored, for which the container left no room."""
    tasks = FakeMachine()
    disk = FilledDisk(tasks)
    machine = Machine(store=disk, tasks=tasks)
    publisher = SpecConfig(type="fake") if is_published else SpecConfig()
    engine = {"Seconds": 20, "Stdout": "x", **does}
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine=engine, publisher=publisher)))
        await until(lambda: machine.state() is ComputeState.RUNNING)
        disk.is_filled = True
        await until(lambda: machine.state() is state)
    assert tasks.started == [E1]


@simulated
async def test_a_node_that_is_told_to_stop_waits_for_no_disk() -> None:
    disk = Disk()
    machine = Machine(store=disk)
    work = task(engine={"Stdout": "x"}, publisher=SpecConfig(type="fake", params={"Seconds": 20}))
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await orchestrator.ask(offer(work))
            await until(lambda: machine.shelf.attempts)
            disk.is_full = True
            await asyncio.sleep(60)
            begin = now()
            await process.stop()
            assert now() - begin < 5
        assert machine.state() is ComputeState.PUBLISHING
        disk.is_full = False
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
    assert orchestrator.of_type(RunResult)[0].run_output.stdout == "x"
    assert machine.tasks.started == [E1]
