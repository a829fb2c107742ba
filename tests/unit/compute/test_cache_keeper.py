"""The cache of inputs with its files."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.support.input_cache import Origin, open_keeper, stored_files
from tests.support.inputs import contents

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.compute.cache.keeper import InputKeeper

FILES = {"a": b"alpha" * 100, "b": b"beta" * 100, "empty": b""}
SEEN = {f"sub/{name}": data for name, data in FILES.items()}


async def test_the_second_task_downloads_nothing(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper:
        first = await origin.fill(keeper, tmp_path / "one")
        second = await origin.fill(keeper, tmp_path / "two")
        held = keeper.statistics()
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == SEEN
    assert sorted(origin.fetched) == sorted(FILES)
    assert (len(first.found), len(second.found)) == (0, 3)
    assert first.digests == second.digests
    assert second.digests["sub/a"] == hashlib.sha256(FILES["a"]).digest()
    assert (held.hits, held.misses, held.objects) == (3, 3, 3)
    assert held.size_bytes == sum(map(len, FILES.values()))


async def test_the_next_process_finds_what_was_kept(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "one")
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "two")
    assert len(origin.fetched) == 3
    assert contents(tmp_path / "two") == SEEN


@pytest.mark.parametrize("count", [2, 8])
async def test_tasks_that_begin_together_cause_one_download(tmp_path: Path, count: int) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper, asyncio.TaskGroup() as group:
        origin.is_open.clear()
        for number in range(count):
            group.create_task(origin.fill(keeper, tmp_path / str(number)))
        await origin.asked.wait()
        origin.is_open.set()
    assert sorted(origin.fetched) == sorted(FILES)
    assert all(contents(tmp_path / str(number)) == SEEN for number in range(count))


async def test_a_task_may_write_to_its_copy(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "one")
        (tmp_path / "one/sub/a").write_bytes(b"changed")
        await origin.fill(keeper, tmp_path / "two")
    assert contents(tmp_path / "two") == SEEN


async def test_who_may_only_read_shares_the_bytes_and_they_stay(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache", limit_bytes=1000) as keeper:
        await origin.fill(keeper, tmp_path / "one", is_linked=True)
        shared = (tmp_path / "one/sub/a").stat()
        other = Origin({"c": b"c" * 900})
        await other.fill(keeper, tmp_path / "two")
        await origin.fill(keeper, tmp_path / "three", is_linked=True)
    assert shared.st_nlink == 2
    assert shared.st_mode & 0o777 == 0o644
    assert len(origin.fetched) == 3
    assert contents(tmp_path / "two") == {"sub/c": b"c" * 900}


async def test_old_files_give_way_to_new_ones(tmp_path: Path) -> None:
    origin = Origin({name: name.encode() * 400 for name in "abc"})
    async with open_keeper(tmp_path / "cache", limit_bytes=1000) as keeper:
        for name in "abca":
            await origin.fill(keeper, tmp_path / f"{name}{len(origin.fetched)}", name)
        held = keeper.statistics()
    assert origin.fetched == ["a", "b", "c", "a"]
    assert (held.size_bytes, held.objects, held.evicted) == (800, 2, 2)
    assert len(stored_files(tmp_path / "cache")) == 2


async def test_what_does_not_fit_is_fetched_all_the_same(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache", limit_bytes=450) as keeper:
        filled = await origin.fill(keeper, tmp_path / "one")
    assert contents(tmp_path / "one") == SEEN
    assert filled.digests == {
        f"sub/{name}": hashlib.sha256(data).digest() for name, data in FILES.items()
    }


@pytest.mark.parametrize("keeps_time", [False, True])
async def test_a_flipped_byte_is_found_reported_and_fetched_anew(
    tmp_path: Path, *, keeps_time: bool
) -> None:
    origin = Origin(FILES)
    interval = 0.0 if keeps_time else 3600.0
    async with open_keeper(tmp_path / "cache", verify_seconds=interval) as keeper:
        await origin.fill(keeper, tmp_path / "one")
        victim = next(p for p in stored_files(tmp_path / "cache") if p.read_bytes() == FILES["a"])
        before = victim.stat()
        victim.write_bytes(b"A" + FILES["a"][1:])
        if keeps_time:
            os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
        with capture_logs() as logs:
            await origin.fill(keeper, tmp_path / "two")
        held = keeper.statistics()
    assert contents(tmp_path / "two") == SEEN
    assert sorted(origin.fetched) == ["a", "a", "b", "empty"]
    assert held.damaged == 1
    assert [(entry["event"], entry["identity"]) for entry in logs] == [
        ("input_cache_damaged", "origin a")
    ]


async def test_a_file_that_was_only_touched_is_used(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "one")
        for path in stored_files(tmp_path / "cache"):
            path.touch()
        await origin.fill(keeper, tmp_path / "two")
        assert keeper.statistics().damaged == 0
    assert len(origin.fetched) == 3


async def test_a_file_that_is_gone_is_fetched_anew(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache", limit_bytes=900) as keeper:
        await origin.fill(keeper, tmp_path / "one")
        for path in stored_files(tmp_path / "cache"):
            path.unlink()
        await asyncio.gather(*(origin.fill(keeper, tmp_path / str(n)) for n in range(4)))
        assert keeper.statistics().damaged == 3
        # Nothing counts as being used any more: all of it gives way.
        await Origin({"large": b"x" * 900}).fill(keeper, tmp_path / "large")
        assert keeper.statistics().size_bytes == 900
        assert b"x" * 900 in [path.read_bytes() for path in stored_files(tmp_path / "cache")]
    assert contents(tmp_path / "3") == SEEN
    assert len(origin.fetched) == 6


async def test_who_waits_goes_on_when_the_download_fails(tmp_path: Path) -> None:
    failing, origin = Origin(FILES, failure=ValueError("refused")), Origin(FILES)
    failing.is_open.clear()
    async with open_keeper(tmp_path / "cache") as keeper, asyncio.TaskGroup() as group:
        first = group.create_task(_expect_failure(failing, keeper, tmp_path / "one"))
        await failing.asked.wait()
        group.create_task(origin.fill(keeper, tmp_path / "two"))
        await asyncio.sleep(0)
        failing.is_open.set()
        await first
    assert contents(tmp_path / "two") == SEEN


async def _expect_failure(origin: Origin, keeper: InputKeeper, directory: Path) -> None:
    with pytest.raises(ValueError, match="refused"):
        await origin.fill(keeper, directory)


async def test_who_waits_goes_on_when_the_download_is_cancelled(tmp_path: Path) -> None:
    stuck, origin = Origin(FILES), Origin(FILES)
    stuck.is_open.clear()
    async with open_keeper(tmp_path / "cache") as keeper, asyncio.TaskGroup() as group:
        first = group.create_task(stuck.fill(keeper, tmp_path / "one"))
        await stuck.asked.wait()
        group.create_task(origin.fill(keeper, tmp_path / "two"))
        await asyncio.sleep(0)
        first.cancel()
    assert contents(tmp_path / "two") == SEEN
    assert len(stored_files(tmp_path / "cache")) == 3


async def test_a_cancelled_task_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    origin = Origin(FILES)
    origin.is_open.clear()
    async with open_keeper(tmp_path / "cache") as keeper, asyncio.TaskGroup() as group:
        task = group.create_task(origin.fill(keeper, tmp_path / "one"))
        await origin.asked.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert keeper.statistics().size_bytes == 0
    assert stored_files(tmp_path / "cache") == []


async def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    origin = Origin(FILES)
    cache = tmp_path / "cache"
    async with open_keeper(cache) as keeper:
        await origin.fill(keeper, tmp_path / "one")
    kept = stored_files(cache)
    (cache / "objects/ff").mkdir(exist_ok=True)
    (cache / "objects/ff/half").write_bytes(b"not complete, and so not known")
    kept[0].unlink()
    async with open_keeper(cache) as keeper:
        assert keeper.statistics().objects == 2
    assert stored_files(cache) == kept[1:]


async def test_a_smaller_cache_gives_up_at_the_start(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "one")
    async with open_keeper(tmp_path / "cache", limit_bytes=500) as keeper:
        assert keeper.statistics().size_bytes <= 500
    assert sum(path.stat().st_size for path in stored_files(tmp_path / "cache")) <= 500


async def test_a_broken_index_costs_the_files_and_no_more(tmp_path: Path) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "one")
    (tmp_path / "cache/index.db").write_bytes(b"no database" * 1000)
    with capture_logs() as logs:
        async with open_keeper(tmp_path / "cache") as keeper:
            await origin.fill(keeper, tmp_path / "two")
    assert [entry["event"] for entry in logs] == ["input_cache_cleared"]
    assert contents(tmp_path / "two") == SEEN


async def test_room_on_the_disk_is_made_for_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = Origin(FILES)
    async with open_keeper(tmp_path / "cache") as keeper:
        await origin.fill(keeper, tmp_path / "one")
        monkeypatch.setattr("shutil.disk_usage", lambda _: _Free())
        await keeper.make_room(450, tmp_path)
        assert keeper.statistics().size_bytes <= 450


class _Free:
    free = 0
