"""Connections that break, stall and slow down: everything arrives, and little of it twice."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import ConflictError, UserError
from bacalhau.s3.transfer.reading import RANGE_BYTES
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import contents, node_with
from tests.support.s3_cases import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

LARGE = hashlib.shake_128(b"large").digest(5 * RANGE_BYTES + 12_345)
PART = hashlib.shake_128(b"part").digest(RANGE_BYTES)
HUGE_PARTS = 2**31 // RANGE_BYTES
SMALL_COUNT = 1000
RANGE = re.compile(r"(?im)^range: bytes=(\d+)-")


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on answers that stand still after a third of a second."""
    monkeypatch.setattr("bacalhau.s3.requests.client.SILENCE_SECONDS", 0.3)


def huge_part(number: int) -> bytes:
    """Return one of the parts of an object of 2 GiB; no two are alike."""
    return number.to_bytes(8, "big") + PART[8:]


def store_huge(s3: S3Objects, bucket: str) -> None:
    target = {"Bucket": bucket, "Key": "o"}
    upload = {**target, "UploadId": s3.client.create_multipart_upload(**target)["UploadId"]}
    stored = [
        s3.client.upload_part(**upload, PartNumber=number + 1, Body=huge_part(number))
        for number in range(HUGE_PARTS)
    ]
    parts = [{"PartNumber": n + 1, "ETag": part["ETag"]} for n, part in enumerate(stored)]
    s3.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


@pytest.mark.parametrize("served", [Server.RGW], indirect=True)
async def test_three_resets_of_two_gigabytes_cost_less_than_three_parts(
    served: S3Objects, tmp_path: Path
) -> None:
    """Each broken range goes on from the byte where it stood; the digest is of what arrived."""
    bucket = served.new_bucket()
    await asyncio.to_thread(store_huge, served, bucket)
    resets = [RANGE_BYTES // 2, RANGE_BYTES - 70_000, 100_000]

    def judge(head: str) -> Fault | None:
        return Fault(after_bytes=resets.pop()) if head.startswith("GET ") and resets else None

    digest = hashlib.sha256()
    for number in range(HUGE_PARTS):
        digest.update(huge_part(number))
    params = {"Bucket": bucket, "Key": "o", "ChecksumSHA256": digest.hexdigest()}
    async with fault_proxy(served.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = judge
        proxy.piece_bytes = 2**20
        fetched = await node.fetch({**params, "Endpoint": proxy.endpoint})
        assert resets == []
        again = proxy.sent_bytes - 1024 * len(proxy.requests) - HUGE_PARTS * len(PART)
        starts = [int(found[1]) for found in map(RANGE.search, proxy.requests) if found]
    served.client.delete_object(Bucket=bucket, Key="o")
    assert again < 3 * RANGE_BYTES
    assert len([start for start in starts if start % RANGE_BYTES]) == 3
    assert fetched.reported == (HUGE_PARTS * len(PART), 1)
    with (fetched.volume.path / "o").open("rb") as file:
        assert all(file.read(len(PART)) == huge_part(number) for number in range(HUGE_PARTS))
        assert file.read() == b""
    (fetched.volume.path / "o").unlink()


async def test_stalls_delay_but_lose_nothing(
    s3_objects: S3Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand objects, of whose answers two in a hundred never come to their end."""
    # Enough on a busy machine, too.
    monkeypatch.setattr("bacalhau.s3.requests.client.SILENCE_SECONDS", 1.5)
    objects = {f"p/{n:04}": hashlib.shake_128(b"%d" % n).digest(700) for n in range(SMALL_COUNT)}
    bucket = s3_objects.bucket(objects)
    chance = random.Random(5)
    stalled = 0

    def judge(head: str) -> Fault | None:
        nonlocal stalled
        if "list-type=2" in head or chance.random() >= 0.02:
            return None
        stalled += 1
        return Fault(after_bytes=chance.choice([0, 100, 600]), stalls=True)

    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = judge
        fetched = await node.fetch({"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint})
    assert stalled >= 10
    assert fetched.seen == {key.removeprefix("p/"): data for key, data in objects.items()}
    assert fetched.reported == (700 * SMALL_COUNT, SMALL_COUNT)


@pytest.mark.usefixtures("short_silence")
async def test_slow_answer_is_waited_for(s3_objects: S3Objects, tmp_path: Path) -> None:
    """It makes progress, if little at a time: longer in all than a silence may last."""
    bucket = s3_objects.bucket({"o": LARGE[:5000]})
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.pause = lambda: asyncio.sleep(0.1)
        proxy.piece_bytes = 1000
        fetched = await node.fetch({"Bucket": bucket, "Key": "o", "Endpoint": proxy.endpoint})
        gets = [head for head in proxy.requests if head.startswith("GET ")]
    assert fetched.seen == {"o": LARGE[:5000]}
    assert len(gets) == 1


@pytest.mark.parametrize("size", [10, 2 * RANGE_BYTES])
async def test_failure_names_the_object_that_changed(
    s3_objects: S3Objects, tmp_path: Path, size: int
) -> None:
    bucket = s3_objects.new_bucket()
    for key in ("p/a", "p/b", "p/c"):
        s3_objects.client.put_object(Bucket=bucket, Key=key, Body=LARGE[:size])
    params = {"Bucket": bucket, "Key": "p/", "Endpoint": s3_objects.endpoint}
    async with node_with(S3Source, tmp_path) as node:
        plan = await node.plan(params)
        s3_objects.client.put_object(Bucket=bucket, Key="p/b", Body=LARGE[1 : size + 1])
        with pytest.raises(ConflictError) as caught:
            await node.fetch_planned(params, plan)
    said = f"s3://{bucket}/p/b: the object changed while it was fetched"
    assert said in caught.value.message


async def test_digest_of_a_large_object_is_that_of_its_bytes(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    bucket = s3_objects.bucket({"o": LARGE})
    wrong = hashlib.sha256(LARGE[:-1]).hexdigest()
    params = {"Bucket": bucket, "Key": "o", "Endpoint": s3_objects.endpoint}
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(UserError, match="checksum mismatch"):
            await node.fetch({**params, "ChecksumSHA256": wrong})
    assert contents(node.directory) == {}
