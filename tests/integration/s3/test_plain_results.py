"""Results in S3 as an object a file: what is stored, and that the manifest says it is all there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import ForbiddenError, ValidationError
from bacalhau.models import SpecConfig
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.s3.results.upload import SINGLE_BYTES
from bacalhau.sources.s3 import S3Source
from bacalhau.testing.contracts.publisher import ToldProgress, execution_with, write_results
from tests.support import rgw
from tests.support.engines import plugin_context
from tests.support.inputs import node_with
from tests.support.s3 import S3Objects, rgw_client
from tests.support.s3_cases import BOTH, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bacalhau.ports import Published

pytestmark = pytest.mark.s3

EACH_SERVER = pytest.mark.parametrize(
    "served", BOTH, indirect=True, ids=[server.name.lower() for server in BOTH]
)
LARGE = hashlib.shake_128(b"large").digest(2 * SINGLE_BYTES + 77)
RESULTS = {
    "stdout": b"hello\n",
    "stderr": b"",
    "exitCode": b"0",
    "outputs/a b+c%20d/é&=?#.txt": b"odd",
    "outputs/'quotes\" and <tags>.txt": b"odder",
    "outputs/large.bin": LARGE,
}


def spec(s3: S3Objects, bucket: str, key: str = "r/{jobID}/{executionID}") -> SpecConfig:
    params = {"Bucket": bucket, "Key": key, "Endpoint": s3.endpoint, "Encoding": "plain"}
    return SpecConfig(type="s3", params=params)


@asynccontextmanager
async def publisher(tmp_path: Path) -> AsyncIterator[S3Publisher]:
    async with S3Publisher.open(plugin_context(tmp_path / "publisher")) as opened:
        yield opened


async def publish(
    s3: S3Objects, bucket: str, results: Path, tmp_path: Path, **key: str
) -> Published:
    async with publisher(tmp_path) as opened:
        return await opened.publish(
            execution_with(spec(s3, bucket, **key), "e-1"), results, ToldProgress()
        )


def keys(s3: S3Objects, bucket: str) -> list[str]:
    return [item["Key"] for item in s3.client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def read(s3: S3Objects, bucket: str, key: str) -> bytes:
    return bytes(s3.client.get_object(Bucket=bucket, Key=key)["Body"].read())


def manifest_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    entries = [
        {"Path": name, "SizeBytes": len(data), "SHA256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    ]
    return {"Version": 1, "JobID": "j-contract", "ExecutionID": "e-1", "Files": entries}


@EACH_SERVER
async def test_an_object_a_file_and_a_manifest(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.new_bucket()
    results = write_results(tmp_path / "results", RESULTS)
    published = await publish(served, bucket, results, tmp_path)
    prefix = "r/j-contract/e-1/"
    stored = read(served, bucket, f"{prefix}_manifest.json")
    assert json.loads(stored) == manifest_of(RESULTS)
    assert {name: read(served, bucket, prefix + name) for name in RESULTS} == RESULTS
    assert len(keys(served, bucket)) == len(RESULTS) + 1
    assert published.spec.params["Key"] == prefix
    assert [file.path for file in published.files] == sorted(RESULTS)
    digests = {file.path: file.digest for file in published.files}
    assert digests == {name: hashlib.sha256(data).digest() for name, data in RESULTS.items()}


@EACH_SERVER
async def test_results_are_an_input_of_the_next_job(served: S3Objects, tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", RESULTS)
    published = await publish(served, served.new_bucket(), results, tmp_path)
    async with node_with(S3Source, tmp_path / "next") as node:
        fetched = await node.fetch(published.spec.params)
    seen = {name: data for name, data in fetched.seen.items() if data is not None}
    del seen["_manifest.json"]
    assert seen == RESULTS


@EACH_SERVER
async def test_versions_are_in_the_manifest(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.new_bucket()
    served.client.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    results = write_results(tmp_path / "results", {"stdout": b"1"})
    published = await publish(served, bucket, results, tmp_path)
    served.client.put_object(Bucket=bucket, Key="r/j-contract/e-1/stdout", Body=b"overwritten")
    manifest = served.client.get_object(
        Bucket=bucket,
        Key="r/j-contract/e-1/_manifest.json",
        VersionId=published.spec.params["VersionID"],
    )
    (entry,) = json.loads(manifest["Body"].read())["Files"]
    stored = served.client.get_object(
        Bucket=bucket, Key="r/j-contract/e-1/stdout", VersionId=entry["VersionID"]
    )
    assert stored["Body"].read() == b"1"


@pytest.mark.usefixtures("s3_environment")
async def test_what_is_no_file_is_left_out(s3_objects: S3Objects, tmp_path: Path) -> None:
    bucket = s3_objects.new_bucket()
    results = write_results(tmp_path / "results", {"stdout": b"1"})
    (results / "empty").mkdir()
    (results / "link").symlink_to("stdout")
    os.mkfifo(results / "pipe")
    published = await publish(s3_objects, bucket, results, tmp_path)
    assert [file.path for file in published.files] == ["stdout"]
    assert keys(s3_objects, bucket) == [
        "r/j-contract/e-1/_manifest.json",
        "r/j-contract/e-1/stdout",
    ]


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("_manifest.json", "r", 'the results have "_manifest.json"'),
        ("_manifest.json/x", "r", 'the results have "_manifest.json/x"'),
        ("a" * 200 + "/" + "b" * 200, "k" * 700, "would be longer than 1,024 bytes"),
        ("stdout", "k" * 1020, "would be longer than 1,024 bytes"),
        ("caf\udce9", "r", "would be no UTF-8"),
    ],
)
@pytest.mark.usefixtures("s3_environment")
async def test_names_that_are_not_possible_are_refused_before_anything_is_stored(
    name: str, key: str, said: str, s3_objects: S3Objects, tmp_path: Path
) -> None:
    bucket = s3_objects.new_bucket()
    results = write_results(tmp_path / "results", {"exitCode": b"0", name: b"1"})
    with pytest.raises(ValidationError) as caught:
        await publish(s3_objects, bucket, results, tmp_path, key=key)
    assert said in caught.value.message
    assert caught.value.hint
    assert not caught.value.retryable
    assert keys(s3_objects, bucket) == []


@EACH_SERVER
async def test_publishing_again_replaces(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.new_bucket()
    first = write_results(tmp_path / "first", {"stdout": b"1", "old": b"1"})
    await publish(served, bucket, first, tmp_path)
    again = {"stdout": b"22", "new": b"2"}
    await publish(served, bucket, write_results(tmp_path / "again", again), tmp_path)
    prefix = "r/j-contract/e-1/"
    assert json.loads(read(served, bucket, f"{prefix}_manifest.json")) == manifest_of(again)
    assert {name: read(served, bucket, prefix + name) for name in again} == again


@EACH_SERVER
async def test_what_is_stopped_leaves_no_manifest_and_no_parts(
    served: S3Objects, tmp_path: Path
) -> None:
    """Nor that of an earlier time, whose files have begun to change."""
    bucket = served.new_bucket()
    results = write_results(tmp_path / "results", {"stdout": b"1"})
    await publish(served, bucket, results, tmp_path)
    (results / "large").write_bytes(bytes(8 * SINGLE_BYTES))
    async with publisher(tmp_path) as opened, asyncio.TaskGroup() as group:
        execution = execution_with(spec(served, bucket), "e-1")
        publishing = group.create_task(opened.publish(execution, results, ToldProgress()))
        while not await asyncio.to_thread(uploads, served, bucket):
            assert not publishing.done(), "the file is too small for this test"
        publishing.cancel()
        await asyncio.wait([publishing])
    assert publishing.cancelled()
    assert uploads(served, bucket) == []
    assert "r/j-contract/e-1/_manifest.json" not in keys(served, bucket)


@pytest.mark.parametrize("served", [Server.RGW], indirect=True)
async def test_a_file_that_is_refused_leaves_no_manifest(
    served: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = served.new_bucket()
    allow_guest(served, bucket, "s3:PutObject", "/r/*", denied="/r/j-contract/e-1/outputs/*")
    for name, value in rgw.GUEST.environment.items():
        s3_environment.setenv(name, value)
    results = write_results(tmp_path / "results", {"stdout": b"1", "outputs/x": b"1"})
    with pytest.raises(ForbiddenError) as caught:
        await publish(served, bucket, results, tmp_path)
    assert f"s3://{bucket}/r/j-contract/e-1/outputs/x: access denied" in caught.value.message
    assert "s3:PutObject" in caught.value.hint
    assert "r/j-contract/e-1/_manifest.json" not in keys(served, bucket)


@pytest.mark.parametrize("served", [Server.RGW], indirect=True)
async def test_permission_to_write_is_all_that_is_needed(
    served: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Looking for what was there before, and for leftovers, is refused, and does not matter."""
    bucket = served.new_bucket()
    allow_guest(served, bucket, "s3:PutObject", "/*")
    for name, value in rgw.GUEST.environment.items():
        s3_environment.setenv(name, value)
    results = write_results(tmp_path / "results", RESULTS)
    for _ in range(2):
        await publish(served, bucket, results, tmp_path)
    guest = S3Objects(served.endpoint, rgw_client(served.endpoint, rgw.GUEST))
    stored = json.loads(read(guest, bucket, "r/j-contract/e-1/_manifest.json"))
    assert stored == manifest_of(RESULTS)


