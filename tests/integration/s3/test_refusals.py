"""What cannot work is said once, in one line, with what to do about it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from bacalhau.errors import (
    BacalhauError,
    ForbiddenError,
    NotFoundError,
    TransientError,
    UnsuitableNodeError,
    UserError,
)
from bacalhau.sources.s3 import S3Source
from tests.support.inputs import contents, node_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bacalhau.config.keys import Value
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3


class Refusal(NamedTuple):
    name: str
    params: dict[str, Any]
    kind: type[BacalhauError]
    code: str
    message: str
    hint: str
    environment: dict[str, str] = {}
    settings: dict[str, Any] = {}


SECRET = {"AWS_SECRET_ACCESS_KEY": "wrong"}
USER = {"AWS_ACCESS_KEY_ID": "nobody"}
NOBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
REFUSALS = [
    Refusal(
        "wrong secret, object",
        {"Key": "a"},
        ForbiddenError,
        "SignatureDoesNotMatch",
        "s3://{bucket}/a: the node's credentials were refused (SignatureDoesNotMatch)",
        "check the AWS credentials of the node",
        SECRET,
    ),
    Refusal(
        "wrong secret, prefix",
        {"Key": "p/"},
        ForbiddenError,
        "SignatureDoesNotMatch",
        "s3://{bucket}/p/: the node's credentials were refused (SignatureDoesNotMatch)",
        "check the AWS credentials of the node",
        SECRET,
    ),
    Refusal(
        "unknown user",
        {"Key": "a"},
        ForbiddenError,
        "SignatureDoesNotMatch",  # of an unknown user, too, this server says no more
        "the node's credentials were refused",
        "check the AWS credentials of the node",
        USER,
    ),
    Refusal(
        "missing object",
        {"Key": "nope"},
        NotFoundError,
        "NotFound",
        's3://{bucket}/nope: there is no object "nope" in bucket "{bucket}"',
        "if it is a prefix, end it with / or *",
    ),
    Refusal(
        "I01 missing bucket, object",
        {"Bucket": "no-such-bucket", "Key": "a"},
        NotFoundError,
        "NoSuchBucket",
        's3://no-such-bucket/a: there is no bucket "no-such-bucket"',
        "check the name of the bucket",
    ),
    Refusal(
        "I02 missing bucket, prefix",
        {"Bucket": "no-such-bucket", "Key": "p/"},
        NotFoundError,
        "NoSuchBucket",
        's3://no-such-bucket/p/: there is no bucket "no-such-bucket"',
        "check the name of the bucket",
    ),
    Refusal(
        "no credentials, private bucket",
        {"Key": "a"},
        UnsuitableNodeError,
        "BadRequest",
        "this node has no credentials for bucket {bucket}",
        "give the node AWS credentials",
        NOBODY,
    ),
    Refusal(
        "anonymous although there are credentials",
        {"Key": "p/", "Anonymous": True},
        ForbiddenError,
        "PreconditionFailed",
        "s3://{bucket}/p/: access denied to an unsigned request",
        "leave out Anonymous",
    ),
    Refusal(
        "no credentials, and unsigned requests are not wanted",
        {"Key": "a"},
        ForbiddenError,
        "NoCredentials",
        "this node has no AWS credentials",
        "set AWS_ACCESS_KEY_ID",
        NOBODY,
        {"InputSources.Types.S3.AllowAnonymous": False},
    ),
    Refusal(
        "broken profile",
        {"Key": "a"},
        UserError,
        "InvalidCredentials",
        "(nobody) could not be found",
        "check AWS_PROFILE",
        {"AWS_PROFILE": "nobody"},
    ),
    Refusal(
        "address that hands out credentials",
        {"Key": "a", "Endpoint": "http://169.254.169.254/latest"},
        ForbiddenError,
        "Forbidden",
        "169.254.169.254 is an address that jobs may not reach",
        "",
    ),
    Refusal(
        "the same, in another spelling",
        {"Key": "a", "Endpoint": "http://[::ffff:169.254.169.254]"},
        ForbiddenError,
        "Forbidden",
        "is an address that jobs may not reach",
        "",
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
async def test_refusal(
    refusal: Refusal,
    s3_objects: S3Objects,
    s3_environment: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in refusal.environment.items():
        s3_environment.setenv(name, value)
    bucket = s3_objects.bucket({"a": b"1", "p/a": b"1"})
    params = {"Bucket": bucket, "Endpoint": s3_objects.endpoint, **refusal.params}
    async with node_with(S3Source, tmp_path, refusal.settings) as node:
        with pytest.raises(BacalhauError) as caught:
            await node.plan(params)
    error = caught.value
    assert refusal.message.format(bucket=bucket) in error.message
    assert "\n" not in error.message
    assert refusal.hint in error.hint
    assert isinstance(error, refusal.kind)
    assert error.code == refusal.code
    assert contents(node.directory) == {}


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.usefixtures("s3_environment")
async def test_server_that_does_not_answer(tmp_path: Path, closed_port: int) -> None:
    endpoint = f"http://127.0.0.1:{closed_port}"
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(TransientError) as caught:
            await node.plan({"Bucket": "b", "Key": "k", "Endpoint": endpoint})
    assert "s3://b/k" in caught.value.message
    assert caught.value.hint == f"check that a server answers at {endpoint}"
    assert caught.value.retryable


@pytest.mark.usefixtures("s3_environment")
async def test_server_that_does_not_speak_tls(s3_objects: S3Objects, tmp_path: Path) -> None:
    address = s3_objects.endpoint.removeprefix("http://")
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(TransientError) as caught:
            await node.plan({"Bucket": "b", "Key": "k", "Endpoint": f"https://{address}"})
    assert f"s3://b/k: TLS with {address} failed: wrong version number (" in caught.value.message
    assert "its Endpoint begins with http://" in caught.value.hint


@pytest.mark.usefixtures("s3_environment")
async def test_endpoint_whose_name_does_not_resolve(tmp_path: Path) -> None:
    async with node_with(S3Source, tmp_path) as node:
        for key in ("k", "p/*"):
            params = {"Bucket": "b", "Key": key, "Endpoint": "http://no-such-host.invalid:9000"}
            with pytest.raises(TransientError) as caught:
                await node.plan(params)
            assert 'the name "no-such-host.invalid" does not resolve' in caught.value.message
            assert "no answer" in caught.value.message


async def test_credentials_come_from_a_profile(
    s3_objects: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        s3_environment.delenv(name)
    profile = tmp_path / "credentials"
    profile.write_text("[team]\naws_access_key_id = test:tester\naws_secret_access_key = testing\n")
    s3_environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
    s3_environment.setenv("AWS_PROFILE", "team")
    bucket = s3_objects.bucket({"a": b"1"})
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({"Bucket": bucket, "Key": "a", "Endpoint": s3_objects.endpoint})
    assert fetched.seen == {"a": b"1"}


async def test_endpoint_of_the_node_stands_in_for_aws(
    s3_objects: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3_environment.setenv("AWS_ENDPOINT_URL", s3_objects.endpoint)
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({"Bucket": s3_objects.bucket({"a": b"1"}), "Key": "a"})
    assert fetched.seen == {"a": b"1"}


@pytest.mark.parametrize("concurrency", [0, -1])
async def test_somebody_has_to_fetch(concurrency: int, tmp_path: Path) -> None:
    settings: dict[str, Value] = {"InputSources.Types.S3.Concurrency": concurrency}
    with pytest.raises(UserError, match="it must be at least 1"):
        async with node_with(S3Source, tmp_path, settings):
            pass


async def test_availability_follows_credentials_unless_public_buckets_will_do(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    strict: dict[str, Value] = {"InputSources.Types.S3.AllowAnonymous": False}
    async with node_with(S3Source, tmp_path / "1", strict) as node:
        assert await node.source.is_available()
    for name, value in NOBODY.items():
        s3_environment.setenv(name, value)
    async with node_with(S3Source, tmp_path / "2", strict) as node:
        assert not await node.source.is_available()
    async with node_with(S3Source, tmp_path / "3") as node:
        assert await node.source.is_available()
