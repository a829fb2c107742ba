"""Inputs from a real server through the node's cache."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bacalhau.errors import BacalhauError
from bacalhau.sources.s3 import S3Source
from tests.support.engines import plugin_context
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.input_cache import open_keeper, stored_files
from tests.support.inputs import Fetched, Node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bacalhau.compute.cache.keeper import InputKeeper
    from bacalhau.config.keys import Value
    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

LARGE = random.Random(5).randbytes(9 * 1024 * 1024)
OBJECTS = {"p/large": LARGE, "p/dir/small": b"small", "p/empty": b"", "p/marker/": b""}
SEEN = {"large": LARGE, "dir/small": b"small", "empty": b"", "marker/": None}


class Stage:
    """A node with a cache, and the server that it asks."""

    def __init__(
        self, source: S3Source, keeper: InputKeeper, proxy: FaultProxy, directory: Path
    ) -> None:
        self.source = source
        self.keeper = keeper
        self.proxy = proxy
        self.directory = directory

    async def fetch(self, name: str, **params: Any) -> Fetched:
        """Fetch into a directory of that name."""
        place = self.directory / name
        place.mkdir()
        return await Node(self.source, place).fetch({"Endpoint": self.proxy.endpoint, **params})

    @property
    def downloads(self) -> list[str]:
        """The keys, with the bucket, that were asked for."""
        gets = [head.split(" ")[1] for head in self.proxy.requests if head.startswith("GET ")]
        return [path for path in gets if "list-type=2" not in path]


@asynccontextmanager
async def stage(
    server: S3Objects, directory: Path, settings: dict[str, Value] | None = None
) -> AsyncIterator[Stage]:
    """Open a source on a node with a cache, behind a proxy that counts."""
    async with (
        fault_proxy(server.endpoint) as proxy,
        open_keeper(directory / "cache") as keeper,
        S3Source.open(
            replace(plugin_context(directory / "node", settings), cache=keeper)
        ) as source,
    ):
        yield Stage(source, keeper, proxy, directory)


@pytest.fixture
def bucket(s3_objects: S3Objects) -> str:
    return s3_objects.bucket(OBJECTS)


async def test_a_warm_start_moves_nothing_but_the_listing(
    s3_objects: S3Objects, bucket: str, tmp_path: Path
) -> None:
    async with stage(s3_objects, tmp_path) as node:
        cold = await node.fetch("one", Bucket=bucket, Key="p/")
        asked = len(node.downloads)
        warm = await node.fetch("two", Bucket=bucket, Key="p/")
        assert len(node.downloads) == asked
    assert cold.seen == warm.seen == SEEN
    assert cold.reported == warm.reported


async def test_the_next_process_starts_warm(
    s3_objects: S3Objects, bucket: str, tmp_path: Path
) -> None:
    async with stage(s3_objects, tmp_path) as node:
        await node.fetch("one", Bucket=bucket, Key="p/large")
        endpoint_is_part_of_identity = node.keeper.statistics().objects
    assert endpoint_is_part_of_identity == 1
    async with (
        open_keeper(tmp_path / "cache") as keeper,
        S3Source.open(replace(plugin_context(tmp_path / "node"), cache=keeper)) as source,
    ):
        assert keeper.statistics().size_bytes == len(LARGE)
        (tmp_path / "two").mkdir()
        for _ in range(2):
            fetched = await Node(source, tmp_path / "two").fetch(
                {"Endpoint": s3_objects.endpoint, "Bucket": bucket, "Key": "p/large"}
            )
        assert keeper.statistics().hits == 1
    assert fetched.seen == {"large": LARGE}


@pytest.mark.parametrize("count", [2, 8])
async def test_executions_at_once_cause_one_download(
    s3_objects: S3Objects, bucket: str, tmp_path: Path, count: int
) -> None:
    async with stage(s3_objects, tmp_path) as node:
        fetched = await asyncio.gather(
            *(node.fetch(str(number), Bucket=bucket, Key="p/") for number in range(count))
        )
        asked = node.downloads
    assert all(each.seen == SEEN for each in fetched)
    assert sorted(set(asked)) == sorted(f"/{bucket}/p/{n}" for n in ("large", "dir/small", "empty"))
    assert asked.count(f"/{bucket}/p/large") == 2, "one for each range"
    assert asked.count(f"/{bucket}/p/dir/small") == 1


async def test_a_flipped_byte_is_fetched_anew(
    s3_objects: S3Objects, bucket: str, tmp_path: Path
) -> None:
    async with stage(s3_objects, tmp_path) as node:
        await node.fetch("one", Bucket=bucket, Key="p/")
        victim = max(stored_files(tmp_path / "cache"), key=lambda path: path.stat().st_size)
        with victim.open("r+b") as file:
            file.seek(1000)
            file.write(bytes([LARGE[1000] ^ 1]))
        asked = len(node.downloads)
        fetched = await node.fetch("two", Bucket=bucket, Key="p/")
        assert node.downloads[asked:] == [f"/{bucket}/p/large"] * 2
        assert node.keeper.statistics().damaged == 1
    assert fetched.seen == SEEN


async def test_a_cache_that_somebody_removed_begins_anew(
    s3_objects: S3Objects, bucket: str, tmp_path: Path
) -> None:
    async with stage(s3_objects, tmp_path) as node:
        await node.fetch("one", Bucket=bucket, Key="p/")
        shutil.rmtree(tmp_path / "cache")
        again = await node.fetch("two", Bucket=bucket, Key="p/")
        asked = len(node.downloads)
        warm = await node.fetch("three", Bucket=bucket, Key="p/")
        assert len(node.downloads) == asked
    assert again.seen == warm.seen == SEEN
    async with open_keeper(tmp_path / "cache") as keeper:
        assert keeper.statistics().objects == 0
    assert stored_files(tmp_path / "cache") == [], "nothing is without an owner"


async def test_a_changed_object_is_another(s3_objects: S3Objects, tmp_path: Path) -> None:
    bucket = s3_objects.new_bucket()
    async with stage(s3_objects, tmp_path) as node:
        for content in (b"first", b"other"):
            s3_objects.client.put_object(Bucket=bucket, Key="k", Body=content)
            fetched = await node.fetch(content.decode(), Bucket=bucket, Key="k")
            assert fetched.seen == {"k": content}


async def test_an_expected_checksum_is_compared_with_what_is_kept(
    s3_objects: S3Objects, bucket: str, tmp_path: Path
) -> None:
    right = hashlib.sha256(b"small").hexdigest()
    wrong = hashlib.sha256(b"other").hexdigest()
    single = {"Bucket": bucket, "Key": "p/dir/small"}
    async with stage(s3_objects, tmp_path) as node:
        await node.fetch("one", **single)
        await node.fetch("two", **single, ChecksumSHA256=right)
        with pytest.raises(BacalhauError, match="checksum mismatch"):
            await node.fetch("three", **single, ChecksumSHA256=wrong)
        assert len(node.downloads) == 1


async def test_inputs_mounted_read_only_share_the_bytes(
    s3_objects: S3Objects, bucket: str, tmp_path: Path
) -> None:
    settings: dict[str, Value] = {"InputSources.MountReadOnly": True}
    async with stage(s3_objects, tmp_path, settings) as node:
        fetched = await node.fetch("one", Bucket=bucket, Key="p/")
    assert fetched.volume.read_only
    assert (tmp_path / "one/large").stat().st_nlink == 2
    assert fetched.seen == SEEN


async def test_inputs_that_the_engine_protects_share_the_bytes(
    s3_objects: S3Objects, bucket: str, tmp_path: Path
) -> None:
    async with stage(s3_objects, tmp_path) as node:
        place = tmp_path / "one"
        place.mkdir()
        here = Node(node.source, place)
        params = {"Bucket": bucket, "Key": "p/", "Endpoint": node.proxy.endpoint}
        plan = msgspec.structs.replace(await here.plan(params), is_read_only=True)
        fetched = await here.fetch_planned(params, plan)
    assert fetched.volume.read_only
    assert (tmp_path / "one/large").stat().st_nlink == 2


async def test_what_arrived_before_a_failure_is_not_fetched_again(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    bucket = s3_objects.bucket({f"p/{n:02}": b"%02d" % n for n in range(20)})
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    one_by_one: dict[str, Value] = {"InputSources.Types.S3.Concurrency": 1}
    async with stage(s3_objects, tmp_path, one_by_one) as node:
        node.proxy.judge = lambda head: Fault(instead=refusal) if "/p/12 " in head else None
        with pytest.raises(BacalhauError, match="p/12"):
            await node.fetch("one", Bucket=bucket, Key="p/")
        assert node.keeper.statistics().objects == 12
        asked = len(node.downloads)
        node.proxy.judge = lambda _: None
        fetched = await node.fetch("two", Bucket=bucket, Key="p/")
        assert node.downloads[asked:] == [f"/{bucket}/p/{n:02}" for n in range(12, 20)]
    assert fetched.seen == {f"{n:02}": b"%02d" % n for n in range(20)}
