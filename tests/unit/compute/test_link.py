"""The line to the orchestrator, over networks that lose what they carry."""

from __future__ import annotations

import asyncio
import itertools
import random

from bacalhau.compute.options import ComputeOptions
from bacalhau.models import ComputeState, ExecutionID, NodeType, Resources, ResourcesConfig
from bacalhau.protocol.messages import (
    Ack,
    AskForBid,
    BidResult,
    Hello,
    RunResult,
    Welcome,
)
from bacalhau.testing.network import NetworkFaults, SimulatedTransport
from tests.support.compute_node import NODE, Machine, now, offer, simulated, task, until

E1 = ExecutionID("e-1")
ENDLESS = task(engine={"Seconds": -1})


@simulated
async def test_hello_tells_who_the_node_is_and_what_it_offers() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node():
            await orchestrator.ask(offer(ENDLESS))
            await until(lambda: machine.store.outbox_floor() == 1)
        async with machine.node():
            await until(lambda: len(orchestrator.hellos) == 2)
    first, second = orchestrator.hellos
    assert first.info.node_id == second.info.node_id
    assert first.info.node_id == NODE
    assert first.info.node_type is NodeType.COMPUTE
    assert first.info.labels == {"zone": "a"}
    offered = first.info.compute_node_info
    assert offered is not None
    assert offered.execution_engines == ["fake"]
    assert offered.storage_sources == ["fake"]
    assert offered.publishers == ["fake"]
    assert offered.max_capacity == offered.max_job_requirements == machine.capacity
    assert second.floor == 1


@simulated
async def test_each_process_has_a_session_of_its_own() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        async with machine.node():
            await until(lambda: len(orchestrator.sessions) == 1)
        async with machine.node():
            await until(lambda: len(orchestrator.sessions) == 2)
    assert len(set(orchestrator.sessions)) == 2


@simulated
async def test_hello_is_repeated_ever_more_slowly_until_it_is_answered() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator:
        orchestrator.is_listening = False
        async with machine.node():
            await asyncio.sleep(300)
            orchestrator.is_listening = True
            await until(lambda: orchestrator.reports)
    waits = [after - before for before, after in itertools.pairwise(orchestrator.times(Hello))]
    bounds = [1, 2, 4, 8, 16] + [30] * (len(waits) - 5)
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    assert len(orchestrator.sessions) == 1


@simulated
async def test_heartbeats_tell_the_load() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(*(offer(ENDLESS, name=f"e-{number}") for number in range(6)))
        await until(lambda: len(machine.tasks.started) == 4)
        began = len(orchestrator.heartbeats)
        await until(lambda: len(orchestrator.heartbeats) == began + 2)
    load = orchestrator.heartbeats[-1].load
    assert (load.running_executions, load.enqueued_executions) == (4, 2)
    assert load.available_capacity == Resources(memory=4 * 10**9, disk=10**11)
    assert load.queue_capacity == Resources(cpu=2, memory=2 * 10**9)


@simulated
async def test_reports_tell_everything_that_has_not_ended_and_what_was_taken() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await until(lambda: orchestrator.reports)
        await orchestrator.ask(offer(ENDLESS, name="runs"))
        await until(lambda: machine.tasks.started)
        everything = task(resources=ResourcesConfig(cpu="4"))
        await orchestrator.ask(offer(name="done"), offer(everything, name="waits"))
        await until(lambda: len(orchestrator.reports) == 2)
    first, second = orchestrator.reports
    assert (first.executions, first.received) == ({}, 0)
    assert second.received == 3
    assert second.executions == {
        "runs": ComputeState.RUNNING,
        "waits": ComputeState.BID_ACCEPTED,
    }


@simulated
async def test_reports_name_what_has_ended_until_the_word_of_it_has_arrived() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        await until(lambda: orchestrator.reports)
        orchestrator.acknowledges = False
        await orchestrator.ask(offer(ENDLESS, name="runs"), offer(name="done"))
        await until(lambda: len(orchestrator.reports) == 2)
        orchestrator.acknowledges = True
        await until(lambda: len(orchestrator.reports) == 4)
    assert [report.untold for report in orchestrator.reports] == [(), ("done",), (), ()]
    assert {"runs"} == {*orchestrator.reports[1].executions}


@simulated
async def test_an_orchestrator_that_forgot_the_session_is_told_everything_again() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        orchestrator.acknowledges = False
        await orchestrator.ask(offer(ENDLESS))
        await until(lambda: orchestrator.told)
        await orchestrator.forget()
        orchestrator.acknowledges = True
        orchestrator.told.clear()
        await until(lambda: orchestrator.told)
        await until(lambda: machine.store.outbox_floor() == 1)
    assert len(set(orchestrator.sessions)) == 2
    assert len(orchestrator.told) == 1


