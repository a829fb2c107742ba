"""Connections that break, stall and slow down: everything arrives, and little of it twice."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import ConflictError, UserError
from bacalhau.s3.transfer import RANGE_BYTES
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import contents, node_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

LARGE = hashlib.shake_128(b"large").digest(5 * RANGE_BYTES + 12_345)
SMALL_COUNT = 1000
RANGE = re.compile(r"(?im)^range: bytes=(\d+)-")


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on answers that stand still after a third of a second."""
    monkeypatch.setattr("bacalhau.s3.client.SILENCE_SECONDS", 0.3)


async def test_three_resets_cost_less_than_three_parts(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    """Each broken range goes on from the byte where it stood; the digest is of what arrived."""
    bucket = s3_objects.bucket({"o": LARGE})
    resets = [RANGE_BYTES // 2, RANGE_BYTES - 70_000, 100_000]

    def judge(head: str) -> Fault | None:
        return Fault(after_bytes=resets.pop()) if head.startswith("GET ") and resets else None

    digest = hashlib.sha256(LARGE).hexdigest()
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = judge
        fetched = await node.fetch(
            {"Bucket": bucket, "Key": "o", "Endpoint": proxy.endpoint, "ChecksumSHA256": digest}
        )
        assert resets == []
        heads = 1024 * len(proxy.requests)
        assert proxy.sent_bytes < len(LARGE) + heads + 3 * 256 * 1024
        starts = [int(found[1]) for found in map(RANGE.search, proxy.requests) if found]
    assert fetched.seen == {"o": LARGE}
    assert fetched.reported == (len(LARGE), 1)
    resumed = [start for start in starts if start % RANGE_BYTES]
    assert len(resumed) == 3


@pytest.mark.usefixtures("short_silence")
async def test_stalls_delay_but_lose_nothing(s3_objects: S3Objects, tmp_path: Path) -> None:
    """A thousand objects, of whose answers two in a hundred never come to their end."""
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
