"""A node from an offer to the end of the execution, as the orchestrator sees it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bacalhau.models import (
    ComputeState,
    ExecutionID,
    JobType,
    ResourcesConfig,
    SpecConfig,
)
from bacalhau.protocol.messages import (
    BidResult,
    CancelExecution,
    ComputeError,
    RunResult,
)
from tests.support.compute_node import Machine, offer, simulated, task, until, with_timeout

E1 = ExecutionID("e-1")


@simulated
async def test_an_offer_is_run_to_its_result() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Stdout": "hi\n", "ExitCode": 3})))
        await until(lambda: orchestrator.of_type(RunResult))

    bid, result = orchestrator.told
    assert isinstance(bid, BidResult)
    assert bid.accepted
    assert bid.allocated.tasks["main"].cpu == 1
    assert isinstance(result, RunResult)
    assert (result.run_output.stdout, result.run_output.exit_code) == ("hi\n", 3)
    assert [event.message for event in result.events] == ["Completed successfully"]
    assert result.events[0].topic == "Execution"
    assert machine.state() is ComputeState.COMPLETED
    assert machine.disk.leftovers() == []


@simulated
async def test_results_are_published() -> None:
    machine = Machine()
    work = task(engine={"Stdout": "x"}, publisher=SpecConfig(type="Fake"))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(work))
        await until(lambda: orchestrator.of_type(RunResult))
    result = orchestrator.of_type(RunResult)[0]
    assert result.published_result == SpecConfig(type="fake", params={"Shelf": "e-1"})
    assert list(machine.shelf.published) == [E1]


@simulated
async def test_the_task_finds_its_environment() -> None:
    machine = Machine()
    names = [
        "OWN",
        "BACALHAU_EXECUTION_ID",
        "BACALHAU_JOB_ID",
        "BACALHAU_JOB_TYPE",
        "BACALHAU_PARTITION_INDEX",
        "BACALHAU_PARTITION_COUNT",
    ]
    prints = {"Print": [f"env:{name}" for name in names]}
    env = {"OWN": "mine", "BACALHAU_JOB_ID": "forged"}
    async with machine.cluster() as orchestrator:
        offered = offer(task(engine=prints, env=env), count=3)
        await orchestrator.ask(replace(offered, partition_index=2))
        await until(lambda: orchestrator.of_type(RunResult))
    printed = orchestrator.of_type(RunResult)[0].run_output.stdout
    assert printed.split() == ["mine", "e-1", "j-1", "batch", "2", "3"]


@simulated
async def test_a_failed_input_fails_the_execution_and_leaves_nothing() -> None:
    machine = Machine()
    good = {"Files": {"a": "1"}, "FetchSeconds": -1}
    bad = {"FetchFailure": "no such key", "FailureCode": "NoSuchKey"}
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(good, bad)))
        await until(lambda: orchestrator.of_type(ComputeError))
    error = orchestrator.of_type(ComputeError)[0]
    assert error.events[-1].message == "preparing arguments: no such key"
    assert error.events[-1].topic == "Running Execution"
    assert error.events[-1].details == {"IsError": "true", "ErrorCode": "FakeSource:NoSuchKey"}
    assert not error.retryable
    assert error.run_output.exit_code == -1
    assert machine.disk.leftovers() == []
    assert machine.tasks.started == []


@simulated
async def test_a_failed_task_keeps_its_output() -> None:
    machine = Machine()
    engine = {"Stdout": "almost", "Failure": "memory limit exceeded", "FailureCode": "OOM"}
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine=engine)))
        await until(lambda: orchestrator.of_type(ComputeError))
    error = orchestrator.of_type(ComputeError)[0]
    assert error.events[-1].message == "memory limit exceeded"
    assert error.events[-1].topic == "Running Execution"
    assert error.run_output.stdout == "almost"
    assert error.run_output.error_msg == "memory limit exceeded"


@simulated
async def test_a_publish_failure_keeps_the_output_of_the_task() -> None:
    machine = Machine()
    publisher = SpecConfig(type="fake", params={"Failure": "access denied", "Retryable": True})
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Stdout": "x"}, publisher=publisher)))
        await until(lambda: orchestrator.of_type(ComputeError))
    error = orchestrator.of_type(ComputeError)[0]
    assert error.events[-1].message == "access denied"
    assert error.events[-1].topic == "Publishing Results"
    assert error.retryable
    assert (error.run_output.stdout, error.run_output.exit_code) == ("x", 0)
    assert machine.disk.leftovers() == []


@simulated
async def test_a_timeout_covers_inputs_task_and_publishing() -> None:
    phases = {
        "e-1": task({"FetchSeconds": -1}),
        "e-2": task(engine={"Stdout": "some", "Seconds": -1}),
        "e-3": task(publisher=SpecConfig(type="fake", params={"Seconds": -1})),
    }
    machine = Machine()
    async with machine.cluster() as orchestrator:
        for name, slow in phases.items():
            await orchestrator.ask(offer(with_timeout(slow, 90), name=name))
        await until(lambda: len(orchestrator.of_type(ComputeError)) == 3)
    errors = {error.execution_id: error for error in orchestrator.of_type(ComputeError)}
    for error in errors.values():
        assert error.events[-1].message == "Execution timed out after 1m30s"
        hint = "Increase the task timeout or allocate more resources"
        assert error.events[-1].details["Hint"] == hint
        assert error.retryable
    assert errors[ExecutionID("e-2")].run_output.stdout == "some"
    assert errors[ExecutionID("e-3")].run_output.exit_code == 0
    assert machine.disk.leftovers() == []
    assert machine.tasks.ends == {}


@simulated
async def test_a_service_has_no_timeout() -> None:
    machine = Machine()
    service = with_timeout(task(engine={"Seconds": 300}), 10)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(service, type=JobType.SERVICE))
        await until(lambda: orchestrator.of_type(RunResult))
    assert orchestrator.of_type(ComputeError) == []


_PHASES = {
    ComputeState.NEW: task({"PlanSeconds": -1}),
    ComputeState.BID_ACCEPTED: task({"FetchSeconds": -1}),
    ComputeState.RUNNING: task(engine={"Seconds": -1}),
    ComputeState.PUBLISHING: task(publisher=SpecConfig(type="fake", params={"Seconds": -1})),
}


@pytest.mark.parametrize("phase", _PHASES)
@simulated
async def test_cancel_stops_an_execution_in_every_phase(phase: ComputeState) -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(_PHASES[phase]))
        await until(lambda: machine.state() is phase)
        if phase is ComputeState.BID_ACCEPTED:
            await until(lambda: machine.source.fetching)
        await orchestrator.send(CancelExecution(execution_id=E1, reason="stopped"))
        await until(lambda: machine.state() is ComputeState.CANCELLED)
        await until(lambda: not machine.tasks.ends and not machine.disk.leftovers())
        # The room is free again.
        await orchestrator.ask(offer(task(resources=ResourcesConfig(cpu="4")), name="e-2"))
        await until(lambda: orchestrator.of_type(RunResult))
    assert orchestrator.of_type(ComputeError) == []


@simulated
async def test_a_cancelled_execution_leaves_the_queue_at_once() -> None:
    machine = Machine()
    whole = ResourcesConfig(cpu="4", memory="1gb")
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task(engine={"Seconds": 50}, resources=whole)))
        await until(lambda: machine.tasks.started == [E1])
        await orchestrator.ask(offer(task(resources=whole), name="e-2"))
        await until(lambda: machine.state("e-2") is ComputeState.BID_ACCEPTED)
        await orchestrator.send(CancelExecution(execution_id=ExecutionID("e-2")))
        await until(lambda: orchestrator.of_type(RunResult))
        await until(lambda: orchestrator.heartbeats)
    assert machine.tasks.started == [E1]
    assert orchestrator.heartbeats[-1].load.enqueued_executions == 0


@simulated
async def test_higher_priority_runs_first_and_small_work_overtakes() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(
            offer(task(engine={"Seconds": 10}, resources=ResourcesConfig(cpu="3")), name="first")
        )
        await until(lambda: machine.tasks.started)
        for name, cpu, priority in [("low", "4", 1), ("high", "4", 5), ("small", "1", 0)]:
            wanted = task(engine={"Seconds": 10}, resources=ResourcesConfig(cpu=cpu))
            await orchestrator.ask(offer(wanted, name=name, priority=priority))
        await until(lambda: len(orchestrator.of_type(RunResult)) == 4)
    assert machine.tasks.started == ["first", "small", "high", "low"]


@simulated
async def test_repeated_messages_change_nothing() -> None:
    machine = Machine()
    slow = offer(task(engine={"Seconds": 20}))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(slow, slow)
        await until(lambda: machine.state() is ComputeState.RUNNING)
        await orchestrator.ask(slow)
        await until(lambda: orchestrator.of_type(RunResult))
    assert machine.tasks.started == [E1]
    assert len(orchestrator.told) == 2


@simulated
async def test_an_offer_and_its_end_in_one_breath_cause_no_work() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        await orchestrator.ask(offer(task({"Bytes": 1})))
        await orchestrator.send(CancelExecution(execution_id=E1))
        async with machine.node():
            await until(lambda: orchestrator.acked == 2)
    assert machine.state() is ComputeState.CANCELLED
    assert machine.tasks.started == []
    assert orchestrator.told == []


@simulated
async def test_the_cancellation_of_an_unknown_execution_changes_nothing() -> None:
    machine = Machine()
    unknown = ExecutionID("e-9")
    async with machine.cluster() as orchestrator:
        await orchestrator.send(CancelExecution(execution_id=unknown))
        await until(lambda: orchestrator.acked == 1)
    assert machine.state("e-9") is None
    assert orchestrator.told == []


@simulated
async def test_an_ended_execution_that_is_offered_again_answers_with_its_end() -> None:
    machine = Machine()
    failing = offer(task(engine={"Failure": "no", "Stdout": "x"}))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(failing)
        await until(lambda: orchestrator.of_type(ComputeError))
        await orchestrator.ask(failing)
        await until(lambda: len(orchestrator.of_type(ComputeError)) == 2)
    first, second = orchestrator.of_type(ComputeError)
    assert first == second
    assert machine.tasks.started == [E1]


@simulated
async def test_a_cancelled_execution_that_is_offered_again_says_that_it_ended() -> None:
    machine = Machine()
    slow = offer(task(engine={"Seconds": -1}))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(slow)
        await orchestrator.send(CancelExecution(execution_id=E1, reason="job stopped"))
        await until(lambda: machine.state() is ComputeState.CANCELLED)
        await orchestrator.ask(slow)
        await until(lambda: orchestrator.of_type(ComputeError))
    assert orchestrator.of_type(ComputeError)[0].events[0].message == "job stopped"


@simulated
async def test_an_allocation_beyond_the_capacity_of_today_fails() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task({"FetchSeconds": -1})))
        await until(lambda: orchestrator.of_type(BidResult))
        machine.capacity = machine.capacity.scaled(0.1)
    async with machine.cluster() as orchestrator:
        await until(lambda: orchestrator.of_type(ComputeError))
    event = orchestrator.of_type(ComputeError)[0].events[0]
    assert event.topic == "Preparing Environment"
    assert event.message == "not enough capacity to run job"
