"""Which server a bucket is asked for at, and in which spelling."""

from __future__ import annotations

import pytest

from bacalhau.s3.server.endpoints import Style, locate

AWS = "https://bucket.s3.us-west-2.amazonaws.com"


@pytest.mark.parametrize(
    ("endpoint", "region", "base", "signed_for"),
    [
        ("", "us-west-2", AWS, "us-west-2"),
        ("", "", "https://bucket.s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("", "cn-north-1", "https://bucket.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("http://h:9000", "", "http://h:9000/bucket", "eu-central-1"),
        ("http://h:9000/", "r-1", "http://h:9000/bucket", "r-1"),
        ("http://h:9000/base/", "", "http://h:9000/base/bucket", "eu-central-1"),
        ("h:9000", "", "https://h:9000/bucket", "eu-central-1"),
        ("127.0.0.1:9000", "", "http://127.0.0.1:9000/bucket", "eu-central-1"),
        ("10.1.2.3", "", "http://10.1.2.3/bucket", "eu-central-1"),
        ("localhost:9000", "", "http://localhost:9000/bucket", "eu-central-1"),
        ("[::1]:9000", "", "http://[::1]:9000/bucket", "eu-central-1"),
        (
            "https://s3.us-west-2.amazonaws.com",
            "",
            "https://s3.us-west-2.amazonaws.com/bucket",
            "us-west-2",
        ),
        (
            "https://s3-us-west-2.amazonaws.com",
            "",
            "https://s3-us-west-2.amazonaws.com/bucket",
            "us-west-2",
        ),
        (
            "https://s3.dualstack.us-west-2.amazonaws.com",
            "",
            "https://s3.dualstack.us-west-2.amazonaws.com/bucket",
            "us-west-2",
        ),
        (
            "https://bucket.s3.us-west-2.amazonaws.com",
            "",
            "https://s3.us-west-2.amazonaws.com/bucket",
            "us-west-2",
        ),
        (
            "https://s3.us-west-2.amazonaws.com",
            "eu-west-1",
            "https://s3.us-west-2.amazonaws.com/bucket",
            "eu-west-1",
        ),
        ("https://s3.amazonaws.com", "", "https://s3.amazonaws.com/bucket", "eu-central-1"),
        ("https://bucket.example.com", "", "https://bucket.example.com/bucket", "eu-central-1"),
    ],
)
def test_location(endpoint: str, region: str, base: str, signed_for: str) -> None:
    location = locate("bucket", endpoint, region, "eu-central-1")
    assert (location.base, location.region) == (base, signed_for)


@pytest.mark.parametrize(
    ("endpoint", "is_aws"),
    [
        ("", True),
        ("https://s3.us-west-2.amazonaws.com/", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://amazonaws.com.example.com", False),
        ("https://notamazonaws.com", False),
        ("http://localhost/amazonaws.com", False),
    ],
)
def test_what_is_aws(endpoint: str, is_aws: bool) -> None:
    assert locate("bucket", endpoint, "", "us-east-1").is_aws is is_aws


@pytest.mark.parametrize("bucket", ["my.dotted.bucket", "Upper", "evil.example.com/", "a@b", "-a"])
def test_only_a_label_becomes_part_of_a_host_name(bucket: str) -> None:
    base = locate(bucket, "", "us-east-1", "").base
    assert base.startswith("https://s3.us-east-1.amazonaws.com/")
    assert base.count("/") == 3


@pytest.mark.parametrize(
    ("endpoint", "region", "problem"),
    [
        ("ftp://h", "", "must begin with http:// or https://"),
        ("http://", "", "must have the form"),
        ("http://user:secret@h", "", "must have the form"),
        ("not a url", "", "must have the form"),
        ("http://h?x=1", "", "must have the form"),
        ("http://h:port", "", "is not a URL"),
        ("http://[::1", "", "is not a URL"),
        ("http://0xa9fea9fe", "", "has an address that is not written as usual"),
        ("http://2852039166", "", "has an address that is not written as usual"),
        ("http://0251.0376.0251.0376", "", "has an address that is not written as usual"),
        ("http://169.254.0xa9fe", "", "has an address that is not written as usual"),
        ("", "evil.example.com/", "region 'evil.example.com/' is not a name"),
        ("http://h", "a b", "region 'a b' is not a name"),
    ],
)
def test_what_is_refused(endpoint: str, region: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        locate("bucket", endpoint, region, "us-east-1")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a b", "a%20b"),
        ("a+b&c=d?e#f", "a%2Bb%26c%3Dd%3Fe%23f"),
        ("a%20b", "a%2520b"),
        ("/abs//x/../y", "/abs//x/../y"),
        ("é~-._", "%C3%A9~-._"),
        ("\x01", "%01"),
    ],
)
def test_keys_are_spelt_so_that_nothing_changes_their_meaning(key: str, path: str) -> None:
    assert locate("b", "http://h", "", "").url(key) == f"http://h/b/{path}"


def test_bucket_itself_has_a_path_also_where_it_is_the_host() -> None:
    aws = locate("bucket", "", "us-east-1", "")
    assert aws.url(query={"uploads": ""}) == "https://bucket.s3.us-east-1.amazonaws.com/?uploads="
    assert locate("b", "http://h", "", "").url(query={"a": "b"}) == "http://h/b?a=b"


def test_another_region_of_aws_is_another_host() -> None:
    location = locate("bucket", "", "us-east-1", "").in_region("eu-west-1")
    assert location.base == "https://bucket.s3.eu-west-1.amazonaws.com"
    given = locate("bucket", "https://s3.amazonaws.com", "", "us-east-1").in_region("eu-west-1")
    assert (given.base, given.region) == ("https://s3.amazonaws.com/bucket", "eu-west-1")


@pytest.mark.parametrize(
    ("endpoint", "style", "base"),
    [
        ("http://h:9000/base/", Style.VIRTUAL, "http://bucket.h:9000/base"),
        ("https://h", Style.PATH, "https://h/bucket"),
        ("", Style.VIRTUAL, "https://bucket.s3.eu-central-1.amazonaws.com"),
        ("", Style.PATH, "https://s3.eu-central-1.amazonaws.com/bucket"),
    ],
)
def test_style(endpoint: str, style: Style, base: str) -> None:
    location = locate("bucket", endpoint, "", "eu-central-1", style)
    assert location.base == base
    assert location.in_region("us-west-2").base == base.replace("eu-central-1", "us-west-2")


@pytest.mark.parametrize(
    ("bucket", "endpoint"),
    [("my.bucket", ""), ("a@b", "http://h"), ("b/", "http://h"), ("b", "http://10.0.0.1")],
)
def test_virtual_style_that_cannot_be(bucket: str, endpoint: str) -> None:
    with pytest.raises(ValueError, match="virtual style"):
        locate(bucket, endpoint, "", "us-east-1", Style.VIRTUAL)