def allow_guest(s3: S3Objects, bucket: str, action: str, keys: str, *, denied: str = "") -> None:
    guest = {"AWS": [f"arn:aws:iam:::user/{rgw.GUEST.name}"]}
    statements = [
        {"Effect": effect, "Principal": guest, "Action": [action], "Resource": [resource]}
        for effect, resource in (
            ("Allow", f"arn:aws:s3:::{bucket}{keys}"),
            ("Deny", f"arn:aws:s3:::{bucket}{denied}"),
        )
        if resource != f"arn:aws:s3:::{bucket}"
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    s3.client.put_bucket_policy(Bucket=bucket, Policy=policy)


def uploads(s3: S3Objects, bucket: str) -> list[str]:
    found = s3.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [item["Key"] for item in found]


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
@EACH_SERVER
async def test_parts_that_a_killed_node_left_are_removed(
    encoding: str, served: S3Objects, tmp_path: Path
) -> None:
    bucket = served.new_bucket()
    suffix = ".tar.gz" if encoding == "gzip" else "/large +é"
    for name in ("e-1", "e-2"):
        key = f"r/{name}{suffix}"
        served.client.create_multipart_upload(Bucket=bucket, Key=key)
    results = write_results(tmp_path / "results", {"large +é": LARGE})
    params = {**spec(served, bucket, "r/{executionID}").params, "Encoding": encoding}
    async with publisher(tmp_path) as opened:
        await opened.publish(
            execution_with(SpecConfig(type="s3", params=params), "e-1"), results, ToldProgress()
        )
    assert uploads(served, bucket) == [f"r/e-2{suffix}"]


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
async def test_upload_of_somebody_else_to_a_shared_key_is_left_alone(
    encoding: str, s3_objects: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del s3_environment
    bucket = s3_objects.new_bucket()
    suffix = ".tar.gz" if encoding == "gzip" else "/large"
    s3_objects.client.create_multipart_upload(Bucket=bucket, Key=f"r{suffix}")
    results = write_results(tmp_path / "results", {"large": LARGE})
    params = {**spec(s3_objects, bucket, "r").params, "Encoding": encoding}
    async with publisher(tmp_path) as opened:
        await opened.publish(
            execution_with(SpecConfig(type="s3", params=params), "e-1"), results, ToldProgress()
        )
    assert uploads(s3_objects, bucket) == [f"r{suffix}"]
