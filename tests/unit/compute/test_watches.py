"""How far inputs and results have come, as people read it."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.compute.watches import InputWatch, ResultWatch, Watches
from bacalhau.models import ExecutionID
from bacalhau.ports import InputPlan, PlannedObject

ONE, TWO = ExecutionID("e-1"), ExecutionID("e-2")


def plan(*sizes: int) -> InputPlan:
    return InputPlan(
        objects=tuple(
            PlannedObject(key=f"{n}", path=f"{n}", size_bytes=size) for n, size in enumerate(sizes)
        )
    )


@pytest.mark.parametrize(
    ("sizes", "arrived", "text"),
    [
        ((7,), (0, 0), "Fetching inputs: 0 of 1 object, 0 of 7 bytes"),
        ((0, 999), (999, 1), "Fetching inputs: 1 of 2 objects, 999 of 999 bytes"),
        ((1000, 0), (50, 0), "Fetching inputs: 0 of 2 objects, 0.1 of 1.0 kB"),
        (
            (4 * 10**9, *[0] * 39),
            (1_200_000_000, 12),
            "Fetching inputs: 12 of 40 objects, 1.2 of 4.0 GB",
        ),
        ((2 * 10**15, 0), (10**15, 1), "Fetching inputs: 1 of 2 objects, 1.0 of 2.0 PB"),
        ((5,), (9, 3), "Fetching inputs: 1 of 1 object, 5 of 5 bytes"),
    ],
)
def test_text_of_inputs(sizes: tuple[int, ...], arrived: tuple[int, int], text: str) -> None:
    watch = InputWatch()
    watch.expect(plan(*sizes))
    watch.advance(*arrived)
    assert watch.text == text


def test_inputs_are_counted_together_and_directories_are_there_at_once() -> None:
    watch = InputWatch()
    assert watch.text == ""
    watch.expect(plan(10))
    marker = PlannedObject(key="d/", path="d", size_bytes=3, is_directory=True)
    watch.expect(InputPlan(objects=(marker,)))
    assert watch.text == "Fetching inputs: 1 of 2 objects, 3 of 13 bytes"


def test_an_archive_is_packed_and_then_published() -> None:
    watch = ResultWatch()
    assert watch.text == "Publishing results", "whatever is done before there are figures"
    watch.packing(5_900_000_000)(1_200_000_000, 0)
    assert watch.text == "Packing results: 1.2 of 5.9 GB"
    advance = watch.publishing(2_100_000_000)
    assert watch.text == "Publishing results: 0.0 of 2.1 GB"
    advance(500_000_000, 0)
    advance(300_000_000, 0)
    assert watch.text == "Publishing results: 0.8 of 2.1 GB"


def test_files_that_are_published_are_counted() -> None:
    watch = ResultWatch()
    advance = watch.publishing(5_900_000_000, 5)
    advance(1_200_000_000, 2)
    assert watch.text == "Publishing results: 2 of 5 files, 1.2 of 5.9 GB"
    watch.publishing(0, 1)
    assert watch.text == "Publishing results: 0 of 1 file, 0 of 0 bytes"


def test_what_grows_while_it_is_published_is_not_more_than_all() -> None:
    watch = ResultWatch()
    watch.packing(10)(11, 0)
    assert watch.text == "Packing results: 10 of 10 bytes"


async def test_only_what_is_fetched_now_is_told() -> None:
    watches = Watches()
    assert watches.events(0) == {}
    with watches.inputs_of(ONE) as watch:
        await asyncio.wait_for(watches.wait_any(), 1)
        assert watches.events(0) == {}, "nothing is known before the listing"
        watch.expect(plan(1))
        event = watches.events(1_000_000_000)[ONE]
        assert event.topic == "Downloading Inputs"
        assert event.timestamp == "1970-01-01T00:00:01Z"
    assert watches.events(0) == {}
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watches.wait_any(), 0)


async def test_executions_that_fetch_and_publish_are_told_of_together() -> None:
    watches = Watches()
    with watches.results_of(ONE):
        with watches.inputs_of(TWO) as watch:
            watch.expect(plan(1))
            events = watches.events(0)
            assert {name: event.topic for name, event in events.items()} == {
                ONE: "Publishing Results",
                TWO: "Downloading Inputs",
            }
        await asyncio.wait_for(watches.wait_any(), 1)
        assert list(watches.events(0)) == [ONE]
    assert watches.events(0) == {}
