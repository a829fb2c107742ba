"""Where the S3 publisher stores results, and what it says of its parameters."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import SpecConfig
from bacalhau.publishers.s3 import S3Publisher, final_key
from bacalhau.testing.contracts.publisher import execution_with

NOW_NS = 1_700_000_000 * 10**9  # 2023-11-14 22:13:20 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("r", "r.tar.gz"),
        ("r.tar.gz", "r.tar.gz"),
        ("{jobID}/{executionID}", "j-contract/e-1.tar.gz"),
        ("{nodeID}-{date}-{time}.tar.gz", "n-contract-20231114-221320.tar.gz"),
        ("results/{jobID}/{date}/{time}/", "results/j-contract/20231114/221320/e-1.tar.gz"),
        ("{JobID}/{unknown}/{", "{JobID}/{unknown}/{.tar.gz"),
        ("a b/{executionID}/x", "a b/e-1/x.tar.gz"),
    ],
)
def test_template(template: str, key: str) -> None:
    assert final_key(template, execution_with(SpecConfig(), "e-1"), NOW_NS) == key


def test_time_zone_is_that_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-5")
    time.tzset()
    assert (
        final_key("{date}{time}", execution_with(SpecConfig()), NOW_NS) == "20231115031320.tar.gz"
    )


def test_values_are_not_templates_themselves() -> None:
    execution = execution_with(SpecConfig(), "{jobID}")
    assert final_key("{executionID}", execution, NOW_NS) == "{jobID}.tar.gz"


@pytest.mark.parametrize(
    ("params", "message", "fields"),
    [
        ({}, "invalid s3 params. bucket cannot be empty", ("Params.Bucket", "Params.Key")),
        ({"Bucket": "b"}, "invalid s3 params. key cannot be empty", ("Params.Key",)),
        ({"Bucket": "b", "Key": "k", "Endpoint": "x://"}, "must begin", ("Params.Endpoint",)),
        ({"Bucket": "b", "Key": "k", "Region": "a b"}, "is not a name", ("Params.Region",)),
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
