"""What servers refuse, and what they encrypt (spec storage.md 5, I)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import BacalhauError, ForbiddenError, NotFoundError
from bacalhau.sources.s3 import S3Source
from tests.support import rgw
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import contents, node_with
from tests.support.s3_cases import BOTH, Server, shows

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.ports import InputPlan
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

GUEST = {"AWS": [f"arn:aws:iam:::user/{rgw.GUEST.name}"]}


def allow(s3: S3Objects, bucket: str, *actions: str) -> None:
    """Let the guest do something in a bucket, and nothing else."""
    statement = {
        "Effect": "Allow",
        "Principal": GUEST,
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


@pytest.fixture
def bucket(served: S3Objects) -> str:
    """A bucket with ``p/a``, of its own for each test."""
    name = served.new_bucket()
    served.client.put_object(Bucket=name, Key="p/a", Body=b"x")
    return name


@pytest.fixture
def as_guest(served: S3Objects, s3_environment: pytest.MonkeyPatch) -> None:
    """Give the node the credentials of an account that owns nothing."""
    for name, value in rgw.GUEST.environment.items():
        s3_environment.setenv(name, value)


async def plan(s3: S3Objects, tmp_path: Path, **params: Any) -> InputPlan:
    async with node_with(S3Source, tmp_path) as node:
        return await node.plan({"Endpoint": s3.endpoint, **params})


async def refused(s3: S3Objects, tmp_path: Path, **params: Any) -> BacalhauError:
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(BacalhauError) as caught:
            await node.fetch({"Endpoint": s3.endpoint, **params})
    assert contents(node.directory) == {}
    assert caught.value.component == "S3InputSource"
    return caught.value


async def seen(s3: S3Objects, tmp_path: Path, **params: Any) -> dict[str, bytes | None]:
    async with node_with(S3Source, tmp_path) as node:
        return (await node.fetch({"Endpoint": s3.endpoint, **params})).seen


@shows("I01", "there is no such bucket, Key of an object → error that names it", *BOTH)
async def test_i01_missing_bucket_object(served: S3Objects, tmp_path: Path) -> None:
    error = await refused(served, tmp_path, Bucket="no-such-bucket", Key="k")
    assert isinstance(error, NotFoundError)
    assert 'there is no bucket "no-such-bucket"' in error.message


@shows("I02", "there is no such bucket, Key of a prefix → `NoSuchBucket`", *BOTH)
async def test_i02_missing_bucket_prefix(served: S3Objects, tmp_path: Path) -> None:
    error = await refused(served, tmp_path, Bucket="no-such-bucket", Key="p/")
    assert error.code == "NoSuchBucket"
    assert 'there is no bucket "no-such-bucket"' in error.message


@shows("I03", "listing is not allowed → `AccessDenied`, and what is needed", Server.RGW)
@pytest.mark.usefixtures("as_guest")
async def test_i03_no_listing(served: S3Objects, bucket: str, tmp_path: Path) -> None:
    allow(served, bucket, "s3:GetObject")
    error = await refused(served, tmp_path, Bucket=bucket, Key="p/")
    assert isinstance(error, ForbiddenError)
    assert error.code == "AccessDenied"
    assert "s3:ListBucket" in error.hint


@shows("I04", "listing is allowed, reading is not → planned, then `AccessDenied`", Server.RGW)
@pytest.mark.usefixtures("as_guest")
async def test_i04_no_reading(served: S3Objects, bucket: str, tmp_path: Path) -> None:
    allow(served, bucket, "s3:ListBucket")
    assert (await plan(served, tmp_path / "1", Bucket=bucket, Key="p/")).size_bytes == 1
    error = await refused(served, tmp_path / "2", Bucket=bucket, Key="p/")
    assert error.code == "AccessDenied"


@shows("I05", "reading alone is allowed, Key of an object → the file", Server.RGW)
@pytest.mark.usefixtures("as_guest")
async def test_i05_reading_alone(served: S3Objects, bucket: str, tmp_path: Path) -> None:
    allow(served, bucket, "s3:GetObject")
    assert await seen(served, tmp_path, Bucket=bucket, Key="p/a") == {"a": b"x"}


@shows("I06", "reading alone is allowed, a missing object → refused, with why", Server.RGW)
@pytest.mark.usefixtures("as_guest")
async def test_i06_missing_object(served: S3Objects, bucket: str, tmp_path: Path) -> None:
    allow(served, bucket, "s3:GetObject")
    error = await refused(served, tmp_path, Bucket=bucket, Key="p/none")
    assert error.details["HTTPStatusCode"] == "403"
    assert "without s3:ListBucket a missing key is refused, too" in error.hint


@pytest.fixture
def for_payers(served: S3Objects, bucket: str) -> str:
    """A bucket that everybody may read who pays for it."""
    allow(served, bucket, "s3:GetObject", "s3:ListBucket")
    payment = {"Payer": "Requester"}
    served.client.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration=payment)
    return bucket


@pytest.mark.parametrize("key", ["p/a", "p/"])
@shows("I07", "whoever reads has to pay, and nothing says so → refused, with why", Server.RGW)
@pytest.mark.usefixtures("as_guest")
async def test_i07_nobody_pays(
    served: S3Objects, for_payers: str, tmp_path: Path, key: str
) -> None:
    error = await refused(served, tmp_path, Bucket=for_payers, Key=key)
    assert isinstance(error, ForbiddenError)
    assert "set RequestPayer to requester" in error.hint


@pytest.mark.parametrize("key", ["p/a", "p/"])
@shows("I08", "the same with RequestPayer `requester` → the files", Server.RGW)
@pytest.mark.usefixtures("as_guest")
async def test_i08_requester_pays(
    served: S3Objects, for_payers: str, tmp_path: Path, key: str
) -> None:
    params = {"Bucket": for_payers, "Key": key, "RequestPayer": "requester"}
    assert await seen(served, tmp_path, **params) == {"a": b"x"}


@shows("I09", "objects that the server encrypts with its keys → the files", Server.RGW)
async def test_i09_encrypted_by_the_server(served: S3Objects, bucket: str, tmp_path: Path) -> None:
    with_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": rgw.KMS_KEY}
    stored = served.client.put_object(Bucket=bucket, Key="p/b", Body=b"secret", **with_key)
    assert stored["ServerSideEncryption"] == "aws:kms"
    assert await seen(served, tmp_path / "1", Bucket=bucket, Key="p/b") == {"b": b"secret"}
    found = await seen(served, tmp_path / "2", Bucket=bucket, Key="p/")
    assert found == {"a": b"x", "b": b"secret"}


@shows("I10", "an object that the customer encrypted with a key of theirs → error", Server.RGW)
async def test_i10_encrypted_by_the_customer(
    served: S3Objects, bucket: str, tmp_path: Path
) -> None:
    own_key = {"SSECustomerKey": b"0" * 32, "SSECustomerAlgorithm": "AES256"}
    served.client.put_object(Bucket=bucket, Key="p/c", Body=b"x", **own_key)
    error = await refused(served, tmp_path, Bucket=bucket, Key="p/c")
    assert f"s3://{bucket}/p/c" in error.message
    assert "encrypted with a customer's key" in error.hint
    assert not error.retryable


@shows("I11", "an archived object → `InvalidObjectState`, restore it first", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_i11_archived(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: text/plain\r\n"
    body = b"<Error><Code>InvalidObjectState</Code></Error>"
    archived = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n" % len(body)
    end = b"Connection: close\r\n\r\n"
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda asked: Fault(
            instead=head + end if re.match("HEAD ", asked) else archived + end + body
        )
        with pytest.raises(ForbiddenError) as caught:
            await node.fetch({"Bucket": "b", "Key": "k", "Endpoint": proxy.endpoint})
    assert caught.value.code == "InvalidObjectState"
    assert caught.value.hint == "restore it first"
    assert contents(node.directory) == {}
