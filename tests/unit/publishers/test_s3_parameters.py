"""What the S3 publisher says of its parameters."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import SpecConfig
from bacalhau.publishers.s3 import S3Publisher


@pytest.mark.parametrize(
    ("params", "message", "fields"),
    [
        ({}, "invalid s3 params. bucket cannot be empty", ("Params.Bucket", "Params.Key")),
        ({"Bucket": "b"}, "invalid s3 params. key cannot be empty", ("Params.Key",)),
        ({"Bucket": "b", "Key": "k", "Endpoint": "x://"}, "must begin", ("Params.Endpoint",)),
        ({"Bucket": "b", "Key": "k", "Region": "a b"}, "is not a name", ("Params.Region",)),
        (
            {"Bucket": "b", "Key": "k", "Encoding": "zstd"},
            "invalid s3 params. encoding must be either 'plain' or 'gzip'",
            ("Params.Encoding",),
        ),
    ],
)
def test_problems(params: dict[str, Any], message: str, fields: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        S3Publisher.check(SpecConfig(type="s3", params=params))
    assert message in caught.value.message
    assert caught.value.code == "S3BadRequest"
    assert caught.value.component == "S3Publisher"
    assert caught.value.fields == fields


def test_warnings() -> None:
    params = {"Bucket": "b", "Key": "r/", "compress": "true", "Foo": 1}
    texts = S3Publisher.check(SpecConfig(type="s3", params=params))
    assert texts == [
        'publisher s3 ignores the unknown parameter "Foo"',
        'Key "r/" ends with "/"; {executionID}.tar.gz is appended',
    ]


@pytest.mark.parametrize(
    ("params", "warning"),
    [
        ({"Key": "a/*"}, 'the "*" in Key "a/*" is part of the name: it stands for nothing here'),
        (
            {"Key": "{jobid}/{executionID}"},
            "{jobid} in Key is not filled in; did you mean {jobID}?",
        ),
        ({"Key": "r/{execution_id}"}, "{execution_id} in Key is not filled in"),
        ({"Key": "k", "Endpoint": "localhost:9000"}, "has no http:// or https://; one is assumed"),
    ],
)
def test_what_may_not_be_meant(params: dict[str, Any], warning: str) -> None:
    (text,) = S3Publisher.check(SpecConfig(type="s3", params={"Bucket": "b"} | params))
    assert warning in text


def test_names_that_are_filled_in_and_other_braces_give_no_warning() -> None:
    key = "{jobID}/{executionID}/{nodeID}/{date}-{time}/{}/{a b}"
    assert S3Publisher.check(SpecConfig(type="s3", params={"Bucket": "b", "Key": key})) == []


@pytest.mark.parametrize("encoding", ["", "gzip", "GZIP", "plain", "Plain"])
def test_encodings(encoding: str) -> None:
    params = {"Bucket": "b", "Key": "r", "encoding": encoding}
    assert S3Publisher.check(SpecConfig(type="s3", params=params)) == []


def test_key_of_plain_files_is_taken_as_it_is() -> None:
    params = {"Bucket": "b", "Key": "r/", "Encoding": "plain"}
    assert S3Publisher.check(SpecConfig(type="s3", params=params)) == []
