"""What of its inputs an execution works on, from the offer to the fetched files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.models import Execution, JobType
from bacalhau.ports import WHOLE, Partition
from bacalhau.protocol.messages import BidResult, ComputeError, RunResult
from bacalhau.testing.source_fake import FakeSource
from tests.support.compute_node import Machine, offer, simulated, task, until

if TYPE_CHECKING:
    from bacalhau.models import InputSource
    from bacalhau.ports import InputPlan

CHANGED = 'the input for "/in/0" has changed since the job began'


class ListingSource(FakeSource):
    """Tells one listing after the other, and notes what it is asked for."""

    def __init__(self, *listings: str, warnings: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.asked: list[Partition] = []
        self._listings = list(listings)
        self._warnings = warnings

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        plan = await super().plan(source, partition)
        self.asked.append(partition)
        listing = self._listings.pop(0) if self._listings else ""
        return msgspec.structs.replace(plan, listing=listing, warnings=self._warnings)


def offered(source: ListingSource, **changes: object) -> tuple[Machine, Execution]:
    given = msgspec.structs.replace(offer(task({"Files": {"a": "b"}}), count=3), **changes)
    return Machine(source=source), given


@simulated
async def test_the_partition_is_that_of_the_offer_at_bid_and_fetch() -> None:
    source = ListingSource()
    machine, execution = offered(source, partition_index=2)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(execution)
        await until(lambda: orchestrator.of_type(RunResult))
    assert source.asked == [Partition(index=2, count=3)] * 2


@simulated
async def test_a_job_for_every_node_is_not_divided() -> None:
    source = ListingSource()
    machine = Machine(source=source)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(offer(task({"Files": {"a": "b"}}), count=3, type=JobType.OPS))
        await until(lambda: orchestrator.of_type(RunResult))
    assert source.asked == [WHOLE] * 2


@simulated
async def test_the_bid_tells_listings_and_warnings_once() -> None:
    machine, execution = offered(ListingSource("x", "x", warnings=("nothing there",)))
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(execution)
        await until(lambda: orchestrator.of_type(RunResult))
    (bid,) = orchestrator.of_type(BidResult)
    assert bid.listings == {"/in/0": "x"}
    assert [event.message for event in bid.events] == ["nothing there"]
    assert bid.events[0].topic == "Exec Scanning"
    (result,) = orchestrator.of_type(RunResult)
    assert "nothing there" not in [event.message for event in result.events]


@simulated
async def test_without_anything_to_tell_a_bid_has_no_events() -> None:
    machine, execution = offered(ListingSource())
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(execution)
        await until(lambda: orchestrator.of_type(BidResult))
    (bid,) = orchestrator.of_type(BidResult)
    assert (bid.events, bid.listings) == ((), {})


@simulated
async def test_another_listing_than_that_of_the_job_is_no_bid() -> None:
    machine, execution = offered(ListingSource("y"), listings={"/in/0": "x"})
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(execution)
        await until(lambda: orchestrator.told)
    (error,) = orchestrator.told
    assert isinstance(error, ComputeError)
    assert CHANGED in error.events[-1].message
    assert error.events[-1].details["ErrorCode"] == "InputSources:InputListingChanged"
    assert not error.retryable


@simulated
async def test_another_listing_than_that_of_the_bid_is_not_fetched() -> None:
    source = ListingSource("x", "y")
    machine, execution = offered(source)
    async with machine.cluster() as orchestrator:
        await orchestrator.ask(execution)
        await until(lambda: orchestrator.of_type(ComputeError))
    (error,) = orchestrator.of_type(ComputeError)
    assert CHANGED in error.events[-1].message
    assert not error.retryable
    assert source.fetched == []


@simulated
async def test_what_was_told_is_known_after_a_restart() -> None:
    """The node dies when it has bid; the next process lists again, and finds something else."""
    source = ListingSource("x", "y")
    machine = Machine(source=source)
    execution = offer(task({"Files": {"a": "b"}, "PlanSeconds": 5}), count=3)
    async with machine.orchestrator() as orchestrator:
        async with machine.node() as process:
            await until(lambda: orchestrator.sessions)
            await orchestrator.ask(execution)
            await until(lambda: orchestrator.of_type(BidResult))
            process.crash()
        async with machine.node():
            await until(lambda: orchestrator.of_type(ComputeError))
    (error,) = orchestrator.of_type(ComputeError)
    assert CHANGED in error.events[-1].message
    assert machine.record().execution.listings == {"/in/0": "x"}
