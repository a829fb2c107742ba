"""The publishers under their contract. A new publisher is one more line in ``CASES``."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from bacalhau.models import SpecConfig
from bacalhau.publishers.local import LocalPublisher
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.testing.contracts.publisher import PublisherCase, PublisherContract
from bacalhau.testing.contracts.source import files_below
from bacalhau.testing.publisher_fake import FakePublisher
from tests.support.s3 import S3Objects, s3_environment, s3_objects

if TYPE_CHECKING:
    from bacalhau.ports import Publisher

__all__ = ["s3_environment", "s3_objects"]

CASES = [
    PublisherCase(FakePublisher, shelf="fake_shelf"),
    PublisherCase(LocalPublisher, shelf="local_shelf"),
    PublisherCase(S3Publisher, shelf="s3_shelf"),
    PublisherCase(S3Publisher, shelf="plain_shelf"),
]


class TestPublishers(PublisherContract):
    @pytest.fixture(params=CASES, ids=str)
    def case(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class FakeShelf:
    def spec(self) -> SpecConfig:
        return SpecConfig(type="fake")

    async def read(self, publisher: Publisher, result: SpecConfig) -> dict[str, bytes]:
        assert isinstance(publisher, FakePublisher)
        return files_below(publisher.shelf.published[result.params["Shelf"]])


class LocalShelf:
    def spec(self) -> SpecConfig:
        return SpecConfig(type="local")

    async def read(self, publisher: Publisher, result: SpecConfig) -> dict[str, bytes]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(result.params["URL"], raise_for_status=True) as response,
        ):
            return unpacked(await response.read())


class S3Shelf:
    def __init__(self, s3: S3Objects) -> None:
        self._s3 = s3
        self._bucket = s3.new_bucket()

    def spec(self) -> SpecConfig:
        params = {"Bucket": self._bucket, "Key": "{executionID}", "Endpoint": self._s3.endpoint}
        return SpecConfig(type="s3", params=params)

    async def read(self, publisher: Publisher, result: SpecConfig) -> dict[str, bytes]:
        stored = self._s3.client.get_object(
            Bucket=result.params["Bucket"], Key=result.params["Key"]
        )
        return unpacked(stored["Body"].read())


class PlainShelf:
    def __init__(self, s3: S3Objects) -> None:
        self._s3 = s3
        self._bucket = s3.new_bucket()

    def spec(self) -> SpecConfig:
        params = {"Bucket": self._bucket, "Key": "{executionID}", "Endpoint": self._s3.endpoint}
        return SpecConfig(type="s3", params={**params, "Encoding": "plain"})

    async def read(self, publisher: Publisher, result: SpecConfig) -> dict[str, bytes]:
        prefix = result.params["Key"]
        manifest = json.loads(self._object(f"{prefix}_manifest.json"))
        return {file["Path"]: self._object(f"{prefix}{file['Path']}") for file in manifest["Files"]}

    def _object(self, key: str) -> bytes:
        return bytes(self._s3.client.get_object(Bucket=self._bucket, Key=key)["Body"].read())


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        files = [(member, tar.extractfile(member)) for member in tar if member.isfile()]
        return {member.name.removeprefix("./"): file.read() for member, file in files if file}


@pytest.fixture
def fake_shelf() -> FakeShelf:
    return FakeShelf()


@pytest.fixture
def local_shelf() -> LocalShelf:
    return LocalShelf()


@pytest.fixture
def s3_shelf(
    s3_objects: S3Objects,
    s3_environment: pytest.MonkeyPatch,
) -> S3Shelf:
    return S3Shelf(s3_objects)


@pytest.fixture
def plain_shelf(
    s3_objects: S3Objects,
    s3_environment: pytest.MonkeyPatch,
) -> PlainShelf:
    return PlainShelf(s3_objects)
