"""What a node tells of the inputs in its cache."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from bacalhau.compute.cache.holdings import INPUTS_MAX, Holdings
from bacalhau.compute.cache.index import CacheIndex, KeptInput
from tests.support.input_cache import Origin, open_keeper

if TYPE_CHECKING:
    from pathlib import Path

ALL = {"a": 1, "b": 10, "c": 100}


def told(holdings: Holdings) -> dict[str, tuple[int, int]]:
    return {each.fingerprint: (each.held_bytes, each.total_bytes) for each in holdings.told()}


def test_an_input_is_told_with_what_is_held_of_it() -> None:
    holdings = Holdings()
    holdings.note("x", 111, {"a": 1, "b": 10})
    assert told(holdings) == {"x": (11, 111)}


def test_what_is_given_up_is_counted_off_every_input_that_has_it() -> None:
    holdings = Holdings()
    holdings.note("x", 111, ALL)
    holdings.note("y", 1010, {"b": 10, "d": 1000})
    holdings.leave("b", 10)
    holdings.leave("unknown", 5)
    assert told(holdings) == {"x": (101, 111), "y": (1000, 1010)}


def test_an_input_of_which_nothing_is_held_is_not_told() -> None:
    holdings = Holdings()
    holdings.note("x", 1, {"a": 1})
    holdings.leave("a", 1)
    assert told(holdings) == {}


def test_a_new_listing_replaces_the_old_one() -> None:
    holdings = Holdings()
    holdings.note("x", 111, ALL)
    assert holdings.note("x", 8, {"a": 1, "new": 7})
    holdings.leave("b", 10)
    holdings.leave("a", 1)
    assert told(holdings) == {"x": (7, 8)}


def test_the_inputs_that_were_used_last_are_told() -> None:
    holdings = Holdings()
    for number in range(INPUTS_MAX + 1):
        holdings.note(f"x{number}", 1, {f"f{number}": 1})
        holdings.note("x0", 1, {"f0": 1})
    assert len(holdings.told()) == INPUTS_MAX
    assert "x0" in told(holdings)
    assert "x1" not in told(holdings)
    holdings.leave("f1", 1)
    assert len(holdings.told()) == INPUTS_MAX


async def test_news_are_told_once() -> None:
    holdings = Holdings()
    async with asyncio.TaskGroup() as group:
        group.create_task(holdings.wait_news(0))
        await asyncio.sleep(0)
        holdings.note("x", 111, ALL)
    version = holdings.version
    assert not holdings.note("x", 111, ALL)
    assert holdings.version == version, "it says what was said before"
    holdings.leave("a", 1)
    await holdings.wait_news(version)


async def test_the_cache_tells_what_it_fetched_and_what_it_gave_up(tmp_path: Path) -> None:
    origin = Origin({"a": b"x" * 600, "b": b"x" * 300, "c": b"x" * 500})
    async with open_keeper(tmp_path / "cache", limit_bytes=1000) as keeper:
        await origin.fill(keeper, tmp_path / "one", "a", "b", fingerprint="first")
        assert told(keeper.holdings) == {"first": (900, 900)}
        await origin.fill(keeper, tmp_path / "two", "c", fingerprint="second")
        assert told(keeper.holdings) == {"first": (300, 900), "second": (500, 500)}
        await origin.fill(keeper, tmp_path / "three", "a", "b", "c", fingerprint="both")
        held = told(keeper.holdings)["both"]
        assert held == (keeper.statistics().size_bytes, 1400)


async def test_inputs_without_a_fingerprint_are_not_told(tmp_path: Path) -> None:
    origin = Origin({"a": b"x"})
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "one")
        assert keeper.holdings.told() == ()


async def test_a_damaged_file_is_not_counted_twice(tmp_path: Path) -> None:
    origin = Origin({"a": b"good" * 10, "b": b"fine" * 10})
    cache = tmp_path / "cache"
    async with open_keeper(cache) as keeper:
        await origin.fill(keeper, tmp_path / "one", fingerprint="x")
        for path in (cache / "objects").rglob("*"):
            if path.is_file():
                path.chmod(0o600)
                path.write_bytes(b"evil" * 10)
        await origin.fill(keeper, tmp_path / "two", fingerprint="x")
        assert told(keeper.holdings) == {"x": (80, 80)}
        assert keeper.statistics().damaged == 2


async def test_the_next_process_tells_of_what_is_still_there(tmp_path: Path) -> None:
    origin = Origin({"a": b"x" * 600, "b": b"x" * 300, "c": b"x" * 50})
    cache = tmp_path / "cache"
    async with open_keeper(cache) as keeper:
        await origin.fill(keeper, tmp_path / "one", "a", "b", fingerprint="first")
        await origin.fill(keeper, tmp_path / "two", "b", "c", fingerprint="second")
        await origin.fill(keeper, tmp_path / "three", "c")
    async with open_keeper(cache, limit_bytes=500) as keeper:
        assert told(keeper.holdings) == {"first": (300, 900), "second": (350, 350)}
        await origin.fill(keeper, tmp_path / "four", "c", fingerprint="second")
    async with open_keeper(cache) as keeper:
        assert told(keeper.holdings) == {"first": (300, 900), "second": (50, 50)}


def test_the_index_keeps_the_latest_inputs(tmp_path: Path) -> None:
    index = CacheIndex(tmp_path / "index.db")
    names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(3)]
    for number in (1, 2, 3, 1, 4):
        index.write_input(KeptInput.of(f"x{number}", number, names[:number]), most=3)
    found = index.inputs()
    index.close()
    assert [each.fingerprint for each in found] == ["x3", "x1", "x4"]
    assert list(found[1].names()) == names[:1]


def test_an_input_without_files_has_no_names() -> None:
    assert list(KeptInput.of("x", 0, ()).names()) == []
