"""What operators keep out, and what a source says is not on this node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.compute.options import ComputeOptions
from bacalhau.config import Settings
from bacalhau.errors import UnsuitableNodeError
from bacalhau.models import ComputeState, NetworkConfig, NetworkType
from bacalhau.ports import WHOLE
from bacalhau.protocol.messages import BidResult
from bacalhau.testing.source_fake import FakeSource
from tests.support.compute_node import Machine, offer, simulated, task, until

if TYPE_CHECKING:
    from bacalhau.config.keys import Value
    from bacalhau.models import InputSource, Task
    from bacalhau.ports import InputPlan, Partition

LOCAL_ONLY = ComputeOptions(requires_local_inputs=True, read_timeout_seconds=5)


class PartlyHere(FakeSource):
    """Has the inputs at ``/in/0`` on the node, and hangs when asked for those at ``/in/9``."""

    async def has_locally(self, source: InputSource) -> bool:
        if source.target == "/in/9":
            await asyncio.Event().wait()
        return source.target == "/in/0"


class NotHere(FakeSource):
    """Has nothing on this node."""

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        raise UnsuitableNodeError(
            f"this node has nothing for {source.target}", hint="ask another one"
        )


async def bid(machine: Machine, of: Task) -> BidResult:
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(of))
        await until(lambda: orchestrator.told)
    answer = orchestrator.told[0]
    assert isinstance(answer, BidResult)
    return answer


async def refusal(machine: Machine, of: Task) -> str:
    answer = await bid(machine, of)
    assert not answer.accepted
    assert machine.state() is ComputeState.ASK_FOR_BID_REJECTED
    return answer.events[-1].message


@simulated
async def test_tasks_without_inputs_may_be_unwanted() -> None:
    machine = Machine(options=ComputeOptions(reject_stateless_jobs=True))
    text = await refusal(machine, task())
    assert text == "rejected bid: this node does not accept jobs without any input volumes"
    assert (await bid(Machine(options=machine.options), task({}))).accepted


@simulated
async def test_all_of_the_operators_reasons_are_told() -> None:
    machine = Machine(options=ComputeOptions(reject_stateless_jobs=True))
    text = await refusal(machine, task(network=NetworkConfig(type=NetworkType.HTTP)))
    assert text == (
        "rejected bid: this node does not run jobs that require network access; "
        "rejected bid: this node does not accept jobs without any input volumes"
    )


@simulated
async def test_inputs_that_must_be_here_are_counted_when_they_are_not() -> None:
    machine = Machine(options=LOCAL_ONLY, source=PartlyHere())
    assert await refusal(machine, task({}, {}, {})) == (
        "rejected bid: this node does not have all input data locally "
        "(2 inputs require downloading)"
    )
    assert machine.source.plans == 0
    assert (await bid(Machine(options=LOCAL_ONLY, source=PartlyHere()), task({}))).accepted
    assert (await bid(Machine(options=LOCAL_ONLY), task())).accepted


@simulated
async def test_a_source_that_always_downloads_has_nothing_here() -> None:
    text = await refusal(Machine(options=LOCAL_ONLY), task({}))
    assert text.endswith("locally (1 inputs require downloading)")


@simulated
async def test_a_source_that_does_not_say_whether_it_has_the_data_does_not_have_them() -> None:
    machine = Machine(options=LOCAL_ONLY, source=PartlyHere())
    text = await refusal(machine, task(*({} for _ in range(10))))
    assert text.endswith("(9 inputs require downloading)")


@simulated
async def test_what_is_not_on_this_node_is_refused_in_the_words_of_the_source() -> None:
    answer = await bid(Machine(source=NotHere()), task({}))
    assert not answer.accepted
    said = answer.events[-1]
    assert said.message == "rejected bid: this node has nothing for /in/0"
    assert said.details == {"Hint": "ask another one"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ComputeOptions()),
        ({"RejectStatelessJobs": True}, ComputeOptions(reject_stateless_jobs=True)),
        ({"Locality": "Local"}, ComputeOptions(requires_local_inputs=True)),
        ({"Locality": "ANYWHERE"}, ComputeOptions()),
        ({"ProbeExec": "exit 1"}, ComputeOptions(probe_exec="exit 1")),
        ({"ProbeHTTP": "http://h/"}, ComputeOptions(probe_http="http://h/")),
    ],
    ids=str,
)
def test_settings(settings: dict[str, Value], expected: ComputeOptions) -> None:
    given = {f"JobAdmissionControl.{name}": value for name, value in settings.items()}
    assert ComputeOptions.of(Settings(given)) == expected
