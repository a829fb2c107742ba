"""A network and a server that misbehave: the bytes are right, or the error says what happened."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import (
    BacalhauError,
    ConflictError,
    TransientError,
    UserError,
)
from bacalhau.ports import InputPlan, PlannedObject
from bacalhau.s3.transfer.reading import RANGE_BYTES
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import BUSY, Fault, fault_proxy
from tests.support.inputs import contents, node_with
from tests.support.s3_cases import Server, marked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

BIG = hashlib.shake_128(b"big").digest(RANGE_BYTES + 3 * 1024 * 1024)


def first(times: int, fault: Fault, matching: str = "GET ") -> Callable[[str], Fault | None]:
    """Return a judge that lets the first few matching requests go wrong."""
    left = [times]

    def judge(head: str) -> Fault | None:
        if left[0] and head.startswith(matching):
            left[0] -= 1
            return fault
        return None

    return judge


@marked("I12", "503 twice, then the answer → the files", Server.SWIFT)
async def test_i12_busy_server_is_asked_again(s3_objects: S3Objects, tmp_path: Path) -> None:
    """I12."""
    bucket = s3_objects.bucket({"p/a": b"a", "p/b": b"b"})
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = first(2, Fault(instead=BUSY))
        fetched = await node.fetch({"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint})
    assert fetched.seen == {"a": b"a", "b": b"b"}


@marked("I13", "503 for ever → an error after five attempts, worth another node", Server.SWIFT)
async def test_i13_server_that_stays_busy_is_worth_another_node(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    """I13."""
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: Fault(instead=BUSY)
        with pytest.raises(TransientError) as caught:
            await node.plan({"Bucket": "b", "Key": "p/", "Endpoint": proxy.endpoint})
        assert len(proxy.requests) == 5
    assert caught.value.retryable
    assert "s3://b/p/" in caught.value.message


@marked("I14", "the connection breaks amid a body → every byte, once", Server.SWIFT)
@pytest.mark.parametrize("size", [1000, 3 * 1024 * 1024, len(BIG)])
async def test_i14_broken_download_goes_on(
    s3_objects: S3Objects, tmp_path: Path, size: int
) -> None:
    """I14."""
    bucket = s3_objects.bucket({"o": BIG[:size]})
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = first(2, Fault(after_bytes=max(600, size // 3)))
        fetched = await node.fetch({"Bucket": bucket, "Key": "o", "Endpoint": proxy.endpoint})
    assert fetched.seen == {"o": BIG[:size]}
    assert fetched.reported == (size, 1)


@marked("I15", "every body breaks → an error, and no file", Server.SWIFT)
async def test_i15_download_that_always_breaks_leaves_no_file(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    """I15."""
    bucket = s3_objects.bucket({"o": BIG})
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda head: Fault(after_bytes=100) if head.startswith("GET ") else None
        with pytest.raises(TransientError):
            await node.fetch({"Bucket": bucket, "Key": "o", "Endpoint": proxy.endpoint})
    assert contents(node.directory) == {}


@marked(
    "I17", "the object is replaced after it was looked up → error, never a mixture", Server.SWIFT
)
@marked("I18", "an object is replaced after the listing → error, never a mixture", Server.SWIFT)
@pytest.mark.parametrize("key", ["p/o", "p/"], ids=["I17", "I18"])
@pytest.mark.parametrize("size", [10, len(BIG)])
async def test_i17_i18_replaced_object_is_never_mixed(
    s3_objects: S3Objects, tmp_path: Path, key: str, size: int
) -> None:
    bucket = s3_objects.new_bucket()
    params = {"Bucket": bucket, "Key": key, "Endpoint": s3_objects.endpoint}
    s3_objects.client.put_object(Bucket=bucket, Key="p/o", Body=BIG[:size])
    async with node_with(S3Source, tmp_path) as node:
        plan = await node.plan(params)
        s3_objects.client.put_object(Bucket=bucket, Key="p/o", Body=BIG[:size][::-1])
        with pytest.raises(
            ConflictError, match="the object changed while it was fetched"
        ) as caught:
            await node.fetch_planned(params, plan)
    assert caught.value.retryable
    assert caught.value.code == "PreconditionFailed"
    assert contents(node.directory) == {}


@marked(
    "I19",
    "an object is deleted after the listing → `NoSuchKey`, worth another attempt",
    Server.SWIFT,
)
async def test_i19_object_deleted_after_listing(s3_objects: S3Objects, tmp_path: Path) -> None:
    """I19."""
    bucket = s3_objects.new_bucket()
    params = {"Bucket": bucket, "Key": "p/", "Endpoint": s3_objects.endpoint}
    s3_objects.client.put_object(Bucket=bucket, Key="p/o", Body=b"1")
    async with node_with(S3Source, tmp_path) as node:
        plan = await node.plan(params)
        s3_objects.client.delete_object(Bucket=bucket, Key="p/o")
        with pytest.raises(ConflictError, match="p/o: the object was removed while") as caught:
            await node.fetch_planned(params, plan)
    assert caught.value.code == "NoSuchKey"
    assert caught.value.retryable, "the next listing is without it"


@marked("I20", "a listing hangs → error after `InputSources.ReadTimeout`", Server.SWIFT)
async def test_i20_listing_that_hangs_is_given_up(s3_objects: S3Objects, tmp_path: Path) -> None:
    """I20."""
    settings = {"InputSources.ReadTimeout": "200ms"}
    async with (
        fault_proxy(s3_objects.endpoint) as proxy,
        node_with(S3Source, tmp_path, settings) as node,
    ):
        proxy.judge = lambda _: Fault(stalls=True)
        with pytest.raises(TransientError) as caught:
            await node.plan({"Bucket": "b", "Key": "p/", "Endpoint": proxy.endpoint})
    assert caught.value.message == "s3://b/p/ could not be listed within 0.2 s"
    assert "InputSources.ReadTimeout" in caught.value.hint


@marked("I22", "cancelled during the download → no request and no file is left", Server.SWIFT)
async def test_i22_cancelled_download_stops_at_once(s3_objects: S3Objects, tmp_path: Path) -> None:
    """I22."""
    bucket = s3_objects.bucket({"o": BIG})
    params = {"Bucket": bucket, "Key": "o", "Endpoint": ""}
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        params["Endpoint"] = proxy.endpoint
        plan = await node.plan(params)
        proxy.judge = lambda _: Fault(after_bytes=100_000, stalls=True)
        async with asyncio.TaskGroup() as group:
            download = group.create_task(node.fetch_planned(params, plan))
            await proxy.stalled.wait()
            download.cancel()
            async with asyncio.timeout(1):
                await asyncio.wait([download])
        assert download.cancelled()
        assert contents(node.directory) == {}


LISTING = b"""<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key><Size>1</Size>\
</Contents><NextContinuationToken>again</NextContinuationToken></ListBucketResult>"""


def answer(body: bytes, head: str = "") -> Fault:
    return Fault(
        instead=f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{head}Connection: close\r\n\r\n"
        "".encode()
        + body
    )


@marked("E04", "the same token twice → error, no endless loop", Server.STAND_IN)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (LISTING, "the listing does not end: a continuation token came twice"),
        (b"<html><body>It works!</body></html>", "expected a ListBucketResult, got html"),
        (b"It works!", "the answer is not XML"),
    ],
)
async def test_e04_something_that_is_not_s3(body: bytes, message: str, tmp_path: Path) -> None:
    """E04."""
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: answer(body)
        with pytest.raises(UserError) as caught:
            await node.plan({"Bucket": "b", "Key": "", "Endpoint": proxy.endpoint})
    assert message in caught.value.message
    assert "s3://b" in caught.value.message
    assert "Endpoint" in caught.value.hint


@marked("E05", "no IsTruncated in a listing → the objects of the page", Server.STAND_IN)
async def test_e05_public_bucket_is_read_without_a_signature(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """H11, and E05: the answer leaves out what it may."""
    s3_environment.setenv("AWS_ACCESS_KEY_ID", "")
    listing = (
        b"<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"
    )
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda head: answer(listing if "list-type=2" in head else b"1")
        fetched = await node.fetch({"Bucket": "b", "Key": "", "Endpoint": proxy.endpoint})
        assert not [head for head in proxy.requests if "authorization" in head.lower()]
    assert fetched.seen == {"a": b"1"}


async def test_listing_without_a_size_is_completed(tmp_path: Path) -> None:
    listing = b"<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda head: answer(listing if "list-type=2" in head else b"12345")
        plan = await node.plan({"Bucket": "b", "Key": "", "Endpoint": proxy.endpoint})
    assert plan.size_bytes == 5


@marked("H06", "Endpoint `127.0.0.1:PORT` without scheme → http, with a warning", Server.STAND_IN)
@marked("H07", "Endpoint with a path → it begins the path of each request", Server.STAND_IN)
@pytest.mark.parametrize(
    ("endpoint", "path"),
    [("{host}", "/b/k"), ("http://{host}/base/", "/base/b/k")],
    ids=["H06", "H07"],
)
async def test_h06_h07_path_of_requests(endpoint: str, path: str, tmp_path: Path) -> None:
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: answer(b"")
        host = proxy.endpoint.removeprefix("http://")
        plan = await node.plan({"Bucket": "b", "Key": "k", "Endpoint": endpoint.format(host=host)})
        assert proxy.requests[0].startswith(f"HEAD {path} HTTP/1.1")
        assert "/us-east-1/s3/aws4_request" in proxy.requests[0]
    has_warning = any("one is assumed" in text for text in plan.warnings)
    assert has_warning is not endpoint.startswith("http")


async def test_listing_that_breaks_off_is_asked_for_again(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    bucket = s3_objects.bucket({"p/a": b"a", "p/b": b"b"})
    async with fault_proxy(s3_objects.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = first(2, Fault(after_bytes=600), "GET ")
        plan = await node.plan({"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint})
    assert [item.key for item in plan.objects] == ["p/a", "p/b"]


async def test_too_many_objects(s3_objects: S3Objects, tmp_path: Path) -> None:
    few = {"InputSources.Types.S3.MaxObjects": 1}
    bucket = s3_objects.bucket({"p/a": b"a", "p/b": b"b"})
    async with node_with(S3Source, tmp_path, few) as node:
        with pytest.raises(UserError, match="has more than 1 objects") as caught:
            await node.plan({"Bucket": bucket, "Key": "p/", "Endpoint": s3_objects.endpoint})
    assert "InputSources.Types.S3.MaxObjects" in caught.value.hint


@marked("I16", "a body of another length → error, no file", Server.STAND_IN)
@pytest.mark.parametrize(
    ("size", "body", "head", "message"),
    [
        (3, b"12345", "", "expected 3 bytes, got 5"),
        (3, b"123", 'ETag: "other"\r\n', "the object changed while it was fetched"),
        # Both ranges are asked for at once, and either may be the first to fail.
        (RANGE_BYTES + 1, b"123", "", 'the server did not answer with "bytes '),
        (5, b"123", "", "expected 5 bytes, got 3"),
    ],
    ids=["longer", "another version", "ranges are ignored", "shorter"],
)
async def test_i16_answer_that_is_not_what_was_asked_for(
    size: int, body: bytes, head: str, message: str, tmp_path: Path
) -> None:
    """I16, and servers that do not know conditions or ranges."""
    planned = PlannedObject(key="o", path="o", size_bytes=size, etag='"this"')
    params = {"Bucket": "b", "Key": "o"}
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: answer(body, head)
        with pytest.raises(BacalhauError) as caught:
            await node.fetch_planned(
                {**params, "Endpoint": proxy.endpoint}, InputPlan(objects=(planned,))
            )
    assert message in caught.value.message
    assert "s3://b/o" in caught.value.message
    assert contents(node.directory) == {}


async def test_certificates_that_cannot_be_read(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3_environment.setenv("AWS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    with pytest.raises(UserError, match="AWS_CA_BUNDLE cannot be read"):
        async with node_with(S3Source, tmp_path):
            pass


@pytest.mark.usefixtures("s3_environment")
async def test_a_server_without_tls(s3_objects: S3Objects, tmp_path: Path) -> None:
    endpoint = s3_objects.endpoint.replace("http://", "https://")
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(TransientError) as caught:
            await node.plan({"Bucket": "b", "Key": "o", "Endpoint": endpoint})
    assert caught.value.hint == (
        "check that the server speaks TLS; if not, its Endpoint begins with http://"
    )


@pytest.mark.usefixtures("s3_environment")
async def test_headers_that_are_no_text(tmp_path: Path) -> None:
    """What is recorded and told is sent as JSON, which such bytes have no form in."""
    whole = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n"
        b'ETag: "\xff"\r\nx-amz-version-id: v\xff\r\n\r\n'
    )
    refused = (
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n"
        b"x-amz-request-id: R\xff\r\n\r\n"
    )
    params = {"Bucket": "b", "Key": "o", "Anonymous": True}
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        params["Endpoint"] = proxy.endpoint
        proxy.judge = lambda _: Fault(instead=whole)
        plan = await node.plan(params)
        proxy.judge = lambda _: Fault(instead=refused)
        with pytest.raises(BacalhauError, match=r"request R\\xff") as caught:
            await node.plan(params)
    (planned,) = plan.objects
    assert (planned.etag, planned.version) == (r'"\xff"', r"v\xff")
    assert caught.value.details["AWSRequestID"] == r"R\xff"
