"""How far publishing has come is told truly, also where requests have to be repeated."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import SpecConfig
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.s3.results.upload import SINGLE_BYTES
from bacalhau.testing.contracts.publisher import (
    ToldProgress,
    ToldStep,
    execution_with,
    write_results,
)
from tests.support.engines import plugin_context
from tests.support.fault_proxy import BUSY, Fault, FaultProxy, fault_proxy
from tests.support.s3_cases import BOTH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

EACH_SERVER = pytest.mark.parametrize(
    "served", BOTH, indirect=True, ids=[server.name.lower() for server in BOTH]
)
# It cannot be compressed.
LARGE = hashlib.shake_128(b"large").digest(2 * SINGLE_BYTES + 77)
RESULTS = {"stdout": b"hello\n", "stderr": b"", "exitCode": b"0", "outputs/large.bin": LARGE}
SIZE = sum(map(len, RESULTS.values()))


def refuse_once(proxy: FaultProxy) -> None:
    """Let every upload be refused the first time."""
    seen: set[str] = set()

    def judge(head: str) -> Fault | None:
        request = head.partition("\r\n")[0]
        if not request.startswith("PUT ") or request in seen:
            return None
        seen.add(request)
        return Fault(instead=BUSY)

    proxy.judge = judge


async def published(
    proxy: FaultProxy, bucket: str, encoding: str, tmp_path: Path
) -> list[ToldStep]:
    place = {"Bucket": bucket, "Key": "r/{executionID}", "Endpoint": proxy.endpoint}
    spec = SpecConfig(type="s3", params={**place, "Encoding": encoding})
    progress = ToldProgress()
    results = write_results(tmp_path / "results", RESULTS)
    async with S3Publisher.open(plugin_context(tmp_path / "publisher")) as publisher:
        await publisher.publish(execution_with(spec, "e-1"), results, progress)
    return progress.steps


@EACH_SERVER
async def test_a_file_that_was_sent_twice_counts_once(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.new_bucket()
    async with fault_proxy(served.endpoint) as proxy:
        refuse_once(proxy)
        steps = await published(proxy, bucket, "plain", tmp_path)
    requests = 3 + 3 + 1  # small files, the parts of the large one, the manifest
    assert uploads(proxy) == 2 * requests
    assert steps == [
        ToldStep(is_packing=False, size_bytes=SIZE, files=4, done_bytes=SIZE, done_files=4)
    ]


@EACH_SERVER
async def test_an_archive_is_packed_and_its_parts_count_once(
    served: S3Objects, tmp_path: Path
) -> None:
    bucket = served.new_bucket()
    async with fault_proxy(served.endpoint) as proxy:
        refuse_once(proxy)
        steps = await published(proxy, bucket, "gzip", tmp_path)
    stored = served.client.head_object(Bucket=bucket, Key="r/e-1.tar.gz")["ContentLength"]
    assert uploads(proxy) == 2 * 3
    assert steps == [
        ToldStep(is_packing=True, size_bytes=SIZE, done_bytes=SIZE),
        ToldStep(is_packing=False, size_bytes=stored, done_bytes=stored),
    ]


def uploads(proxy: FaultProxy) -> int:
    return sum(head.startswith("PUT ") for head in proxy.requests)
