"""Regions, endpoints, credentials, and how buckets are addressed (spec storage.md 5, H)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import UserError
from bacalhau.lib import outbound
from bacalhau.models import SpecConfig
from bacalhau.s3.server.endpoints import Style, locate
from bacalhau.sources.s3 import S3Source
from tests.support import rgw
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.inputs import node_with
from tests.support.s3_cases import BOTH, Server, shows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bacalhau.config.keys import Value
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

MOVED = (
    b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n"
    b"x-amz-bucket-region: eu-west-1\r\nConnection: close\r\n\r\n"
)
OBJECT = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"


@pytest.fixture
async def aws(s3_environment: pytest.MonkeyPatch) -> AsyncIterator[FaultProxy]:
    """What stands in for AWS, reached as the proxy of the environment; a bucket in eu-west-1.

    ``requests`` has what AWS would see.
    """
    async with fault_proxy("") as proxy:
        proxy.judge = lambda head: Fault(instead=OBJECT if "/eu-west-1/s3/" in head else MOVED)
        s3_environment.setenv("http_proxy", proxy.endpoint)
        s3_environment.delenv("no_proxy", raising=False)
        outbound._proxy_of.cache_clear()
        yield proxy
    outbound._proxy_of.cache_clear()


async def fetched(tmp_path: Path, **params: Any) -> tuple[dict[str, bytes | None], list[str]]:
    """Fetch ``k`` of ``bucket``, and return what arrives, and the warnings."""
    async with node_with(S3Source, tmp_path) as node:
        found = await node.fetch({"Bucket": "bucket", "Key": "k", **params})
    return found.seen, list(found.plan.warnings)


@shows("H01", "a bucket in another region than the node's → found there", Server.STAND_IN)
async def test_h01_other_region(aws: FaultProxy, tmp_path: Path) -> None:
    seen, warnings = await fetched(tmp_path, Endpoint="http://s3.amazonaws.com")
    assert seen == {"k": b"x"}
    assert warnings == []
    signed_for = ["/eu-west-1/s3/" in head for head in aws.requests]
    assert signed_for == [False, True, True]


@shows("H02", "Region is the bucket's → asked there at once", Server.STAND_IN)
async def test_h02_right_region(aws: FaultProxy, tmp_path: Path) -> None:
    seen, _ = await fetched(tmp_path, Endpoint="http://s3.amazonaws.com", Region="eu-west-1")
    assert seen == {"k": b"x"}
    assert all("/eu-west-1/s3/" in head for head in aws.requests)


@shows("H03", "Region is not the bucket's → found, with a warning", Server.STAND_IN)
@pytest.mark.usefixtures("aws")
async def test_h03_wrong_region(tmp_path: Path) -> None:
    seen, warnings = await fetched(tmp_path, Endpoint="http://s3.amazonaws.com", Region="us-west-2")
    assert seen == {"k": b"x"}
    assert warnings == ["the bucket is in region eu-west-1, not us-west-2"]


@shows("H03b", "Region is not the server's → error that names the right one", Server.SWIFT)
async def test_h03b_region_that_a_server_refuses(served: S3Objects, tmp_path: Path) -> None:
    params = {"Bucket": served.bucket({"k": b"x"}), "Key": "p/", "Region": "eu-west-1"}
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(UserError) as caught:
            await node.plan({**params, "Endpoint": served.endpoint})
    assert "the bucket is in region us-east-1" in caught.value.message
    assert caught.value.hint == "set Region to us-east-1"


@shows("H04", "Endpoint of AWS in a region, no Region → signed for that region", Server.STAND_IN)
async def test_h04_region_of_the_endpoint(aws: FaultProxy, tmp_path: Path) -> None:
    seen, _ = await fetched(tmp_path, Endpoint="http://s3.eu-west-1.amazonaws.com")
    assert seen == {"k": b"x"}
    assert all("/eu-west-1/s3/" in head for head in aws.requests)


@shows("H05", "an Endpoint is asked with the bucket in the path", *BOTH)
async def test_h05_path_style(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.bucket({"k": b"x"})
    async with fault_proxy(served.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        found = await node.fetch({"Bucket": bucket, "Key": "k", "Endpoint": proxy.endpoint})
        assert proxy.requests[0].startswith(f"HEAD /{bucket}/k HTTP/1.1")
    assert found.seen == {"k": b"x"}


@shows("H06b", "Endpoint `127.0.0.1:PORT` without scheme → the file, with a warning", *BOTH)
async def test_h06b_no_scheme(served: S3Objects, tmp_path: Path) -> None:
    seen, warnings = await fetched(
        tmp_path,
        Bucket=served.bucket({"k": b"x"}),
        Endpoint=served.endpoint.removeprefix("http://"),
    )
    assert seen == {"k": b"x"}
    assert "one is assumed" in warnings[0]


@shows("H08", "no region anywhere → signed for us-east-1", *BOTH)
async def test_h08_no_region(
    served: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3_environment.delenv("AWS_REGION")
    bucket = served.bucket({"k": b"x"})
    seen, _ = await fetched(tmp_path, Bucket=bucket, Endpoint=served.endpoint)
    assert seen == {"k": b"x"}


@shows(
    "H09",
    "no Endpoint, a bucket with dots → in the path, below the name of the region",
    Server.NONE,
)
def test_h09_dotted_bucket() -> None:
    location = locate("my.dotted.bucket", "", "eu-west-1", "us-east-1")
    assert location.url("k") == "https://s3.eu-west-1.amazonaws.com/my.dotted.bucket/k"


@shows("H09b", "a bucket with dots, at an Endpoint → the file", *BOTH)
async def test_h09b_dotted_bucket(served: S3Objects, tmp_path: Path) -> None:
    name = f"dotted.{served.new_bucket()}"
    served.client.create_bucket(Bucket=name)
    served.client.put_object(Bucket=name, Key="k", Body=b"x")
    seen, _ = await fetched(tmp_path, Bucket=name, Endpoint=served.endpoint)
    assert seen == {"k": b"x"}


@shows("H10", "no credentials, AllowAnonymous=false → the node does not offer `s3`", Server.NONE)
async def test_h10_not_offered(s3_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    s3_environment.setenv("AWS_ACCESS_KEY_ID", "")
    settings: dict[str, Value] = {"InputSources.Types.S3.AllowAnonymous": False}
    async with node_with(S3Source, tmp_path, settings) as node:
        assert not await node.source.is_available()


@shows("H11", "no credentials, a public bucket → the files, unsigned", Server.RGW)
async def test_h11_public_bucket(
    served: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = served.new_bucket()
    served.client.put_bucket_acl(Bucket=bucket, ACL="public-read")
    for key in ("p/a", "p/b"):
        served.client.put_object(Bucket=bucket, Key=key, Body=b"x", ACL="public-read")
    s3_environment.setenv("AWS_ACCESS_KEY_ID", "")
    async with fault_proxy(served.endpoint) as proxy, node_with(S3Source, tmp_path) as node:
        found = await node.fetch({"Bucket": bucket, "Key": "p/", "Endpoint": proxy.endpoint})
        assert not [head for head in proxy.requests if "authorization" in head.lower()]
    assert found.seen == {"a": b"x", "b": b"x"}


@shows("H12", "AWS_REGION alone says the region; a wrong one is refused", Server.SWIFT)
async def test_h12_region_of_the_environment(
    served: S3Objects, s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3_environment.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    params = {"Bucket": served.bucket({"k": b"x"}), "Key": "", "Endpoint": served.endpoint}
    async with node_with(S3Source, tmp_path / "1") as node:
        assert (await node.fetch(params)).seen == {"k": b"x"}
    s3_environment.setenv("AWS_REGION", "eu-west-1")
    async with node_with(S3Source, tmp_path / "2") as node:
        with pytest.raises(UserError, match="in region us-east-1"):
            await node.plan(params)


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all names below the server's domain lead to loopback, as a name server would."""
    look_up = socket.getaddrinfo

    def look_up_here(host: str, *rest: Any, **options: Any) -> Any:
        is_ours = isinstance(host, str) and host.endswith(rgw.DOMAIN)
        return look_up("127.0.0.1" if is_ours else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)


