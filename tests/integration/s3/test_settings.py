"""What the operator of a node may set for inputs from S3."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from bacalhau.config.keys import KEYS
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import fault_proxy
from tests.support.inputs import node_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

MIB = 2**20
LARGE = hashlib.shake_128(b"parts").digest(11 * MIB)
PART_SIZE = "InputSources.Types.S3.PartSize"


@pytest.mark.parametrize(("size", "parts"), [("5MiB", 3), ("6000001", 2), ("1GiB", 1), ("", 2)])
async def test_large_objects_are_fetched_in_parts_of_the_wanted_size(
    s3_objects: S3Objects, tmp_path: Path, size: str, parts: int
) -> None:
    bucket = s3_objects.bucket({"o": LARGE})
    digest = hashlib.sha256(LARGE).hexdigest()
    async with (
        fault_proxy(s3_objects.endpoint) as proxy,
        node_with(S3Source, tmp_path, {PART_SIZE: size}) as node,
    ):
        params = {"Bucket": bucket, "Key": "o", "ChecksumSHA256": digest}
        fetched = await node.fetch({**params, "Endpoint": proxy.endpoint})
        gets = [head for head in proxy.requests if head.startswith("GET ")]
    assert fetched.seen == {"o": LARGE}
    assert len(gets) == parts


@pytest.mark.parametrize("size", ["4MiB", "2GiB", "many"])
def test_other_sizes_are_refused(size: str) -> None:
    (check,) = [key.check for key in KEYS if key.name == PART_SIZE]
    assert check is not None
    with pytest.raises(ValueError, match="bytes"):
        check(size)


@pytest.mark.parametrize(("wanted", "name"), [(True, "sample.csv"), (False, "input")])
async def test_a_target_with_the_name_of_the_object_is_the_file_if_that_is_wanted(
    s3_objects: S3Objects, tmp_path: Path, name: str, *, wanted: bool
) -> None:
    bucket = s3_objects.bucket({"data/sample.csv": b"1,2\n"})
    params = {"Bucket": bucket, "Key": "data/sample.csv", "Endpoint": s3_objects.endpoint}
    settings = {"InputSources.Types.S3.FileTargets": wanted}
    async with node_with(S3Source, tmp_path, settings) as node:
        fetched = await node.fetch(params, target="/in/sample.csv")
    assert fetched.volume.path.name == name
