"""Many objects and large ones (spec storage.md 5, E)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from bacalhau.lib.clock import SystemClock
from bacalhau.s3.requests.client import Bucket, Call, S3Client
from bacalhau.s3.server.endpoints import locate
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import node_with
from tests.support.s3_cases import BOTH, Server, shows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

MIB = 1024 * 1024
KEYS = 100_000
PAGE = 1_000
AT_ONCE = 16


async def fill(s3: S3Objects, count: int) -> str:
    """Make a bucket with so many objects below ``p/``; each has its number as content."""
    name = s3.new_bucket()
    bucket = Bucket(location=locate(name, s3.endpoint, "", "us-east-1"))
    numbers = iter(range(count))
    async with S3Client.open(SystemClock(), connections=AT_ONCE) as client:

        async def put() -> None:
            for number in numbers:
                call = Call(
                    operation="PutObject",
                    method="PUT",
                    bucket=bucket,
                    key=f"p/{number:05}",
                    body=str(number).encode(),
                )
                await client.read(call, MIB)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(put())
    return name


@shows("E01", "5,000 objects → 5,000 files, in five pages", Server.RGW)
async def test_e01_five_thousand_objects(served: S3Objects, tmp_path: Path) -> None:
    bucket = await fill(served, 5_000)
    params = {"Bucket": bucket, "Key": "p/", "Endpoint": served.endpoint}
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch(params)
        assert fetched.seen == {f"{number:05}": str(number).encode() for number in range(5_000)}
    async with fault_proxy(served.endpoint) as proxy, node_with(S3Source, tmp_path / "2") as node:
        plan = await node.plan({**params, "Endpoint": proxy.endpoint})
        assert [item.key for item in plan.objects] == [f"p/{number:05}" for number in range(5_000)]
        assert len(proxy.requests) == 5


@shows("E02", "1,000 objects → one page", Server.RGW)
async def test_e02_exactly_one_page(served: S3Objects, tmp_path: Path) -> None:
    bucket = await fill(served, 1_000)
    async with fault_proxy(served.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        plan = await node.plan({"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint})
        assert len(proxy.requests) == 1
    assert len(plan.objects) == 1_000


@pytest.mark.parametrize("size", [5 * MIB, 5 * MIB + 1, 64 * MIB])
@shows("E06", "objects of 5 MiB, 5 MiB + 1 and 64 MiB → every byte", *BOTH)
async def test_e06_large_objects(served: S3Objects, tmp_path: Path, size: int) -> None:
    content = hashlib.shake_128(b"large").digest(size)
    bucket = served.new_bucket()
    served.client.put_object(Bucket=bucket, Key="large", Body=content)
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({"Bucket": bucket, "Key": "large", "Endpoint": served.endpoint})
    assert fetched.seen == {"large": content}


def page(head: str) -> Fault:
    """Answer a request for a page of a listing that ends after 100,000 keys."""
    query = parse_qs(urlsplit(head.split(" ")[1]).query)
    start = int(query.get("continuation-token", ["0"])[0])
    end = start + PAGE
    entries = "".join(
        f'<Contents><Key>p/{n:06}</Key><Size>4096</Size><ETag>"{n:032x}"</ETag></Contents>'
        for n in range(start, end)
    )
    more = "true" if end < KEYS else "false"
    body = (
        f"<ListBucketResult><IsTruncated>{more}</IsTruncated>{entries}"
        f"<NextContinuationToken>{end}</NextContinuationToken></ListBucketResult>"
    )
    text = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    return Fault(instead=text.encode())


@shows("E07", "100,000 objects → all of them, each asked for once", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_e07_a_hundred_thousand_keys(tmp_path: Path) -> None:
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = page
        plan = await node.plan({"Bucket": "b", "Key": "p/", "Endpoint": proxy.endpoint})
        assert len(proxy.requests) == KEYS // PAGE
    assert len({item.path for item in plan.objects}) == KEYS
    assert plan.size_bytes == KEYS * 4096
