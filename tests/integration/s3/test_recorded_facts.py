"""What a source tells of fetched objects, for the record of the execution."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import InputSource, SpecConfig
from bacalhau.sources.s3 import S3Source
from tests.support.engines import plugin_context
from tests.support.s3_cases import BOTH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

# So many small objects are fetched over connections of their own, and large ones in ranges.
OBJECTS = {f"p/{n:03}": f"{n}".encode() for n in range(120)} | {"p/large": b"0123456789" * 10**6}


def fill(s3: S3Objects, *, is_versioned: bool) -> tuple[str, dict[str, str]]:
    """Make a bucket and return its name, and the versions of its objects."""
    client, bucket = s3.client, s3.new_bucket()
    if is_versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def put(key: str) -> str:
        client.put_object(Bucket=bucket, Key=key, Body=b"before")
        return str(client.put_object(Bucket=bucket, Key=key, Body=OBJECTS[key]).get("VersionId"))

    with ThreadPoolExecutor(8) as pool:
        return bucket, dict(zip(OBJECTS, pool.map(put, OBJECTS), strict=True))


@pytest.mark.parametrize("served", BOTH, indirect=True, ids=lambda server: server.name.lower())
@pytest.mark.parametrize("is_versioned", [True, False], ids=["versions", "none"])
async def test_every_object_comes_with_its_hash_and_version(
    served: S3Objects, tmp_path: Path, is_versioned: bool
) -> None:
    bucket, versions = fill(served, is_versioned=is_versioned)
    params = {"Bucket": bucket, "Key": "p/", "Endpoint": served.endpoint}
    wanted = InputSource(source=SpecConfig(type="s3", params=params), target="/in")
    directory = tmp_path / "input"
    directory.mkdir()
    async with S3Source.open(plugin_context(tmp_path / "node")) as source:
        plan = await source.plan(wanted)
        fetched = await source.fetch(wanted, plan, directory, lambda *_: None)
    assert plan.origin == f"s3://{bucket}/p/"
    assert plan.endpoint == served.endpoint
    assert fetched.digests == {
        key.removeprefix("p/"): hashlib.sha256(data).digest() for key, data in OBJECTS.items()
    }
    assert fetched.versions == (
        {key.removeprefix("p/"): version for key, version in versions.items()}
        if is_versioned
        else {}
    )
