"""Versions and checksums (spec storage.md 5, F and G)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import NotFoundError, UserError
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import Fetched, contents, node_with
from tests.support.s3_cases import BOTH, Server, shows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

CONTENT = b"001\n"
DIGEST = hashlib.sha256(CONTENT).digest()
BASE64 = base64.b64encode(DIGEST).decode()
WRONG = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
COMPOSITE = f"{WRONG}-3"
PART = 5 * 1024 * 1024


@dataclass(frozen=True)
class Versions:
    """A bucket with ``v``, written twice, and ``d``, written twice and deleted."""

    bucket: str
    first: str
    second: str
    first_of_deleted: str
    marker: str


@pytest.fixture
def versions(served: S3Objects) -> Versions:
    bucket = served.new_bucket()
    client = served.client
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def put(key: str, text: bytes) -> str:
        return str(client.put_object(Bucket=bucket, Key=key, Body=text)["VersionId"])

    first, second = put("v", b"001"), put("v", b"002")
    first_of_deleted, _ = put("p/d", b"001"), put("p/e", b"002")
    marker = str(client.delete_object(Bucket=bucket, Key="p/d")["VersionId"])
    return Versions(bucket, first, second, first_of_deleted, marker)


async def fetched(s3: S3Objects, tmp_path: Path, **params: Any) -> Fetched:
    async with node_with(S3Source, tmp_path) as node:
        return await node.fetch({"Endpoint": s3.endpoint, **params})


async def refused(s3: S3Objects, tmp_path: Path, **params: Any) -> UserError:
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(UserError) as caught:
            await node.fetch({"Endpoint": s3.endpoint, **params})
    assert contents(node.directory) == {}
    return caught.value


@shows("F01", "no VersionID → the latest version", *BOTH)
async def test_f01_latest(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    found = await fetched(served, tmp_path, Bucket=versions.bucket, Key="v")
    assert found.seen == {"v": b"002"}


@shows("F02", "VersionID of the latest version → that", *BOTH)
async def test_f02_latest_by_name(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    params = {"Bucket": versions.bucket, "Key": "v", "VersionID": versions.second}
    assert (await fetched(served, tmp_path, **params)).seen == {"v": b"002"}


@shows("F03", "VersionID of an earlier version → that", *BOTH)
async def test_f03_earlier(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    params = {"Bucket": versions.bucket, "Key": "v", "VersionID": versions.first}
    found = await fetched(served, tmp_path, **params)
    assert found.seen == {"v": b"001"}
    assert found.plan.objects[0].version == versions.first


@shows("F04", "VersionID of another object, or of none → error", *BOTH)
async def test_f04_unknown(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    for number, version in enumerate((versions.first_of_deleted, "no-such-version")):
        params = {"Bucket": versions.bucket, "Key": "v", "VersionID": version}
        error = await refused(served, tmp_path / str(number), **params)
        assert f"s3://{versions.bucket}/v: " in error.message
        assert re.search("the object has no such version|Invalid version", error.message)
        assert error.hint == "check Key and VersionID"


@shows("F05", "the latest version is a deletion → the object is missing", *BOTH)
async def test_f05_deleted(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    error = await refused(served, tmp_path, Bucket=versions.bucket, Key="p/d")
    assert isinstance(error, NotFoundError)
    assert "there is no object" in error.message


@shows("F06", "VersionID of a version before the deletion → that", *BOTH)
async def test_f06_before_deletion(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    params = {"Bucket": versions.bucket, "Key": "p/d", "VersionID": versions.first_of_deleted}
    assert (await fetched(served, tmp_path, **params)).seen == {"d": b"001"}


@shows("F07", "VersionID of the deletion → error", *BOTH)
async def test_f07_the_deletion(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    params = {"Bucket": versions.bucket, "Key": "p/d", "VersionID": versions.marker}
    await refused(served, tmp_path, **params)


@shows("F09", "a prefix with a deleted object → the others", *BOTH)
async def test_f09_prefix(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    found = await fetched(served, tmp_path, Bucket=versions.bucket, Key="p/")
    assert found.seen == {"e": b"002"}


@shows("F10", "VersionID and the right ChecksumSHA256 of that version → that", *BOTH)
async def test_f10_with_checksum(served: S3Objects, versions: Versions, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"001").hexdigest()
    params = {"Bucket": versions.bucket, "Key": "v", "VersionID": versions.first}
    found = await fetched(served, tmp_path, **params, ChecksumSHA256=digest)
    assert found.seen == {"v": b"001"}


def head_with(checksum: str) -> Fault:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\nContent-Type: text/plain\r\n"
        f"x-amz-checksum-sha256: {checksum}\r\nConnection: close\r\n\r\n"
    )
    return Fault(instead=head.encode() + CONTENT)


@shows("G01", "right checksum in base64, and the server tells it, too → the file", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_g01_stored_and_right(tmp_path: Path) -> None:
    params = {"Bucket": "b", "Key": "c", "ChecksumSHA256": BASE64}
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: head_with(BASE64)
        found = await node.fetch({**params, "Endpoint": proxy.endpoint})
        assert "x-amz-checksum-mode: ENABLED" in proxy.requests[0]
    assert found.seen == {"c": CONTENT}


@shows("G02", "wrong checksum, and the server tells another → error before a byte", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_g02_stored_and_wrong(tmp_path: Path) -> None:
    params = {"Bucket": "b", "Key": "c", "ChecksumSHA256": WRONG}
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: head_with(BASE64)
        with pytest.raises(UserError) as caught:
            await node.plan({**params, "Endpoint": proxy.endpoint})
    assert caught.value.message == (
        f"checksum mismatch for s3://b/c, expected {WRONG}, got {BASE64}"
    )
    assert caught.value.code == "S3ChecksumMismatch"


@shows("G03", "right checksum, and the server keeps none → the file", *BOTH)
async def test_g03_not_stored_and_right(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.bucket({"c": CONTENT})
    found = await fetched(served, tmp_path, Bucket=bucket, Key="c", ChecksumSHA256=BASE64)
    assert found.seen == {"c": CONTENT}


@shows("G04", "wrong checksum, and the server keeps none → error, no file", *BOTH)
async def test_g04_not_stored_and_wrong(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.bucket({"c": CONTENT})
    error = await refused(served, tmp_path, Bucket=bucket, Key="c", ChecksumSHA256=WRONG)
    assert error.message == (
        f"checksum mismatch for s3://{bucket}/c, expected {WRONG}, got {BASE64}"
    )
    assert not error.retryable


@shows("G05", "the checksum in hexadecimal, upper case, or with `0x` → the file", *BOTH)
async def test_g05_hexadecimal(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.bucket({"c": CONTENT})
    forms = (DIGEST.hex(), DIGEST.hex().upper(), f"0x{DIGEST.hex()}")
    for number, form in enumerate(forms):
        place = tmp_path / str(number)
        found = await fetched(served, place, Bucket=bucket, Key="c", ChecksumSHA256=form)
        assert found.seen == {"c": CONTENT}


@shows("G06", "the composite checksum of parts is compared as it is", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_g06_composite(tmp_path: Path) -> None:
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        params = {"Bucket": "b", "Key": "c", "Endpoint": proxy.endpoint}
        proxy.judge = lambda _: head_with(COMPOSITE)
        found = await node.fetch({**params, "ChecksumSHA256": COMPOSITE})
        with pytest.raises(UserError, match="checksum mismatch"):
            await node.plan({**params, "ChecksumSHA256": COMPOSITE.replace("-3", "-2")})
    assert found.seen == {"c": CONTENT}


@shows("G07", "an object uploaded in parts, and the checksum of all of it → the file", *BOTH)
async def test_g07_multipart(served: S3Objects, tmp_path: Path) -> None:
    content = hashlib.shake_128(b"parts").digest(3 * PART + 5)
    bucket = served.new_bucket()
    where = {"Bucket": bucket, "Key": "big"}
    upload = {**where, "UploadId": served.client.create_multipart_upload(**where)["UploadId"]}
    parts = []
    for number, body in enumerate((content[:PART], content[PART:]), start=1):
        done = served.client.upload_part(**upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    served.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    digest = hashlib.sha256(content).hexdigest()
    found = await fetched(served, tmp_path, **where, ChecksumSHA256=digest)
    assert found.seen == {"big": content}
    assert found.plan.objects[0].etag.strip('"').endswith("-2")


@shows("G09", "the server tells the right checksum, and sends other bytes → error", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_g09_corrupted_on_the_way(tmp_path: Path) -> None:
    right = base64.b64encode(hashlib.sha256(b"002\n").digest()).decode()
    params = {"Bucket": "b", "Key": "c", "ChecksumSHA256": right}
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: head_with(right)
        with pytest.raises(UserError) as caught:
            await node.fetch({**params, "Endpoint": proxy.endpoint})
    assert caught.value.message == (
        f"checksum mismatch for s3://b/c, expected {right}, got {BASE64}"
    )
    assert contents(node.directory) == {}
