"""Where results go in a bucket, and whether they can be from there."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.models import SpecConfig
from bacalhau.models.specs.s3 import S3PublisherParams
from bacalhau.s3.results.keys import can_be_key, final_key, is_own_key
from bacalhau.testing.contracts.publisher import execution_with

NOW_NS = 1_700_000_000 * 10**9  # 2023-11-14 22:13:20 UTC
EXECUTION = execution_with(SpecConfig(), "e-1")


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def archive(template: str) -> S3PublisherParams:
    return S3PublisherParams(bucket="b", key=template)


def plain(template: str) -> S3PublisherParams:
    return S3PublisherParams(bucket="b", key=template, encoding="plain")


@pytest.mark.parametrize(
    ("params", "key"),
    [
        (archive("r"), "r.tar.gz"),
        (archive("r.tar.gz"), "r.tar.gz"),
        (archive("{jobID}/{executionID}"), "j-contract/e-1.tar.gz"),
        (archive("{nodeID}-{date}-{time}.tar.gz"), "n-contract-20231114-221320.tar.gz"),
        (
            archive("results/{jobID}/{date}/{time}/"),
            "results/j-contract/20231114/221320/e-1.tar.gz",
        ),
        (archive("{JobID}/{unknown}/{"), "{JobID}/{unknown}/{.tar.gz"),
        (archive("a b/{executionID}/x"), "a b/e-1/x.tar.gz"),
        (plain("r"), "r/"),
        (plain("r/"), "r/"),
        (plain("r.tar.gz"), "r.tar.gz/"),
        (plain("{jobID}/{executionID}"), "j-contract/e-1/"),
    ],
)
def test_template(params: S3PublisherParams, key: str) -> None:
    assert final_key(params, EXECUTION, NOW_NS) == key
    assert can_be_key(key, params, EXECUTION)


def test_time_zone_is_that_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-5")
    time.tzset()
    assert final_key(archive("{date}{time}"), EXECUTION, NOW_NS) == "20231115031320.tar.gz"


def test_values_are_not_templates_themselves() -> None:
    execution = execution_with(SpecConfig(), "{jobID}")
    assert final_key(archive("{executionID}"), execution, NOW_NS) == "{jobID}.tar.gz"
    assert can_be_key("{jobID}.tar.gz", archive("{executionID}"), execution)


@pytest.mark.parametrize(
    ("params", "key"),
    [
        (archive("r/{executionID}"), "r/e-2.tar.gz"),
        (archive("r/{executionID}"), "secret.tar.gz"),
        (archive("r/{executionID}"), "r/e-1.tar.gz/"),
        (archive("r/{date}"), "r/secret.tar.gz"),
        (archive("r.b"), "rxb.tar.gz"),
        (plain("r/{executionID}"), "r/e-1"),
        (plain("r/{executionID}"), "r/"),
        (plain("r/{executionID}"), "r/e-1/\n"),
    ],
)
def test_other_keys_cannot_be_from_there(params: S3PublisherParams, key: str) -> None:
    assert not can_be_key(key, params, EXECUTION)


@given(
    template=st.lists(
        st.sampled_from(["{executionID}", "{jobID}", "{nodeID}", "{date}", "{time}", "{", "}", "/"])
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        min_size=1,
    ).map("".join),
    is_plain=st.booleans(),
)
def test_what_is_filled_in_can_be_the_key(template: str, is_plain: bool) -> None:
    params = (plain if is_plain else archive)(template)
    key = final_key(params, EXECUTION, NOW_NS)
    assert can_be_key(key, params, EXECUTION)
    assert key.endswith("/" if is_plain else ".tar.gz")


@pytest.mark.parametrize(
    ("params", "is_own"),
    [
        (archive("r/"), True),
        (archive("r/{executionID}.tar.gz"), True),
        (archive("r/{jobID}"), False),
        (plain("r/"), False),
        (plain("r/{executionID}"), True),
    ],
)
def test_place_of_one_execution(params: S3PublisherParams, is_own: bool) -> None:
    assert is_own_key(params) is is_own
