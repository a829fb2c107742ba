"""Which servers get what the node signs: nobody's but the operator's choice (security.md T-J11)."""

from __future__ import annotations

import pytest

from bacalhau.errors import Code, UserError
from bacalhau.s3.server.trust import TrustedEndpoints


@pytest.fixture(autouse=True)
def no_endpoint_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://s3.amazonaws.com",
        "https://s3.us-west-2.amazonaws.com/",
        "https://S3.US-WEST-2.amazonaws.com:443",
        "https://s3-us-west-2.amazonaws.com",
        "https://s3.dualstack.eu-central-1.amazonaws.com",
        "https://s3-fips.us-gov-west-1.amazonaws.com",
        "https://s3-fips.dualstack.us-east-1.amazonaws.com",
        "https://s3-accelerate.amazonaws.com",
        "https://s3-accelerate.dualstack.amazonaws.com",
        "https://my.bucket.s3.us-west-2.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
    ],
)
def test_aws_is_trusted(endpoint: str) -> None:
    assert TrustedEndpoints().include(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:9000",
        "https://evil.example.com",
        "https://s3.amazonaws.com.example.com",
        "https://evils3.amazonaws.com",
        "https://s3.evil-1234.us-east-1.elb.amazonaws.com",
        "https://ec2-1-2-3-4.compute-1.amazonaws.com",
        "https://x.execute-api.us-east-1.amazonaws.com",
        "https://bucket.s3-website-us-east-1.amazonaws.com",
        "https://x.s3-object-lambda.us-east-1.amazonaws.com",
        "https://s3-.amazonaws.com",
    ],
)
def test_others_are_not(endpoint: str) -> None:
    assert not TrustedEndpoints().include(endpoint)


@pytest.mark.parametrize(
    ("entry", "endpoint", "included"),
    [
        ("https://minio.example.com", "https://minio.example.com/base", True),
        ("https://minio.example.com", "https://MINIO.example.com:443", True),
        ("https://minio.example.com", "minio.example.com", True),
        ("https://minio.example.com", "http://minio.example.com", False),
        ("https://minio.example.com", "https://minio.example.com:9000", False),
        ("https://minio.example.com", "https://xminio.example.com", False),
        ("https://minio.example.com/", "https://minio.example.com.evil.com", False),
        ("minio.example.com:9000", "http://minio.example.com:9000", True),
        ("minio.example.com:9000", "https://minio.example.com:9000", True),
        ("minio.example.com", "http://minio.example.com:9000", False),
        ("minio.example.com:*", "http://minio.example.com:9000", True),
        ("https://*.example.com", "https://a.b.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://evil.com/.example.com", False),
        ("http://127.0.0.1:*", "127.0.0.1:9000", True),
        ("http://[::1]:9000", "http://[::1]:9000", True),
        ("http://[::1]:9000", "http://[::2]:9000", False),
        ("*", "http://anything.example.com:1", True),
    ],
)
def test_the_operators_list(entry: str, endpoint: str, included: bool) -> None:
    assert TrustedEndpoints([entry]).include(endpoint) is included


def test_the_servers_that_the_nodes_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    assert TrustedEndpoints().include("http://minio:9000/")
    assert not TrustedEndpoints().include("http://minio:9001/")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://ceph")
    assert TrustedEndpoints().include("http://ceph:80")
    assert not TrustedEndpoints().include("http://minio:9000/")


@pytest.mark.parametrize("entry", ["", "ftp://h", "https://h/path", "https://user@h", "a b", "h:x"])
def test_an_entry_that_is_no_server(entry: str) -> None:
    with pytest.raises(UserError, match=r"for Compute\.AllowListedS3Endpoints") as caught:
        TrustedEndpoints([entry])
    assert caught.value.code == Code.CONFIGURATION
    assert caught.value.fields == ("Compute.AllowListedS3Endpoints",)