@simulated
async def test_a_silent_orchestrator_is_greeted_again_in_the_same_session() -> None:
    machine = Machine(options=ComputeOptions(heartbeat_seconds=10, silent_heartbeats=3))
    async with machine.cluster() as orchestrator:
        await until(lambda: len(orchestrator.hellos) == 3)
        assert len(orchestrator.sessions) == 1
        assert 60 <= now() < 100


@simulated
async def test_what_is_not_acknowledged_is_sent_again_with_growing_patience() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        orchestrator.acknowledges = False
        await orchestrator.ask(offer(ENDLESS))
        await until(lambda: len(orchestrator.times(BidResult)) == 7)
        times = orchestrator.times(BidResult)
        waits = [round(after - before) for before, after in itertools.pairwise(times)]
        assert waits == [2, 4, 8, 16, 30, 30]
        orchestrator.acknowledges = True
        await until(lambda: machine.store.outbox_floor() == 1)
    assert len(orchestrator.told) == 1


@simulated
async def test_other_traffic_does_not_put_off_a_repetition() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        orchestrator.acknowledges = False
        await orchestrator.ask(offer(ENDLESS))
        await until(lambda: orchestrator.told)
        began = now()
        for number in range(40):
            await orchestrator.ask(offer(ENDLESS, name=f"x-{number}"))
            await asyncio.sleep(0.1)
        first = [
            when
            for when, each in orchestrator.arrivals
            if isinstance(each.message, BidResult) and each.message.execution_id == E1
        ]
        assert 1.9 <= first[1] - began <= 2.2


@simulated
async def test_envelopes_of_other_sessions_and_gaps_are_not_taken() -> None:
    machine = Machine()
    async with machine.cluster() as orchestrator:
        execution = offer(ENDLESS)
        await orchestrator.signal(AskForBid(execution=execution), seq=9, previous=5)
        await until(lambda: Ack(seq=0) in [each.message for _, each in orchestrator.arrivals])
        orchestrator.sessions.append("another")
        await orchestrator.signal(AskForBid(execution=execution), seq=1)
        await orchestrator.signal(Ack(seq=100))
        orchestrator.sessions.pop()
        # A second Welcome must not move the count back or forth.
        await orchestrator.signal(Welcome(floor=50))
        await orchestrator.send(AskForBid(execution=execution))
        await until(lambda: orchestrator.told)
    assert orchestrator.acked == 1


@simulated
async def test_many_results_arrive_in_windows() -> None:
    machine = Machine(options=ComputeOptions(window=5), capacity=Resources(cpu=100, memory=10**12))
    names = [f"e-{number}" for number in range(40)]
    async with machine.cluster() as orchestrator:
        orchestrator.acknowledges = False
        await orchestrator.ask(*(offer(name=name) for name in names))
        await until(lambda: len(machine.tasks.started) == 40)
        assert len(orchestrator.told) <= 5
        orchestrator.acknowledges = True
        await until(lambda: len(orchestrator.told) == 80)
    told = [message.execution_id for message in orchestrator.of_type(RunResult)]
    assert sorted(told) == sorted(names)


@simulated
async def test_a_node_works_while_the_orchestrator_is_away() -> None:
    machine = Machine()
    async with machine.orchestrator() as orchestrator, machine.node():
        await orchestrator.ask(offer(task(engine={"Seconds": 50})))
        await until(lambda: machine.tasks.started)
        orchestrator.is_listening = False
        await until(lambda: machine.state() is ComputeState.COMPLETED)
        await orchestrator.forget()
        orchestrator.is_listening = True
        await until(lambda: orchestrator.of_type(RunResult))


@simulated
async def test_a_bad_network_changes_nothing_but_the_time_it_takes() -> None:
    faults = NetworkFaults(
        loss=0.3, doubling=0.2, delay_seconds=2, straggling=0.05, straggling_seconds=60
    )
    transport = SimulatedTransport(random.Random(5), faults=faults)
    machine = Machine(transport=transport, capacity=Resources(cpu=100, memory=10**12))
    names = [f"e-{number}" for number in range(20)]
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(*(offer(name=name) for name in names))
        await until(lambda: len(orchestrator.of_type(RunResult)) == 20)
    for kind in (BidResult, RunResult):
        told = [message.execution_id for message in orchestrator.of_type(kind)]
        assert sorted(told) == sorted(names)
    assert sorted(machine.tasks.started) == sorted(names)
