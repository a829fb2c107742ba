"""How far inputs have come, as people read it."""

from __future__ import annotations

import asyncio

import pytest

from bacalhau.compute.fetching import Fetching, InputWatch
from bacalhau.models import ExecutionID
from bacalhau.ports import InputPlan, PlannedObject

ONE = ExecutionID("e-1")


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
def test_text(sizes: tuple[int, ...], arrived: tuple[int, int], text: str) -> None:
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


async def test_only_what_is_fetched_now_is_told() -> None:
    fetching = Fetching()
    assert fetching.events(0) == {}
    with fetching.watch(ONE) as watch:
        await asyncio.wait_for(fetching.wait_any(), 1)
        assert fetching.events(0) == {}, "nothing is known before the listing"
        watch.expect(plan(1))
        event = fetching.events(1_000_000_000)[ONE]
        assert event.topic == "Downloading Inputs"
        assert event.timestamp == "1970-01-01T00:00:01Z"
    assert fetching.events(0) == {}
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fetching.wait_any(), 0)
