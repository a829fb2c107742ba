"""Results in S3: what their location says, and that they are inputs of the next job."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import BacalhauError, ForbiddenError, NotFoundError
from bacalhau.lib.digests import format_digest
from bacalhau.models import SpecConfig
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.sources.s3 import S3Source
from bacalhau.testing.contracts.publisher import ToldProgress, execution_with, write_results
from tests.support.engines import plugin_context
from tests.support.inputs import node_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3


async def publish(params: dict[str, Any], tmp_path: Path) -> SpecConfig:
    results = write_results(tmp_path / "results", {"stdout": b"hello\n"})
    spec = SpecConfig(type="s3", params=params)
    async with S3Publisher.open(plugin_context(tmp_path / "publisher")) as publisher:
        return (await publisher.publish(execution_with(spec, "e-1"), results, ToldProgress())).spec


@pytest.mark.usefixtures("s3_environment")
async def test_location_of_results(s3_objects: S3Objects, tmp_path: Path) -> None:
    bucket = s3_objects.new_bucket()
    params = {"Bucket": bucket, "Key": "{jobID}/", "Endpoint": s3_objects.endpoint}
    result = await publish(params, tmp_path)
    stored = s3_objects.client.get_object(Bucket=bucket, Key="j-contract/e-1.tar.gz")
    archive = stored["Body"].read()
    assert result == SpecConfig(
        type="s3",
        params={
            "Bucket": bucket,
            "Key": "j-contract/e-1.tar.gz",
            "Filter": "",
            "Region": "",
            "Endpoint": s3_objects.endpoint,
            "VersionID": "",
            "ChecksumSHA256": format_digest(hashlib.sha256(archive).digest()),
        },
    )
    async with node_with(S3Source, tmp_path / "next") as node:
        fetched = await node.fetch(result.params)
    assert fetched.seen == {"e-1.tar.gz": archive}


@pytest.mark.parametrize(
    ("params", "environment", "kind", "message"),
    [
        (
            {"Bucket": "no-such-bucket"},
            {},
            NotFoundError,
            "failed to publish s3 result: s3://no-such-bucket/r.tar.gz: there is no bucket",
        ),
        (
            {},
            {"AWS_SECRET_ACCESS_KEY": "wrong"},
            ForbiddenError,
            "the node's credentials were refused (SignatureDoesNotMatch)",
        ),
        ({}, {"AWS_ACCESS_KEY_ID": ""}, ForbiddenError, "this node has no AWS credentials"),
    ],
    ids=["bucket", "secret", "no credentials"],
)
async def test_refusals(
    params: dict[str, Any],
    environment: dict[str, str],
    kind: type[BacalhauError],
    message: str,
    s3_objects: S3Objects,
    s3_environment: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in environment.items():
        s3_environment.setenv(name, value)
    place = {"Bucket": s3_objects.new_bucket(), "Key": "r", "Endpoint": s3_objects.endpoint}
    with pytest.raises(kind) as caught:
        await publish({**place, **params}, tmp_path)
    assert message in caught.value.message
    assert caught.value.component == "S3Publisher"
    assert caught.value.hint
    assert not [path for path in (tmp_path / "publisher").rglob("*") if path.is_file()]


async def test_endpoint_of_the_node_is_part_of_the_location(
    s3_objects: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who reads the result may not have the same environment."""
    s3_environment.setenv("AWS_ENDPOINT_URL", s3_objects.endpoint)
    result = await publish({"Bucket": s3_objects.new_bucket(), "Key": "r"}, tmp_path)
    assert result.params["Endpoint"] == s3_objects.endpoint
