"""A prefix with more objects than one page of a listing holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import fault_proxy
from tests.support.inputs import node_with
from tests.support.s3_cases import Server, marked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

COUNT = 1001


@pytest.fixture(scope="module")
def objects() -> dict[str, bytes]:
    return {f"p/{n % 7}/{n:05}": f"content of {n}".encode() for n in range(COUNT)}


@marked("E02b", "1,001 objects → two pages, every byte", Server.SWIFT)
async def test_e02b_every_object_arrives_complete(
    s3_objects: S3Objects, objects: dict[str, bytes], tmp_path: Path
) -> None:
    """E01, E02."""
    bucket = s3_objects.bucket(objects)
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint})
        listings = [head for head in proxy.requests if "list-type=2" in head]
    assert fetched.seen == {key.removeprefix("p/"): data for key, data in objects.items()}
    assert fetched.reported == (sum(map(len, objects.values())), COUNT)
    assert len(listings) == 2


@marked("E03", "1,001 objects, a filter for the last → that one", Server.SWIFT)
async def test_e03_filter_sees_every_page(
    s3_objects: S3Objects, objects: dict[str, bytes], tmp_path: Path
) -> None:
    """E03."""
    bucket = s3_objects.bucket(objects)
    params = {"Bucket": bucket, "Key": "p/", "Filter": "0(1000|0000)$"}
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({**params, "Endpoint": s3_objects.endpoint})
    assert sorted(fetched.seen) == ["0/00000", "6/01000"]
