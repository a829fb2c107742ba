"""Links to results: they work without credentials, for the version that was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from bacalhau.lib.clock import SystemClock
from bacalhau.models import SpecConfig
from bacalhau.s3.client import S3Client
from bacalhau.s3.signing import ResultSigner

if TYPE_CHECKING:
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3


async def presigned(params: dict[str, Any], kind: str = "s3", seconds: int = 60) -> SpecConfig:
    trusted = ("http://127.0.0.1:*",)
    async with S3Client.open(SystemClock(), connections=1, trusted=trusted) as client:
        return await ResultSigner(client).presign(SpecConfig(type=kind, params=params), seconds)


async def fetch(url: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.read()


@pytest.mark.usefixtures("s3_environment")
async def test_link_works_without_credentials(s3_objects: S3Objects) -> None:
    key = "results/j-1/é +&.tar.gz"
    bucket = s3_objects.bucket({key: b"archive"})
    result = await presigned({"bucket": bucket, "Key": key, "Endpoint": s3_objects.endpoint})
    assert result.type == "s3PreSigned"
    assert result.params["SourceSpec"] == {
        "Bucket": bucket,
        "Key": key,
        "Filter": "",
        "Region": "",
        "Endpoint": s3_objects.endpoint,
        "VersionID": "",
        "ChecksumSHA256": "",
    }
    url = result.params["PreSignedURL"]
    assert await fetch(url) == (200, b"archive")
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["60"]
    status, _ = await fetch(url.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
    assert status == 403


@pytest.mark.usefixtures("s3_environment")
async def test_link_is_for_the_published_version(s3_objects: S3Objects) -> None:
    bucket = s3_objects.new_bucket()
    client = s3_objects.client
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = client.put_object(Bucket=bucket, Key="r.tar.gz", Body=b"published")
    client.put_object(Bucket=bucket, Key="r.tar.gz", Body=b"overwritten")
    result = await presigned(
        {
            "Bucket": bucket,
            "Key": "r.tar.gz",
            "Endpoint": s3_objects.endpoint,
            "VersionID": put["VersionId"],
        }
    )
    assert await fetch(result.params["PreSignedURL"]) == (200, b"published")


@pytest.mark.usefixtures("s3_environment")
@pytest.mark.parametrize(
    ("kind", "key"), [("urlDownload", "r.tar.gz"), ("s3", "results/"), ("s3", "r.zip")]
)
async def test_other_results_are_left_alone(kind: str, key: str) -> None:
    params = {"Bucket": "b", "Key": key}
    assert await presigned(params, kind) == SpecConfig(type=kind, params=params)


async def test_without_credentials_the_plain_location_is_all_there_is(
    s3_environment: pytest.MonkeyPatch,
) -> None:
    s3_environment.setenv("AWS_ACCESS_KEY_ID", "")
    params = {"Bucket": "b", "Key": "r.tar.gz"}
    assert await presigned(params) == SpecConfig(type="s3", params=params)


async def test_link_to_aws_names_the_region_of_the_bucket(
    s3_environment: pytest.MonkeyPatch,
) -> None:
    s3_environment.setenv("AWS_REGION", "eu-central-1")
    for region, host in (("", "eu-central-1"), ("us-west-2", "us-west-2")):
        result = await presigned({"Bucket": "b", "Key": "r.tar.gz", "Region": region})
        url = result.params["PreSignedURL"]
        assert url.startswith(f"https://b.s3.{host}.amazonaws.com/r.tar.gz?")
        assert f"%2F{host}%2Fs3%2Faws4_request" in url
