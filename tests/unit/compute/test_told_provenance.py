"""What a node tells the orchestrator of inputs and outputs, and when."""

from __future__ import annotations

import hashlib

import pytest

from bacalhau.models import ComputeState, JobType, SpecConfig
from bacalhau.models.provenance import FileRecord
from bacalhau.protocol.messages import (
    BidResult,
    CancelExecution,
    ComputeError,
    InputsRead,
    RunResult,
)
from tests.support.compute_node import Machine, offer, simulated, task, until

FILES = {"Files": {"a": "1", "b": "22"}}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@simulated
async def test_inputs_are_told_when_the_task_begins() -> None:
    """Long before its end: a service has none, and a node may be lost."""
    machine = Machine()
    work = task(FILES, engine={"Seconds": -1})
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(work, type=JobType.SERVICE))
        await until(lambda: orchestrator.of_type(InputsRead))
        assert machine.state() is ComputeState.RUNNING
        (record,) = orchestrator.of_type(InputsRead)[0].inputs
        await orchestrator.send(CancelExecution(execution_id=offer().id))
    assert (record.target, record.type, record.origin) == ("/in/0", "fake", "fake")
    assert record.files == [
        FileRecord(key="a", path="a", size_bytes=1, sha256=sha256("1")),
        FileRecord(key="b", path="b", size_bytes=2, sha256=sha256("22")),
    ]


@simulated
async def test_a_task_without_inputs_causes_no_further_message() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Stdout": "x"})))
        await until(lambda: orchestrator.of_type(RunResult))
    assert list(map(type, orchestrator.told)) == [BidResult, RunResult]
    assert orchestrator.told[-1].outputs is None  # type: ignore[union-attr]


@simulated
async def test_outputs_are_told_with_the_result() -> None:
    machine = Machine()
    work = task(engine={"Stdout": "x"}, publisher=SpecConfig(type="fake"))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(work))
        await until(lambda: orchestrator.of_type(RunResult))
    (result,) = orchestrator.of_type(RunResult)
    assert result.outputs.type == "fake"
    assert result.outputs.digest == hashlib.sha256().hexdigest()  # there are no files here


@simulated
async def test_what_a_failed_execution_read_is_known() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(FILES, engine={"Failure": "broken"})))
        await until(lambda: orchestrator.of_type(ComputeError))
    assert list(map(type, orchestrator.told)) == [BidResult, InputsRead, ComputeError]


@pytest.mark.parametrize("is_gone", [False, True])
def test_the_next_process_tells_again_only_what_it_fetched_again(is_gone: bool) -> None:
    @simulated
    async def play() -> None:
        machine = Machine()
        async with machine.orchestrator() as orchestrator:
            async with machine.node() as process:
                await orchestrator.ask(offer(task(FILES, engine={"Seconds": 100})))
                await until(lambda: orchestrator.of_type(InputsRead))
                await until(lambda: machine.store.outbox_floor() == 2)
                process.crash()
            if is_gone:
                machine.tasks.ends.clear()
            async with machine.node():
                await until(lambda: orchestrator.of_type(RunResult))
        told = orchestrator.of_type(InputsRead)
        assert len(told) == (2 if is_gone else 1)
        assert all(each == told[0] for each in told)

    play()


@simulated
async def test_what_was_read_is_told_although_the_node_dies_at_once() -> None:
    """It is stored together with the beginning of the task."""
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        orchestrator.acknowledges = False
        async with machine.node() as process:
            await orchestrator.ask(offer(task(FILES, engine={"Seconds": 100})))
            await until(lambda: machine.state() is ComputeState.RUNNING)
            process.crash()
        orchestrator.told.clear()
        orchestrator.acknowledges = True
        async with machine.node():
            await until(lambda: orchestrator.of_type(RunResult))
    assert orchestrator.of_type(InputsRead)
