"""Regions that AWS corrects, and uploads of every size."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bacalhau.lib.clock import SystemClock
from bacalhau.s3.requests.client import Bucket, S3Client
from bacalhau.s3.requests.responses import ServiceError
from bacalhau.s3.results.upload import SINGLE_BYTES, Stored, upload
from bacalhau.s3.server.endpoints import locate
from tests.support.fault_proxy import Fault, fault_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

MOVED = (
    b"HTTP/1.1 %d Moved\r\nContent-Length: 0\r\nx-amz-bucket-region: eu-west-1\r\n"
    b"Connection: close\r\n\r\n"
)
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("status", [301, 307, 400])
async def test_region_that_aws_names_is_tried_once_and_remembered(status: int) -> None:
    """H01, H03."""

    def judge(head: str) -> Fault:
        return Fault(instead=EMPTY if "/eu-west-1/s3/" in head else MOVED % status)

    async with (
        fault_proxy("") as proxy,
        S3Client.open(SystemClock(), connections=2) as client,
    ):
        proxy.judge = judge
        location = replace(locate("b", proxy.endpoint, "us-east-1", ""), is_aws=True)
        bucket = Bucket(location=location)
        await client.head(bucket, "k")
        await client.head(bucket, "k")
        assert len(proxy.requests) == 3
        assert client.region_of(bucket) == "eu-west-1"


async def test_region_that_never_fits_is_no_endless_loop() -> None:
    async with (
        fault_proxy("") as proxy,
        S3Client.open(SystemClock(), connections=2) as client,
    ):
        proxy.judge = lambda _: Fault(instead=MOVED % 301)
        location = replace(locate("b", proxy.endpoint, "us-east-1", ""), is_aws=True)
        with pytest.raises(ServiceError) as caught:
            await client.head(Bucket(location=location), "k")
        assert len(proxy.requests) == 2
    assert caught.value.region == "eu-west-1"


async def test_other_servers_do_not_choose_the_region() -> None:
    async with (
        fault_proxy("") as proxy,
        S3Client.open(SystemClock(), connections=2) as client,
    ):
        proxy.judge = lambda _: Fault(instead=MOVED % 301)
        location = locate("b", proxy.endpoint, "us-east-1", "")
        with pytest.raises(ServiceError):
            await client.head(Bucket(location=location), "k")
        assert len(proxy.requests) == 1


@pytest.mark.parametrize("size", [0, SINGLE_BYTES, SINGLE_BYTES + 1, 2 * SINGLE_BYTES + 77])
async def test_upload_arrives_complete(s3_objects: S3Objects, tmp_path: Path, size: int) -> None:
    content = hashlib.shake_128(b"upload").digest(size)
    (tmp_path / "file").write_bytes(content)
    name = s3_objects.new_bucket()
    bucket = Bucket(location=locate(name, s3_objects.endpoint, "", "us-east-1"))
    async with S3Client.open(SystemClock(), connections=4) as client:
        told = await upload(client, bucket, "a b/ü+", tmp_path / "file")
    assert told == Stored(size_bytes=size, digest=hashlib.sha256(content).digest(), version="")
    stored = s3_objects.client.get_object(Bucket=name, Key="a b/ü+")
    assert stored["Body"].read() == content
    assert ("-" in stored["ETag"]) is (size > SINGLE_BYTES)


async def test_upload_to_a_versioned_bucket_tells_the_version(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"1")
    name = s3_objects.new_bucket()
    s3_objects.client.put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Enabled"}
    )
    bucket = Bucket(location=locate(name, s3_objects.endpoint, "", "us-east-1"))
    async with S3Client.open(SystemClock(), connections=4) as client:
        told = await upload(client, bucket, "k", tmp_path / "file")
    assert told.version == s3_objects.client.head_object(Bucket=name, Key="k")["VersionId"]


async def test_stopped_upload_leaves_no_parts(s3_objects: S3Objects, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(6 * SINGLE_BYTES))
    name = s3_objects.new_bucket()
    bucket = Bucket(location=locate(name, s3_objects.endpoint, "", "us-east-1"))
    async with S3Client.open(SystemClock(), connections=4) as client:
        async with asyncio.TaskGroup() as group:
            uploading = group.create_task(upload(client, bucket, "k", tmp_path / "file"))
            while not await asyncio.to_thread(uploads, s3_objects, name):
                assert not uploading.done(), "the file is too small for this test"
            uploading.cancel()
            await asyncio.wait([uploading])
        assert uploading.cancelled()
    assert uploads(s3_objects, name) == []
    assert "Contents" not in s3_objects.client.list_objects_v2(Bucket=name)


def uploads(s3: S3Objects, bucket: str) -> list[object]:
    return list(s3.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []))
