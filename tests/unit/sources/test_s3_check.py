"""Parameters of the S3 source are judged at submission, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import SpecConfig
from bacalhau.sources.s3 import S3Source


def check(**params: Any) -> list[str]:
    return list(S3Source.check(SpecConfig(type="s3", params=params)))


@pytest.mark.parametrize(
    ("params", "message", "field"),
    [
        ({}, "invalid s3 storage params: bucket cannot be empty", "Params.Bucket"),
        ({"Bucket": ""}, "invalid s3 storage params: bucket cannot be empty", "Params.Bucket"),
        ({"Bucket": "b", "Filter": "["}, "invalid regex pattern: error parsing", "Params.Filter"),
        ({"Bucket": "b", "Endpoint": "ftp://h"}, "must begin with http", "Params.Endpoint"),
        (
            {"Bucket": "b", "Endpoint": "http://$MINIO:9000"},
            "must have the form",
            "Params.Endpoint",
        ),
        ({"Bucket": "b", "Region": "a/b"}, "is not a name such as us-east-1", "Params.Region"),
        ({"Bucket": "b", "RequestPayer": "me"}, "is not requester", "Params.RequestPayer"),
        ({"Bucket": "b", "AddressingStyle": "x"}, "path or virtual", "Params.AddressingStyle"),
        ({"Bucket": "B", "AddressingStyle": "virtual"}, "part of a host name", "Params.Bucket"),
        ({"Bucket": "b", "ExpectedBucketOwner": "1\n2"}, "account", "Params.ExpectedBucketOwner"),
        (
            {"Bucket": "b", "Partition": {"Type": "x"}},
            "unsupported partition key type x",
            "Params.Partition.Type",
        ),
    ],
)
def test_problems(params: dict[str, Any], message: str, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check(**params)
    assert message in caught.value.message
    assert caught.value.code == "S3BadRequest"
    assert caught.value.component == "S3InputSource"
    assert caught.value.fields == (field,)
    assert caught.value.hint


def test_all_problems_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        check(Filter="(", Endpoint="http://")
    assert caught.value.fields == ("Params.Bucket", "Params.Endpoint", "Params.Filter")
    assert len(caught.value.message.splitlines()) == 3


def test_wrong_type_names_the_field() -> None:
    with pytest.raises(ValidationError) as caught:
        check(Bucket="b", Key=5)
    assert "Params.Key" in caught.value.fields


@pytest.mark.parametrize(
    ("params", "warning"),
    [
        ({"Key": "k", "Foo": 1}, 'ignores the unknown parameter "Foo"'),
        ({"Key": "k", "Filter": "["}, 'Filter is ignored, because "k" is a single object'),
        (
            {"Key": "k", "Partition": {"Type": "object"}},
            'Partition gives "k", a single object, to one execution alone',
        ),
        ({"Key": "p/", "VersionID": "v"}, 'VersionID is ignored, because "p/" is a prefix'),
        ({"Key": "p/", "ChecksumSHA256": "x"}, "ChecksumSHA256 is ignored"),
        ({"Key": "k", "ChecksumSHA256": "x"}, "it is compared as a text"),
        ({"Key": "p/*.txt"}, 'only at its end; set Key to "p/", and choose below it with Filter'),
        ({"Key": "p/**"}, 'only at its end; set Key to "p/", and choose below it with Filter'),
        ({"Key": "*/k"}, "only at its end; leave Key out, and choose with Filter"),
        ({"Key": "k", "Endpoint": "localhost:9000"}, "has no http:// or https://"),
        (
            {"Partition": {"Type": "object", "Patern": "x"}},
            'ignores the unknown parameter "Partition.Patern"',
        ),
        ({"partition": {"pattern": "x"}}, "Partition has no Type, so every execution gets all"),
        (
            {"Partition": {"Type": "date", "DateFormat": "YYYY-MM-DD"}},
            'DateFormat "YYYY-MM-DD" has no element of a date',
        ),
        (
            {"Partition": {"Type": "date", "DateFormat": "2006-1-2"}},
            "reads dates of its own length in bytes",
        ),
    ],
)
def test_warnings(params: dict[str, Any], warning: str) -> None:
    (text,) = check(Bucket="b", **params)
    assert warning in text


@pytest.mark.parametrize(
    "partition",
    [
        None,
        {},
        {"Type": "None"},
        {"type": " OBJECT "},
        {"Type": "regex", "Pattern": r"(\d+)"},
        {"Type": "substring", "StartIndex": 0, "EndIndex": 1},
        {"Type": "date", "DateFormat": "2006-01-02"},
        {"Type": "date", "DateFormat": "%Y-%m-%d"},
        {"Type": "balanced"},
    ],
)
def test_partitions_that_are_in_order(partition: dict[str, Any] | None) -> None:
    assert check(Bucket="b", Partition=partition) == []


def test_a_single_object_without_a_partition_is_in_order() -> None:
    assert check(Bucket="b", Key="k", Partition={"Type": "none"}) == []


@pytest.mark.parametrize("key", ["", "*", "p/", "p/*", "p*", "p/[0-9]"])
def test_keys_in_order(key: str) -> None:
    assert check(Bucket="b", Key=key) == []


def test_parameters_as_the_command_line_writes_them() -> None:
    """All seven, the unused ones empty."""
    names = ("Filter", "Region", "Endpoint", "VersionID", "ChecksumSHA256")
    assert check(Bucket="b", Key="k", **dict.fromkeys(names, "")) == []
    assert check(bucket="b", KEY=None) == []
