"""Many small objects and large ranges take ways of their own; what is odd there is asked again."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import BacalhauError
from bacalhau.s3.transfer.reading import RANGE_BYTES
from bacalhau.sources.s3 import S3Source
from tests.support.certificates import self_signed
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import contents, node_with
from tests.support.s3_cases import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bacalhau.config.keys import Value
    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

COUNT = 120
SMALL = {f"p/{n % 3}/{n:03}": b"content of %03d" % n for n in range(COUNT)}
SIZE = len(SMALL["p/0/000"])
LARGE = hashlib.shake_128(b"ranges").digest(2 * RANGE_BYTES + 777)
WRONG = b"x" * SIZE
RARELY = 20
"""More of them, in a row, would have the server be asked in the general way."""
LISTED: dict[str, Value] = {
    "Compute.AllowListedS3Endpoints": ("https://127.0.0.1:*", "http://127.0.0.1:*")
}

ODD = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "busy": b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
    "another length": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxxx",
    "cut short": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % SIZE,
    "too long": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b and more" % (SIZE, WRONG),
    "no head": b"\r\n" * 10,
    "no end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("served", [Server.SWIFT, Server.RGW], indirect=True)
async def test_many_small_objects_over_connections_that_are_kept(
    served: S3Objects, tmp_path: Path
) -> None:
    bucket = served.bucket(SMALL)
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({"Bucket": bucket, "Key": "p/", "Endpoint": served.endpoint})
    assert fetched.seen == {key.removeprefix("p/"): data for key, data in SMALL.items()}
    assert fetched.reported == (SIZE * COUNT, COUNT)
    changed = served.client.head_object(Bucket=bucket, Key="p/0/000")["LastModified"].timestamp()
    assert (fetched.volume.path / "0/000").stat().st_mtime == changed


@pytest.mark.parametrize("odd", ODD)
async def test_what_is_odd_is_asked_for_again(
    s3_objects: S3Objects, tmp_path: Path, odd: str
) -> None:
    bucket = s3_objects.bucket(SMALL)
    answered: set[str] = set()

    def judge(head: str) -> Fault | None:
        key = head.split(" ")[1]
        if "list-type=2" in key or key in answered or int(key[-3:]) % RARELY:
            return None
        answered.add(key)
        return Fault(instead=ODD[odd]) if ODD[odd] else Fault(after_bytes=1)

    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = judge
        fetched = await node.fetch({"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint})
    assert len(answered) == COUNT // RARELY
    assert fetched.seen == {key.removeprefix("p/"): data for key, data in SMALL.items()}
    assert fetched.reported == (SIZE * COUNT, COUNT)


_RANGE_ODD = {
    "all of it": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE),
    "another range": b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n"
    b"Content-Range: bytes 0-0/1\r\n\r\n" % RANGE_BYTES,
    "busy": ODD["busy"],
    "chunked": ODD["chunked"],
}


@pytest.mark.parametrize("odd", _RANGE_ODD)
async def test_an_odd_range_is_asked_for_again(
    s3_objects: S3Objects, tmp_path: Path, odd: str
) -> None:
    bucket = s3_objects.bucket({"o": LARGE})
    once = _for_each_range(lambda: Fault(instead=_RANGE_ODD[odd]))
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = once
        fetched = await node.fetch({"Bucket": bucket, "Key": "o", "Endpoint": proxy.endpoint})
        gets = [head for head in proxy.requests if head.startswith("GET ")]
    assert fetched.seen == {"o": LARGE}
    assert fetched.reported == (len(LARGE), 1)
    assert len(gets) == 6


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_a_silent_range_goes_on_where_it_stopped(
    s3_objects: S3Objects, tmp_path: Path, s3_environment: pytest.MonkeyPatch, *, is_encrypted: bool
) -> None:
    s3_environment.setattr("bacalhau.s3.requests.client.SILENCE_SECONDS", 1.0)
    certificate, tls = trusted(tmp_path)
    s3_environment.setenv("AWS_CA_BUNDLE", str(certificate))
    bucket = s3_objects.bucket({"o": LARGE})
    once = _for_each_range(lambda: Fault(after_bytes=700_000, stalls=True))
    async with (
        fault_proxy(s3_objects.endpoint, tls if is_encrypted else None) as proxy,
        node_with(S3Source, tmp_path, LISTED) as node,
    ):
        proxy.judge = once
        fetched = await node.fetch({"Bucket": bucket, "Key": "o", "Endpoint": proxy.endpoint})
        assert proxy.sent_bytes < len(LARGE) + 100_000
    assert fetched.seen == {"o": LARGE}


async def test_a_range_that_stands_still_is_left_when_the_job_is_stopped(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    bucket = s3_objects.bucket({"o": LARGE})
    params = {"Bucket": bucket, "Key": "o", "Endpoint": ""}
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = _for_each_range(lambda: Fault(after_bytes=700_000, stalls=True))
        params["Endpoint"] = proxy.endpoint
        async with asyncio.TaskGroup() as group:
            fetching = group.create_task(node.fetch(params))
            await proxy.stalled.wait()
            fetching.cancel()
            async with asyncio.timeout(1):
                await asyncio.wait([fetching])
        assert contents(node.directory) == {}


async def test_both_ways_speak_tls_with_the_certificates_that_are_trusted(
    s3_objects: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, tls = trusted(tmp_path)
    bucket = s3_objects.bucket({**SMALL, "p/large": LARGE})
    expected = {key.removeprefix("p/"): data for key, data in SMALL.items()} | {"large": LARGE}
    async with fault_proxy(s3_objects.endpoint, tls) as proxy:
        params = {"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint}
        async with node_with(S3Source, tmp_path / "distrustful", LISTED) as node:
            with pytest.raises(
                BacalhauError,
                match=r"certificate of 127\.0\.0\.1:\d+ is not trusted: self.signed",
            ) as caught:
                await node.fetch(params)
            assert "AWS_CA_BUNDLE" in caught.value.hint
        assert proxy.requests == []
        s3_environment.setenv("AWS_CA_BUNDLE", str(certificate))
        async with node_with(S3Source, tmp_path / "trusting", LISTED) as node:
            fetched = await node.fetch(params)
        gets = [head for head in proxy.requests if "list-type=2" not in head]
    assert fetched.seen == expected
    assert len(gets) == COUNT + 3


async def test_certificates_of_ones_own_stand_in_for_those_of_the_system(
    s3_objects: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with other AWS programs."""
    for name in ("known", "other"):
        (tmp_path / name).mkdir()
    known, tls = trusted(tmp_path / "known")
    other, _ = trusted(tmp_path / "other")
    s3_environment.setenv("SSL_CERT_FILE", str(known))
    s3_environment.setenv("AWS_CA_BUNDLE", str(other))
    async with fault_proxy(s3_objects.endpoint, tls) as proxy:
        params = {"Bucket": s3_objects.bucket(SMALL), "Key": "p/", "Endpoint": proxy.endpoint}
        async with node_with(S3Source, tmp_path / "node", LISTED) as node:
            with pytest.raises(BacalhauError, match=r"(?i)certificate"):
                await node.fetch(params)


def trusted(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate for 127.0.0.1, and what a server shows it with."""
    certificate, key = self_signed(directory)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return certificate, tls


def _for_each_range(fault: Callable[[], Fault]) -> Callable[[str], Fault | None]:
    """Judge the first request for each whole range so, and let all others pass."""
    left = {f"bytes={start}-" for start in range(0, len(LARGE), RANGE_BYTES)}

    def judge(head: str) -> Fault | None:
        found = next((start for start in left if start in head), None)
        left.discard(found or "")
        return fault() if found else None

    return judge