@shows("K01", "AddressingStyle `virtual` → the bucket is part of the host's name", Server.RGW)
@pytest.mark.usefixtures("domain")
async def test_k01_virtual_style(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.bucket({"p/a b+c": b"x", "p/ü": b"y"})
    port = served.endpoint.rpartition(":")[2]
    endpoint = f"http://{rgw.DOMAIN}:{port}"
    settings: dict[str, Value] = {"Compute.AllowListedS3Endpoints": (endpoint,)}
    params = {"Bucket": bucket, "Endpoint": endpoint, "AddressingStyle": "virtual"}
    async with node_with(S3Source, tmp_path, settings) as node:
        found = await node.fetch({**params, "Key": "p/"})
    assert found.seen == {"a b+c": b"x", "ü": b"y"}


@shows("K02", "AddressingStyle `virtual`, Endpoint an address → error at submission", Server.NONE)
def test_k02_virtual_style_needs_a_name() -> None:
    params = {"Bucket": "bucket", "AddressingStyle": "virtual", "Endpoint": "http://127.0.0.1:1"}
    with pytest.raises(UserError, match="virtual style needs a name"):
        S3Source.check(SpecConfig(type="s3", params=params))
    with pytest.raises(UserError, match="cannot be part of a host name"):
        S3Source.check(SpecConfig(type="s3", params={**params, "Bucket": "evil.example/"}))


@shows("K03", "no Endpoint: AddressingStyle `path` → the bucket in the path", Server.NONE)
def test_k03_path_style_on_aws() -> None:
    location = locate("bucket", "", "eu-west-1", "us-east-1", Style.PATH)
    assert location.base == "https://s3.eu-west-1.amazonaws.com/bucket"
    assert location.in_region("us-west-2").base == "https://s3.us-west-2.amazonaws.com/bucket"


@shows("K04", "ExpectedBucketOwner goes along with every request, signed", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_k04_expected_owner(tmp_path: Path) -> None:
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: Fault(instead=OBJECT)
        params = {"Bucket": "b", "Key": "k", "ExpectedBucketOwner": "111122223333"}
        await node.fetch({**params, "Endpoint": proxy.endpoint})
        assert len(proxy.requests) == 2
        for head in proxy.requests:
            assert "x-amz-expected-bucket-owner: 111122223333\r\n" in head
            signed = head.partition("SignedHeaders=")[2].partition(",")[0]
            assert "x-amz-expected-bucket-owner" in signed.split(";")


@shows("K05", "other values of RequestPayer and AddressingStyle → error at submission", Server.NONE)
def test_k05_unknown_values() -> None:
    params = {"Bucket": "bucket", "RequestPayer": "me", "AddressingStyle": "other"}
    with pytest.raises(UserError) as caught:
        S3Source.check(SpecConfig(type="s3", params=params))
    assert 'RequestPayer "me" is not requester' in caught.value.message
    assert 'AddressingStyle "other" is not auto or path or virtual' in caught.value.message
