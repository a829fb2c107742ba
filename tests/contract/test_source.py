"""The input sources under their contract. A new source is one more line in ``CASES``."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bacalhau.models import SpecConfig
from bacalhau.sources.inline import InlineSource
from bacalhau.sources.local import LocalSource
from bacalhau.sources.s3 import S3Source
from bacalhau.sources.url import UrlSource
from bacalhau.testing.contracts.source import SourceCase, SourceContract
from bacalhau.testing.source_fake import FakeSource
from tests.support.s3 import S3Objects, s3_environment, s3_objects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

__all__ = ["s3_environment", "s3_objects"]

CASES = [
    SourceCase(FakeSource, origin="fake_origin"),
    SourceCase(InlineSource, origin="inline_origin"),
    SourceCase(
        LocalSource,
        origin="local_origin",
        settings={"Compute.AllowListedLocalPaths": ("/**",)},
        lends=True,
    ),
    SourceCase(S3Source, origin="s3_origin"),
    SourceCase(UrlSource, origin="web_origin"),
]


class TestSources(SourceContract):
    @pytest.fixture(params=CASES, ids=str)
    def case(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class FakeOrigin:
    holds_trees = False  # its content is text

    async def offer(self, files: Mapping[str, bytes]) -> SpecConfig:
        texts = {path: data.decode() for path, data in files.items()}
        return SpecConfig(type="fake", params={"Files": texts})

    def absent(self) -> None:
        return None


class InlineOrigin:
    """One file is written as it is, more as an archive."""

    holds_trees = True

    async def offer(self, files: Mapping[str, bytes]) -> SpecConfig:
        if len(files) == 1:
            kind, data = "text/plain", next(iter(files.values()))
        else:
            kind, data = "application/gzip", archive(files)
        url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return SpecConfig(type="inline", params={"URL": url})

    def absent(self) -> None:
        return None


def archive(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


class LocalOrigin:
    holds_trees = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def offer(self, files: Mapping[str, bytes]) -> SpecConfig:
        for name, data in files.items():
            path = self._directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self._spec(self._directory)

    def absent(self) -> SpecConfig:
        return self._spec(self._directory / "nothing-here")

    def _spec(self, path: Path) -> SpecConfig:
        return SpecConfig(type="local", params={"SourcePath": str(path), "ReadWrite": False})


class S3Origin:
    holds_trees = True

    def __init__(self, s3: S3Objects) -> None:
        self._s3 = s3

    async def offer(self, files: Mapping[str, bytes]) -> SpecConfig:
        bucket = self._s3.bucket({f"p/{path}": data for path, data in files.items()})
        return self._spec(bucket, "p/")

    def absent(self) -> SpecConfig:
        return self._spec(self._s3.bucket({"a": b"1"}), "nothing-here")

    def _spec(self, bucket: str, key: str) -> SpecConfig:
        endpoint = self._s3.endpoint
        return SpecConfig(type="s3", params={"Bucket": bucket, "Key": key, "Endpoint": endpoint})


class WebOrigin:
    holds_trees = False

    def __init__(self) -> None:
        self.base = ""
        self.files: dict[str, bytes] = {}

    async def offer(self, files: Mapping[str, bytes]) -> SpecConfig:
        self.files.update(files)
        (name,) = files
        return SpecConfig(type="urlDownload", params={"URL": f"{self.base}/{name}"})

    def absent(self) -> SpecConfig:
        return SpecConfig(type="urlDownload", params={"URL": f"{self.base}/nothing-here"})

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.files:
            raise web.HTTPNotFound
        return web.Response(body=self.files[name])


@pytest.fixture
def fake_origin() -> FakeOrigin:
    return FakeOrigin()


@pytest.fixture
def inline_origin() -> InlineOrigin:
    return InlineOrigin()


@pytest.fixture
def local_origin(tmp_path: Path) -> LocalOrigin:
    return LocalOrigin(tmp_path / "data")


@pytest.fixture
def s3_origin(
    s3_objects: S3Objects,
    s3_environment: pytest.MonkeyPatch,
) -> S3Origin:
    return S3Origin(s3_objects)


@pytest.fixture
async def web_origin() -> AsyncIterator[WebOrigin]:
    origin = WebOrigin()
    app = web.Application()
    app.router.add_get("/{name}", origin.answer)
    async with TestServer(app) as server:
        origin.base = str(server.make_url("")).rstrip("/")
        yield origin
