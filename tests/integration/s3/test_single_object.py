"""One object: its version, its checksum, its size, and where the task finds it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import NotFoundError, UserError
from bacalhau.s3.transfer import RANGE_BYTES, SMALL_BYTES
from bacalhau.sources.s3 import S3Source
from tests.support.inputs import contents, node_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

CONTENT = b"001\n"
DIGEST = hashlib.sha256(CONTENT).digest()
BASE64 = base64.b64encode(DIGEST).decode()


def noise(size: int) -> bytes:
    """Return bytes without a period, the same every time."""
    return hashlib.shake_128(b"noise").digest(size)


@pytest.mark.parametrize(
    "checksum",
    [BASE64, DIGEST.hex(), DIGEST.hex().upper(), "0x" + DIGEST.hex()],
    ids=["G01", "G05 lower", "G05 upper", "G05 0x"],
)
async def test_right_checksum(s3_objects: S3Objects, tmp_path: Path, checksum: str) -> None:
    params = {"Bucket": s3_objects.bucket({"c": CONTENT}), "Key": "c", "ChecksumSHA256": checksum}
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({**params, "Endpoint": s3_objects.endpoint})
    assert fetched.seen == {"c": CONTENT}


@pytest.mark.parametrize("size", [4, RANGE_BYTES + 1])
async def test_wrong_checksum_leaves_nothing(
    s3_objects: S3Objects, tmp_path: Path, size: int
) -> None:
    content = noise(size)
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    found = base64.b64encode(hashlib.sha256(content).digest()).decode()
    bucket = s3_objects.bucket({"c": content})
    params = {"Bucket": bucket, "Key": "c", "ChecksumSHA256": wrong}
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(UserError) as caught:
            await node.fetch({**params, "Endpoint": s3_objects.endpoint})
    assert caught.value.message == (
        f"checksum mismatch for s3://{bucket}/c, expected {wrong}, got {found}"
    )
    assert caught.value.code == "S3ChecksumMismatch"
    assert not caught.value.retryable
    assert contents(node.directory) == {}


async def test_checksum_of_a_multipart_object_is_that_of_its_content(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    content = noise(2 * RANGE_BYTES + 5)
    bucket = s3_objects.new_bucket()
    put_in_parts(s3_objects, bucket, "big", content)
    params = {"Bucket": bucket, "Key": "big", "Endpoint": s3_objects.endpoint}
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch(
            {**params, "ChecksumSHA256": hashlib.sha256(content).hexdigest()}
        )
    assert fetched.seen == {"big": content}
    assert fetched.plan.objects[0].etag.strip('"').endswith("-2")


def put_in_parts(s3: S3Objects, bucket: str, key: str, content: bytes) -> None:
    begun = s3.client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts = []
    for number, start in enumerate((0, RANGE_BYTES), start=1):
        body = content[start : RANGE_BYTES if number == 1 else None]
        done = s3.client.upload_part(
            Bucket=bucket, Key=key, UploadId=begun, PartNumber=number, Body=body
        )
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    s3.client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=begun, MultipartUpload={"Parts": parts}
    )


@pytest.mark.parametrize(
    "size", [0, SMALL_BYTES, SMALL_BYTES + 1, RANGE_BYTES, RANGE_BYTES + 1, 3 * RANGE_BYTES - 1]
)
async def test_every_byte_arrives(s3_objects: S3Objects, tmp_path: Path, size: int) -> None:
    content = noise(size)
    params = {"Bucket": s3_objects.bucket({"d/o": content}), "Key": "d/o"}
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({**params, "Endpoint": s3_objects.endpoint})
    assert fetched.seen == {"o": content}
    assert fetched.plan.size_bytes == size
    assert fetched.reported == (size, 1)
    assert (fetched.volume.path / "o").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("key", "target", "is_file", "row"),
    [
        ("set1/001.txt", "/in", False, "J04"),
        ("set1/001.txt", "/in/001.txt", True, "J05"),
        ("set1/001.txt", "/in/001.txt/", False, "J06"),
        ("data", "/data", False, "J07"),
        (".hidden", "/in/.hidden", False, "dot in front"),
    ],
)
async def test_target(
    s3_objects: S3Objects, tmp_path: Path, key: str, target: str, is_file: bool, row: str
) -> None:
    bucket = s3_objects.bucket({"set1/001.txt": b"1", "data": b"d", ".hidden": b"h"})
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch(
            {"Bucket": bucket, "Key": key, "Endpoint": s3_objects.endpoint}, target
        )
    name = key.rpartition("/")[2]
    assert fetched.plan.is_file is is_file
    assert list(fetched.seen) == ["" if is_file else name]
    assert fetched.volume.target == target
    assert not fetched.volume.read_only


@pytest.fixture(scope="session")
def versions(s3_objects: S3Objects) -> dict[str, str]:
    """A bucket with ``v``: two versions, then deleted; and ``w``: two versions."""
    bucket = s3_objects.new_bucket()
    client = s3_objects.client
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = {"bucket": bucket}
    for key in ("v", "w"):
        for number in (1, 2):
            put = client.put_object(Bucket=bucket, Key=key, Body=f"00{number}".encode())
            made[f"{key}{number}"] = put["VersionId"]
    made["marker"] = client.delete_object(Bucket=bucket, Key="v")["VersionId"]
    return made


@pytest.mark.parametrize(
    ("key", "version", "want", "row"),
    [
        ("w", "", b"002", "F01"),
        ("w", "w2", b"002", "F02"),
        ("w", "w1", b"001", "F03"),
        ("v", "v1", b"001", "F06"),
    ],
)
async def test_version(
    s3_objects: S3Objects,
    tmp_path: Path,
    versions: dict[str, str],
    key: str,
    version: str,
    want: bytes,
    row: str,
) -> None:
    params: dict[str, Any] = {"Bucket": versions["bucket"], "Key": key}
    if version:
        params["VersionID"] = versions[version]
    if row == "F03":  # and F10
        params["ChecksumSHA256"] = hashlib.sha256(want).hexdigest()
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({**params, "Endpoint": s3_objects.endpoint})
    assert fetched.seen == {key: want}


async def test_deleted_object_is_missing(
    s3_objects: S3Objects, tmp_path: Path, versions: dict[str, str]
) -> None:
    params = {"Bucket": versions["bucket"], "Key": "v", "Endpoint": s3_objects.endpoint}
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(NotFoundError, match="there is no object"):
            await node.plan(params)
        with pytest.raises(UserError):
            await node.plan({**params, "VersionID": "no-such-version"})
        with pytest.raises(UserError):
            await node.plan({**params, "VersionID": versions["marker"]})


async def test_object_that_stands_for_a_directory(s3_objects: S3Objects, tmp_path: Path) -> None:
    bucket = s3_objects.new_bucket()
    for key in ("dir", "empty"):
        s3_objects.client.put_object(
            Bucket=bucket, Key=key, Body=b"", ContentType="application/x-directory"
        )
    for key in ("dir/x", "dir2/z"):
        s3_objects.client.put_object(Bucket=bucket, Key=key, Body=b"1")
    params = {"Bucket": bucket, "Endpoint": s3_objects.endpoint}
    for number, (key, want) in enumerate(
        {"dir": ["dir/x"], "dir/": ["x"], "empty": ["empty/"]}.items()
    ):
        async with node_with(S3Source, tmp_path / str(number)) as node:
            fetched = await node.fetch({**params, "Key": key})
        assert list(fetched.seen) == want


async def test_prefix_without_a_slash_gets_a_hint(s3_objects: S3Objects, tmp_path: Path) -> None:
    params = {"Bucket": s3_objects.bucket({"set1/001.txt": b"1"}), "Key": "set1"}
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(NotFoundError) as caught:
            await node.plan({**params, "Endpoint": s3_objects.endpoint})
    assert caught.value.hint == ('"set1" is a prefix; use "set1/" to fetch everything under it')
    assert caught.value.code == "NotFound"
