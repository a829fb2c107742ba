"""A job names the server: it gets nothing that this node signs unless the operator wants it to.

Security.md T-J11.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import BacalhauError, Code, ForbiddenError, UnsuitableNodeError
from bacalhau.models import SpecConfig
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.sources.s3 import S3Source
from bacalhau.testing.contracts.publisher import ToldProgress, execution_with, write_results
from tests.support.engines import plugin_context
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import node_with

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.config.keys import Value
    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

KEY = "Compute.AllowListedS3Endpoints"
UNLISTED: dict[str, Value] = {KEY: ()}
LISTING = b"<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"


def answer(body: bytes, status: str = "200 OK", head: str = "") -> Fault:
    lines = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}Connection: close\r\n\r\n"
    return Fault(instead=lines.encode() + body)


def secrets_in(heads: list[str]) -> list[str]:
    words = ("authorization", "x-amz-security-token", "x-amz-signature", "credential=")
    return [head for head in heads if any(word in head.lower() for word in words)]


async def test_unlisted_server_gets_no_signature_and_no_token(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3_environment.setenv("AWS_SESSION_TOKEN", "token-of-the-node")
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path, UNLISTED) as node:
        proxy.judge = lambda head: answer(LISTING if "list-type=2" in head else b"1")
        fetched = await node.fetch({"Bucket": "b", "Key": "", "Endpoint": proxy.endpoint})
        assert fetched.seen == {"a": b"1"}
        assert len(proxy.requests) == 2
        assert secrets_in(proxy.requests) == []


async def test_listed_server_gets_both(s3_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    s3_environment.setenv("AWS_SESSION_TOKEN", "token-of-the-node")
    async with fault_proxy("") as proxy:
        async with node_with(S3Source, tmp_path, {KEY: (proxy.endpoint,)}) as node:
            proxy.judge = lambda head: answer(LISTING if "list-type=2" in head else b"1")
            await node.fetch({"Bucket": "b", "Key": "", "Endpoint": proxy.endpoint})
        assert secrets_in(proxy.requests) == proxy.requests


async def test_refusal_says_that_the_server_is_not_listed(
    s3_objects: S3Objects, tmp_path: Path
) -> None:
    bucket = s3_objects.bucket({"o": b"1"})
    async with node_with(S3Source, tmp_path, UNLISTED) as node:
        for key in ("o", ""):
            with pytest.raises(UnsuitableNodeError) as caught:
                await node.plan({"Bucket": bucket, "Key": key, "Endpoint": s3_objects.endpoint})
            said = f"this node does not give its AWS credentials to {s3_objects.endpoint}"
            assert caught.value.message == said
            assert KEY in caught.value.hint


async def test_server_of_the_nodes_own_environment_is_listed(
    s3_objects: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = s3_objects.bucket({"o": b"1"})
    s3_environment.setenv("AWS_ENDPOINT_URL_S3", s3_objects.endpoint)
    async with node_with(S3Source, tmp_path, UNLISTED) as node:
        fetched = await node.fetch(
            {"Bucket": bucket, "Key": "o", "Endpoint": f"{s3_objects.endpoint}/"}
        )
    assert fetched.seen == {"o": b"1"}


async def test_no_task_is_run_for_results_that_could_not_be_sent(tmp_path: Path) -> None:
    async with S3Publisher.open(plugin_context(tmp_path, {KEY: ("https://a.test",)})) as publisher:
        params = {"Bucket": "b", "Key": "k", "Endpoint": "https://b.test"}
        with pytest.raises(UnsuitableNodeError, match=r"credentials to https://b\.test") as caught:
            publisher.admit(SpecConfig(type="s3", params=params))
        assert caught.value.code == Code.ENDPOINT_NOT_LISTED
        assert KEY in caught.value.hint
        for endpoint in ("", "https://a.test", "https://s3.eu-west-1.amazonaws.com"):
            publisher.admit(SpecConfig(type="s3", params=params | {"Endpoint": endpoint}))


async def test_results_are_not_sent_to_an_unlisted_server(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", {"stdout": b"hello\n"})
    context = plugin_context(tmp_path / "publisher", UNLISTED)
    async with fault_proxy("") as proxy, S3Publisher.open(context) as publisher:
        params = {"Bucket": "b", "Key": "k", "Endpoint": proxy.endpoint}
        spec = SpecConfig(type="s3", params=params)
        with pytest.raises(ForbiddenError) as caught:
            await publisher.publish(execution_with(spec, "e-1"), results, ToldProgress())
        assert proxy.requests == []
    assert caught.value.code == Code.ENDPOINT_NOT_LISTED
    assert caught.value.fields == ("Params.Endpoint",)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://169.254.169.254",
        "http://[fe80::1]",
        "http://[::ffff:169.254.169.254]:80",
        "http://100.100.100.200",
        "http://[fd00:ec2::254]",
    ],
)
async def test_metadata_is_not_an_s3_server(endpoint: str, tmp_path: Path) -> None:
    async with node_with(S3Source, tmp_path, {KEY: ("*",)}) as node:
        with pytest.raises(ForbiddenError, match="jobs may not reach") as caught:
            await node.plan({"Bucket": "latest", "Key": "meta-data", "Endpoint": endpoint})
    assert "Endpoint is the address of an S3 server" in caught.value.hint


async def test_name_that_comes_to_mean_metadata_is_refused(
    s3_objects: S3Objects, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The address is judged when it is connected to, also where it was harmless a moment ago."""
    bucket = s3_objects.bucket({"o": b"1"})
    endpoint = s3_objects.endpoint.replace("127.0.0.1", "localhost")
    params = {"Bucket": bucket, "Key": "o", "Endpoint": endpoint}
    async with node_with(S3Source, tmp_path / "1", {KEY: ("*",)}) as node:
        plan = await node.plan(params)
    loop = asyncio.get_running_loop()

    async def rebound(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(loop, "getaddrinfo", rebound)
    async with node_with(S3Source, tmp_path / "2", {KEY: ("*",)}) as node:
        with pytest.raises(ForbiddenError, match=r"localhost leads to 169\.254\.169\.254"):
            await node.fetch_planned(params, plan)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
async def test_redirect_is_not_followed(status: str, tmp_path: Path) -> None:
    async with fault_proxy("") as elsewhere, fault_proxy("") as proxy:
        goal = f"Location: {elsewhere.endpoint}/latest/meta-data\r\n"
        proxy.judge = lambda _: answer(b"", status, goal)
        async with node_with(S3Source, tmp_path, {KEY: (proxy.endpoint,)}) as node:
            with pytest.raises(BacalhauError) as caught:
                await node.plan({"Bucket": "b", "Key": "o", "Endpoint": proxy.endpoint})
        assert "Endpoint" in caught.value.hint
        assert elsewhere.requests == []
