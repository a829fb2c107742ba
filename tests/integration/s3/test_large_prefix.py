"""A prefix of a gibibyte: one download however many ask, and little memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.sources.s3 import S3Source
from tests.support.engines import plugin_context
from tests.support.fault_proxy import fault_proxy
from tests.support.input_cache import open_keeper
from tests.support.inputs import Node
from tests.support.s3_cases import Server

if TYPE_CHECKING:
    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

PART_BYTES = 2**23
LARGE_BYTES = 2**29
MEDIUM_COUNT = 64
TOTAL_BYTES = LARGE_BYTES + MEDIUM_COUNT * PART_BYTES
HEADS_BYTES = 2**20
MEMORY_MIB = 300
ROOT = Path(__file__).parents[3]

FETCH = """
import asyncio, sys
from pathlib import Path
from bacalhau.sources.s3 import S3Source
from tests.support.inputs import node_with

async def main(endpoint, bucket, directory):
    async with node_with(S3Source, Path(directory)) as node:
        await node.fetch({"Bucket": bucket, "Key": "p/", "Endpoint": endpoint})

asyncio.run(main(*sys.argv[1:]))
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


@pytest.fixture(scope="module")
def stored() -> dict[str, str]:
    """The bucket that holds the prefix, once it is filled."""
    return {}


def filled(server: S3Objects, stored: dict[str, str]) -> str:
    """Return the bucket: an object of 512 MiB and 64 of 8 MiB below ``p/``."""
    if server.endpoint not in stored:
        bucket = stored[server.endpoint] = server.new_bucket()
        target = {"Bucket": bucket, "Key": "p/large"}
        upload = {**target, "UploadId": server.client.create_multipart_upload(**target)["UploadId"]}
        parts = [
            {
                "PartNumber": n,
                "ETag": server.client.upload_part(
                    **upload, PartNumber=n, Body=n.to_bytes(8, "big") * (PART_BYTES // 8)
                )["ETag"],
            }
            for n in range(1, LARGE_BYTES // PART_BYTES + 1)
        ]
        server.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        for n in range(MEDIUM_COUNT):
            body = n.to_bytes(8, "little") * (PART_BYTES // 8)
            server.client.put_object(Bucket=bucket, Key=f"p/medium/{n}", Body=body)
    return stored[server.endpoint]


@pytest.mark.parametrize("served", [Server.RGW], indirect=True)
@pytest.mark.parametrize("count", [2, 8])
async def test_executions_at_once_over_a_gibibyte_cause_one_download(
    served: S3Objects, stored: dict[str, str], tmp_path: Path, count: int
) -> None:
    bucket = await asyncio.to_thread(filled, served, stored)
    context = plugin_context(tmp_path / "node", {"InputSources.MountReadOnly": True})
    async with (
        fault_proxy(served.endpoint) as proxy,
        open_keeper(tmp_path / "cache", limit_bytes=2 * TOTAL_BYTES) as keeper,
        S3Source.open(replace(context, cache=keeper)) as source,
    ):
        proxy.piece_bytes = 2**20
        params = {"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint}
        places = [tmp_path / str(number) for number in range(count)]
        for place in places:
            place.mkdir()
        fetched = await asyncio.gather(*(Node(source, place).fetch(params) for place in places))
        held = keeper.statistics()
    assert TOTAL_BYTES < proxy.sent_bytes < TOTAL_BYTES + HEADS_BYTES
    assert held.misses == MEDIUM_COUNT + 1
    assert held.hits == (count - 1) * (MEDIUM_COUNT + 1)
    assert all(each.reported == (TOTAL_BYTES, MEDIUM_COUNT + 1) for each in fetched)
    shared = {place.stat().st_ino for place in tmp_path.glob("?/large")}
    assert len(shared) == 1


@pytest.mark.parametrize("served", [Server.RGW], indirect=True)
def test_memory_does_not_grow_with_the_input(
    served: S3Objects, stored: dict[str, str], tmp_path: Path
) -> None:
    bucket = filled(served, stored)
    command = [sys.executable, "-c", FETCH, served.endpoint, bucket, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) / 1024 < MEMORY_MIB
