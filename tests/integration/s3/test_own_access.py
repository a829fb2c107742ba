"""Results in S3 that nobody has signed, got with the user's own credentials (storage.md 8.2)."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.client.direct import OwnAccess, own_access
from bacalhau.client.download import Download, download_results
from bacalhau.client.meter import Meter
from bacalhau.client.results import read_results
from bacalhau.config import Settings
from bacalhau.errors import Code, ForbiddenError, NotFoundError, UserError
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.digests import format_digest
from bacalhau.models import SpecConfig
from tests.support.results import archive, tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

SETTINGS = Settings({"Compute.AllowListedS3Endpoints": ("http://127.0.0.1:*",)})


@pytest.fixture
def access(s3_environment: pytest.MonkeyPatch) -> OwnAccess:
    """The way to objects with the credentials of the environment."""
    del s3_environment
    found = own_access(SETTINGS, SystemClock())
    assert found is not None
    return found


def result(objects: S3Objects, bucket: str, key: str, **params: str) -> SpecConfig:
    place = {"Bucket": bucket, "Key": key, "Endpoint": objects.endpoint, "Region": ""}
    return SpecConfig(type="s3", params={**place, **params})


def download(spec: SpecConfig, access: OwnAccess, directory: Path, **options: Any) -> int:
    meter = Meter()
    wanted = Download(results=read_results([spec], access), directory=directory, **options)
    download_results(wanted, meter, lambda: None)
    return meter.now().moved_bytes


def manifest(objects: S3Objects, bucket: str, files: list[Any]) -> bytes:
    body = json.dumps({"Version": 1, "Files": files}).encode()
    objects.client.put_object(Bucket=bucket, Key="r/_manifest.json", Body=body)
    return body


def listed(path: str, data: bytes) -> dict[str, Any]:
    return {"Path": path, "SizeBytes": len(data), "SHA256": hashlib.sha256(data).hexdigest()}


def test_a_large_archive_in_parts(s3_objects: S3Objects, access: OwnAccess, tmp_path: Path) -> None:
    noise = os.urandom(20_000_000)
    packed = archive(stdout="1", noise=noise)
    bucket = s3_objects.bucket({"odd key+%/é.tar.gz": packed})
    checksum = format_digest(hashlib.sha256(packed).digest())
    spec = result(s3_objects, bucket, "odd key+%/é.tar.gz", ChecksumSHA256=checksum)
    assert download(spec, access, tmp_path) == len(packed)
    assert (tmp_path / "noise").read_bytes() == noise
    other = tmp_path / "other"
    other.mkdir()
    spec.params["ChecksumSHA256"] = format_digest(bytes(32))
    with pytest.raises(UserError, match="does not have the checksum it was published with"):
        download(spec, access, other)
    assert list(other.iterdir()) == []


def test_the_version_that_was_published(
    rgw_objects: S3Objects, access: OwnAccess, tmp_path: Path, s3_environment: pytest.MonkeyPatch
) -> None:
    from tests.support.rgw import OWNER

    for name, value in OWNER.environment.items():
        s3_environment.setenv(name, value)
    owners = own_access(SETTINGS, SystemClock())
    assert owners is not None
    assert owners is not access
    bucket = rgw_objects.new_bucket()
    rgw_objects.client.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    versions = [
        rgw_objects.client.put_object(Bucket=bucket, Key="e.tar.gz", Body=archive(stdout=text))
        for text in ("first", "second")
    ]
    spec = result(rgw_objects, bucket, "e.tar.gz", VersionID=versions[0]["VersionId"])
    download(spec, owners, tmp_path)
    assert tree(tmp_path) == {"stdout": "first"}


def test_plain_files(s3_objects: S3Objects, access: OwnAccess, tmp_path: Path) -> None:
    bucket = s3_objects.new_bucket()
    content = {"stdout": b"1", "outputs/a b+%": b"x" * 1000}
    for path, data in content.items():
        s3_objects.client.put_object(Bucket=bucket, Key=f"r/{path}", Body=data)
    body = manifest(s3_objects, bucket, [listed(path, data) for path, data in content.items()])
    digest = format_digest(hashlib.sha256(body).digest())
    spec = result(s3_objects, bucket, "r/", ChecksumSHA256=digest)
    assert download(spec, access, tmp_path) == 1001
    assert tree(tmp_path) == {path: data.decode() for path, data in content.items()}
    assert download(spec, access, tmp_path) == 0
    spec.params["ChecksumSHA256"] = format_digest(bytes(32))
    with pytest.raises(UserError, match=r"_manifest\.json does not have the checksum"):
        download(spec, access, tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([{"Path": "../../x"}], "'../../x' is no path within it"),
        ([{"Path": "a"}, {"Path": "a/b"}], '"a" is both a file and a folder'),
        ({}, "is not a list of files"),
    ],
)
def test_hostile_manifests(
    files: Any, message: str, s3_objects: S3Objects, access: OwnAccess, tmp_path: Path
) -> None:
    bucket = s3_objects.new_bucket()
    manifest(s3_objects, bucket, files)
    with pytest.raises(UserError) as caught:
        download(result(s3_objects, bucket, "r/"), access, tmp_path)
    assert message in caught.value.message
    assert caught.value.code == Code.DAMAGED_RESULT
    assert list(tmp_path.iterdir()) == []


def test_refusals(
    s3_objects: S3Objects, access: OwnAccess, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = s3_objects.bucket({"e.tar.gz": archive(stdout="1")})
    with pytest.raises(NotFoundError, match=r"missing\.tar\.gz: the server answered 404"):
        download(result(s3_objects, bucket, "missing.tar.gz"), access, tmp_path)
    s3_environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    stranger = own_access(SETTINGS, SystemClock())
    assert stranger is not None
    with pytest.raises(UserError, match=r"answered 403 .*\(SignatureDoesNotMatch\)") as caught:
        download(result(s3_objects, bucket, "e.tar.gz"), stranger, tmp_path)
    assert caught.value.hint == (
        f"check your AWS credentials; they need s3:GetObject on s3://{bucket}/e.tar.gz"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("s3_environment")
def test_endpoints_that_a_job_names_do_not_see_the_credentials() -> None:
    access = own_access(Settings({}), SystemClock())
    assert access is not None
    spec = SpecConfig(
        type="s3", params={"Bucket": "b", "Key": "k", "Endpoint": "https://evil.example.com"}
    )
    with pytest.raises(ForbiddenError, match="are not used for https://evil") as caught:
        read_results([spec], access)
    assert caught.value.code == Code.ENDPOINT_NOT_LISTED
    assert "AWS_ENDPOINT_URL_S3=https://evil.example.com" in caught.value.hint


def test_without_credentials(s3_environment: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        s3_environment.delenv(name)
    assert own_access(SETTINGS, SystemClock()) is None


def test_the_region_that_aws_tells(access: OwnAccess) -> None:
    spec = SpecConfig(type="s3", params={"Bucket": "b", "Key": "k.tar.gz"})
    (file,) = access.result(spec).files
    before, _ = file.address.request()
    headers = _headers({"x-amz-bucket-region": "eu-west-1"})
    assert file.address.learn(301, headers)
    after, signed = file.address.request()
    assert (before, after) == (
        "https://b.s3.us-east-1.amazonaws.com/k.tar.gz",
        "https://b.s3.eu-west-1.amazonaws.com/k.tar.gz",
    )
    assert "/eu-west-1/s3/aws4_request" in signed["Authorization"]
    assert not file.address.learn(301, headers)


def _headers(fields: dict[str, str]) -> Any:
    from http.client import HTTPMessage

    message = HTTPMessage()
    for name, value in fields.items():
        message[name] = value
    return message
