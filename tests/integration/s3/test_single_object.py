"""One object: every byte of it, a checksum that is wrong, and where the task finds it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import NotFoundError, UserError
from bacalhau.s3.transfer.fetch import SMALL_BYTES
from bacalhau.s3.transfer.reading import RANGE_BYTES
from bacalhau.sources.s3 import S3Source
from tests.support.inputs import contents, node_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]


def noise(size: int) -> bytes:
    """Return bytes without a period, the same every time."""
    return hashlib.shake_128(b"noise").digest(size)


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


async def test_dot_in_front_is_no_sign_of_a_file(s3_objects: S3Objects, tmp_path: Path) -> None:
    bucket = s3_objects.bucket({".hidden": b"h"})
    params = {"Bucket": bucket, "Key": ".hidden", "Endpoint": s3_objects.endpoint}
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch(params, "/in/.hidden")
    assert not fetched.plan.is_file
    assert fetched.seen == {".hidden": b"h"}
    assert not fetched.volume.read_only


async def test_prefix_without_a_slash_gets_a_hint(s3_objects: S3Objects, tmp_path: Path) -> None:
    params = {"Bucket": s3_objects.bucket({"set1/001.txt": b"1"}), "Key": "set1"}
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(NotFoundError) as caught:
            await node.plan({**params, "Endpoint": s3_objects.endpoint})
    assert caught.value.hint == ('"set1" is a prefix; use "set1/" to fetch everything under it')
    assert caught.value.code == "NotFound"


async def test_wildcard_within_a_key_gets_a_hint(s3_objects: S3Objects, tmp_path: Path) -> None:
    params = {"Bucket": s3_objects.bucket({"set1/001.txt": b"1"}), "Key": "set1/*.txt"}
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(NotFoundError) as caught:
            await node.plan({**params, "Endpoint": s3_objects.endpoint})
    assert caught.value.hint == (
        '* stands for anything only at its end; set Key to "set1/", and choose below it with Filter'
    )
