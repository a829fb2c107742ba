"""Which offers a node takes, and what it says about the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bacalhau.compute.options import ComputeOptions
from bacalhau.models import (
    ComputeState,
    Execution,
    InputSource,
    NetworkConfig,
    NetworkType,
    ResourcesConfig,
    SpecConfig,
    Task,
)
from bacalhau.protocol.messages import BidResult, ComputeError
from bacalhau.testing.engine_fake import FakeEngine
from bacalhau.testing.loop import VirtualClock
from tests.support.compute_node import Machine, offer, simulated, task, until

NETWORKED = NetworkConfig(type=NetworkType.FULL)
UNKNOWN = SpecConfig(type="Nowhere")


async def answer(machine: Machine, execution: Execution) -> Any:
    """Offer an execution and return the first answer."""
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(execution)
        await until(lambda: orchestrator.told)
    return orchestrator.told[0]


async def refusal(machine: Machine, of: Task) -> str:
    bid = await answer(machine, offer(of))
    assert isinstance(bid, BidResult)
    assert not bid.accepted
    assert machine.state() is ComputeState.ASK_FOR_BID_REJECTED
    assert bid.events[-1].topic == "Exec Scanning"
    return bid.events[-1].message


@simulated
async def test_networked_tasks_are_refused_by_default() -> None:
    text = await refusal(Machine(), task(network=NETWORKED))
    assert text == "rejected bid: this node does not run jobs that require network access"


@simulated
async def test_networked_tasks_are_taken_when_the_operator_says_so() -> None:
    machine = Machine(options=ComputeOptions(accept_networked_jobs=True))
    bid = await answer(machine, offer(task(network=NETWORKED)))
    assert bid.accepted


@simulated
async def test_all_cheap_reasons_are_told_and_nothing_is_listed() -> None:
    machine = Machine()
    wanted = task(
        {"Files": {"a": "1"}},
        network=NETWORKED,
        publisher=SpecConfig(type="S3"),
    )
    wanted = Task(
        name="main",
        engine=SpecConfig(type="Docker"),
        publisher=wanted.publisher,
        network=NETWORKED,
        input_sources=[*wanted.input_sources, InputSource(source=UNKNOWN, target="/x")],
    )
    assert await refusal(machine, wanted) == (
        "rejected bid: this node does not run jobs that require network access; "
        'rejected bid: this node does not support "s3"; '
        'rejected bid: this node does not support "nowhere"; '
        'rejected bid: this node does not support "docker"'
    )
    assert machine.source.plans == 0


@simulated
async def test_what_is_installed_but_unwell_is_not_supported() -> None:
    machine = Machine()
    machine.source.is_offered = False
    text = await refusal(machine, task({}))
    assert text == 'rejected bid: this node does not support "fake"'


@simulated
async def test_a_plug_in_that_recovers_is_offered_again_within_a_minute() -> None:
    machine = Machine()
    machine.tasks.is_available = False
    async with machine.cluster() as orchestrator:
        await until(lambda: orchestrator.heartbeats)
        assert orchestrator.heartbeats[-1].load.execution_engines == []
        machine.tasks.is_available = True
        await until(lambda: orchestrator.heartbeats[-1].load.execution_engines == ["fake"])
        assert len(orchestrator.heartbeats) <= 5


@simulated
async def test_the_engine_has_a_say() -> None:
    machine = Machine()
    machine.tasks.refuses = "support the available image platforms [linux/s390x]"
    text = await refusal(machine, task())
    assert text == (
        "rejected bid: this node does not support the available image platforms [linux/s390x]"
    )


@simulated
async def test_the_publisher_has_a_say_before_the_task_runs() -> None:
    machine = Machine()
    wanted = task({}, publisher=SpecConfig(type="fake", params={"Refusal": "not there"}))
    bid = await answer(machine, offer(wanted))
    assert bid.events[-1].message == "rejected bid: not there"
    assert bid.events[-1].details["Hint"] == "publish elsewhere"
    assert machine.source.plans == 0
    assert machine.tasks.started == []


@simulated
async def test_more_than_the_node_has_is_refused() -> None:
    machine = Machine()
    text = await refusal(machine, task(resources=ResourcesConfig(cpu="8", memory="1gb")))
    assert text == (
        "rejected bid: insufficient resources - "
        "requested: {CPU: 8.00, Memory: 1.0 GB, Disk: 0 B, GPU: 0}, "
        "available: {CPU: 4.00, Memory: 8.0 GB, Disk: 100 GB, GPU: 0}"
    )


@simulated
async def test_the_size_of_the_inputs_counts_as_disk() -> None:
    fits = task({"Bytes": 40 * 10**9}, {"Bytes": 60 * 10**9})
    bid = await answer(Machine(), offer(fits))
    assert bid.allocated.tasks["main"].disk == 100 * 10**9

    text = await refusal(Machine(), task({"Bytes": 40 * 10**9}, {"Bytes": 61 * 10**9}))
    assert "requested: {CPU: 1.00, Memory: 1.0 GB, Disk: 101 GB, GPU: 0}" in text


@simulated
async def test_a_larger_request_for_disk_covers_the_inputs() -> None:
    wanted = task({"Bytes": 5}, resources=ResourcesConfig(disk="1gb"))
    bid = await answer(Machine(), offer(wanted))
    assert bid.allocated.tasks["main"].disk == 10**9


@simulated
async def test_load_does_not_matter_for_a_bid() -> None:
    machine = Machine()
    whole = ResourcesConfig(cpu="4")
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Seconds": -1}, resources=whole)))
        await until(lambda: machine.tasks.started)
        await orchestrator.ask(offer(task(resources=whole), name="e-2"))
        await until(lambda: len(orchestrator.of_type(BidResult)) == 2)
    assert all(bid.accepted for bid in orchestrator.of_type(BidResult))


@simulated
async def test_an_input_that_cannot_be_listed_fails_the_execution() -> None:
    params = {"PlanFailure": "access denied", "FailureCode": "AccessDenied"}
    error = await answer(Machine(), offer(task(params)))
    assert isinstance(error, ComputeError)
    event = error.events[-1]
    assert event.message == "calculating resource usage of job: access denied"
    assert event.topic == "Exec Scanning"
    assert event.details == {"IsError": "true", "ErrorCode": "FakeSource:AccessDenied"}
    assert not error.retryable


@simulated
async def test_the_first_input_that_fails_is_told() -> None:
    inputs = [{"PlanFailure": f"no {name}"} for name in ("first", "second")]
    error = await answer(Machine(), offer(task({}, *inputs)))
    assert error.events[-1].message.endswith("no first")


@simulated
async def test_listing_has_a_time_limit() -> None:
    machine = Machine(options=ComputeOptions(read_timeout_seconds=90))
    error = await answer(machine, offer(task({"PlanSeconds": -1})))
    assert error.events[-1].message == (
        'calculating resource usage of job: listing the input for "/in/0" took longer than 1m30s'
    )
    assert error.retryable
    assert "InputSources.ReadTimeout" in error.events[-1].details["Hint"]


@simulated
async def test_parameters_are_judged_again_on_the_node() -> None:
    error = await answer(Machine(), offer(task(engine={"ExitCode": "three"})))
    assert isinstance(error, ComputeError)
    assert error.events[-1].topic == "Exec Scanning"
    assert "ExitCode" in error.events[-1].message


@simulated
async def test_a_defect_of_a_plug_in_fails_one_execution_and_not_the_node() -> None:
    machine = Machine()
    machine.engine = _BrokenEngine(VirtualClock(), machine.tasks)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer())
        await until(lambda: orchestrator.of_type(ComputeError))
        await until(lambda: orchestrator.heartbeats)
    event = orchestrator.of_type(ComputeError)[0].events[-1]
    assert event.message == "KeyError: 'image'"
    assert event.details["ErrorCode"] == "ComputeNode:InternalError"


class _BrokenEngine(FakeEngine):
    async def refusal(self, task: Task, resources: object) -> str:
        raise KeyError("image")


@simulated
async def test_bids_are_worked_out_side_by_side() -> None:
    machine = Machine()
    names = [f"e-{number}" for number in range(10)]
    executions: Sequence[Execution] = [
        offer(task({"PlanSeconds": 60}, engine={"Seconds": -1}), name=name) for name in names
    ]
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(*executions)
        await until(lambda: len(orchestrator.told) == 10)
        assert len(orchestrator.heartbeats) <= 5
