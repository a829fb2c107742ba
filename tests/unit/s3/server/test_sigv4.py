"""Signatures are those of botocore, whatever is signed."""

from __future__ import annotations

import datetime
import hashlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.s3.server.endpoints import locate
from bacalhau.s3.server.sigv4 import Signer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Keys(NamedTuple):
    """Credentials as botocore has them."""

    access_key: str
    secret_key: str
    token: str | None


MOMENT = datetime.datetime(2026, 11, 25, 14, 30, 1, tzinfo=datetime.UTC)
NOW_NS = int(MOMENT.timestamp()) * 1_000_000_000
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", None)
SIGNER = Signer()


@pytest.fixture(autouse=True, scope="module")
def the_moment() -> Iterator[None]:
    with mock.patch("botocore.auth.get_current_datetime", return_value=MOMENT):
        yield


def as_botocore_does(
    method: str, url: str, headers: dict[str, str], body: bytes, keys: Keys, region: str
) -> str:
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    S3SigV4Auth(keys, "s3", region).add_auth(request)
    return str(request.headers["Authorization"])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENDPOINTS = st.sampled_from(
    [
        "",
        "http://127.0.0.1:9000",
        "http://h:80/base/",
        "https://H.example.com:443",
        "https://h:80",
        "http://[::1]:9000",
    ]
)


@given(
    endpoint=ENDPOINTS,
    key=TEXT,
    query=st.dictionaries(TEXT, TEXT, max_size=4),
    headers=st.dictionaries(
        st.sampled_from(["If-Match", "Range", "x-amz-checksum-mode", "Content-Type"]),
        st.text('abc "-=/;,', max_size=12),
    ),
    body=st.binary(max_size=8),
    token=st.sampled_from([None, "a/token+=="]),
    method=st.sampled_from(["GET", "PUT", "HEAD"]),
)
def test_signature_is_that_of_botocore(
    endpoint: str,
    key: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    method: str,
) -> None:
    keys = KEYS._replace(token=token)
    url = locate("bucket", endpoint, "eu-west-1", "").url(key, query)
    signed = SIGNER.sign(
        method, url, headers, body, credentials=keys, region="eu-west-1", now_ns=NOW_NS
    )
    expected = as_botocore_does(method, url, headers, body, keys, "eu-west-1")
    assert signed["Authorization"] == expected
    assert signed.get("X-Amz-Security-Token") == token
    assert headers.items() <= signed.items()


@given(
    endpoint=ENDPOINTS,
    key=TEXT,
    version=st.sampled_from(["", "v/1+=", "null"]),
    token=st.sampled_from([None, "a/token+=="]),
    seconds=st.integers(1, 604_800),
)
def test_link_is_that_of_botocore(
    endpoint: str, key: str, version: str, token: str | None, seconds: int
) -> None:
    keys = KEYS._replace(token=token)
    query = {"versionId": version} if version else {}
    url = locate("bucket", endpoint, "eu-west-1", "").url(key, query)
    link = SIGNER.presign(
        url, credentials=keys, region="eu-west-1", now_ns=NOW_NS, expires_seconds=seconds
    )
    request = AWSRequest(method="GET", url=url)
    S3SigV4QueryAuth(keys, "s3", "eu-west-1", expires=seconds).add_auth(request)
    assert link == request.url


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", ""])
@pytest.mark.parametrize("token", [None, "a/token+=="])
def test_link_is_the_one_that_boto3_generates(endpoint: str, token: str | None) -> None:
    style = "path" if endpoint else "virtual"
    client = Session().create_client(
        "s3",
        region_name="eu-west-1",
        endpoint_url=endpoint or None,
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
        aws_session_token=token,
        config=Config(signature_version="s3v4", s3={"addressing_style": style}),
    )
    for key in ("k", "a b/ü+%.txt", "~/-_.", "a//b", "e&f=g?h#i"):
        for version in ("", "v+1/="):
            query = {"versionId": version} if version else {}
            params = {"Bucket": "bucket", "Key": key} | ({"VersionId": version} if version else {})
            link = SIGNER.presign(
                locate("bucket", endpoint, "eu-west-1", "").url(key, query),
                credentials=KEYS._replace(token=token),
                region="eu-west-1",
                now_ns=NOW_NS,
                expires_seconds=1800,
            )
            assert link == client.generate_presigned_url(
                "get_object", Params=params, ExpiresIn=1800
            )


def test_hash_that_is_known_is_not_made_again() -> None:
    url = locate("b", "http://h", "", "").url("k")
    sign = partial(SIGNER.sign, "PUT", url, {}, b"body", credentials=KEYS, now_ns=NOW_NS)
    assert sign(region="r", body_digest=hashlib.sha256(b"body").digest()) == sign(region="r")


def test_key_follows_secret_day_and_region() -> None:
    url = locate("b", "http://h", "", "").url("k")
    for region, secret in (("r-1", "one"), ("r-2", "one"), ("r-1", "two"), ("r-1", "one")):
        keys = KEYS._replace(secret_key=secret)
        signed = SIGNER.sign("GET", url, {}, b"", credentials=keys, region=region, now_ns=NOW_NS)
        assert signed["Authorization"] == as_botocore_does("GET", url, {}, b"", keys, region)
    next_day = NOW_NS + 86_400 * 10**9
    later = SIGNER.sign("GET", url, {}, b"", credentials=KEYS, region="r-1", now_ns=next_day)
    assert "/20261126/r-1/s3/aws4_request" in later["Authorization"]
    assert later["X-Amz-Date"] == "20261126T143001Z"
