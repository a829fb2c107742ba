"""The S3 servers of the tests, and a quick way to fill buckets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from bacalhau.testing import s3_server
from tests.support import rgw
from tests.support.docker import unavailable
from tests.support.s3_cases import Server


@dataclass(frozen=True)
class S3Objects:
    """A running server. ``client`` is boto3's, with credentials that the server accepts."""

    endpoint: str
    client: Any
    _numbers: Iterator[int] = field(default_factory=count)
    _filled: dict[frozenset[tuple[str, bytes]], str] = field(default_factory=dict)

    def new_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"bucket-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name)
        return name

    def bucket(self, objects: Mapping[str, bytes]) -> str:
        """Return a bucket with exactly these objects; it is shared, so leave it as it is."""
        content = frozenset(objects.items())
        if content not in self._filled:
            name = self.new_bucket()
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda item: self._put(name, *item), objects.items()))
            self._filled[content] = name
        return self._filled[content]

    def _put(self, bucket: str, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=data)


@pytest.fixture(scope="session")
def s3_objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Objects]:
    """Run a server for the session."""
    with s3_server.running(tmp_path_factory.mktemp("s3")) as endpoint:
        client = s3_server.client(endpoint)
        yield S3Objects(endpoint, client)
        client.close()


@pytest.fixture(scope="session")
def rgw_objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Objects]:
    """Run a Ceph server for the session; the client is the owner of all buckets."""
    if missing := rgw.missing_programs():
        unavailable(f"missing: {', '.join(missing)}; run scripts/install_test_servers.sh")
    with rgw.running(tmp_path_factory.mktemp("rgw")) as endpoint:
        client = rgw_client(endpoint, rgw.OWNER)
        yield S3Objects(endpoint, client)
        client.close()


def rgw_client(endpoint: str, user: rgw.User) -> Any:
    """Return a boto3 client for the Ceph server."""
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=user.access_key,
        aws_secret_access_key=user.secret_key,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@pytest.fixture
def served(request: pytest.FixtureRequest, s3_environment: pytest.MonkeyPatch) -> S3Objects:
    """The server that a test is marked for, with its credentials in the environment."""
    server: Server = request.param
    is_swift = server is Server.SWIFT
    variables = s3_server.environment() if is_swift else rgw.OWNER.environment
    for name, value in variables.items():
        s3_environment.setenv(name, value)
    objects: S3Objects = request.getfixturevalue("s3_objects" if is_swift else "rgw_objects")
    return objects


@pytest.fixture
def s3_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give the process the server's credentials, and nothing of the machine's own."""
    for name in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch
