"""What a submission is warned of that no part of it can know by itself."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.models import SpecConfig
from bacalhau.orchestrator.checks import Checks
from bacalhau.publishers.s3 import S3Publisher
from tests.support.records import make_job, make_task

CHECKS = Checks({}, {}, {"s3": S3Publisher})


def warnings(count: int, params: dict[str, Any]) -> list[str]:
    publisher = SpecConfig(type="S3", params={"bucket": "b", **params})
    return CHECKS.run(make_job(task=make_task(publisher=publisher), count=count))


@pytest.mark.parametrize("key", ["results/{jobID}", "results/{jobid}/{nodeID}", "{executionid}"])
def test_executions_that_publish_under_one_key(key: str) -> None:
    (warning,) = warnings(3, {"key": key})
    assert warning == (
        f'publisher s3: Key "{key}" has no {{executionID}}, '
        "so the results of 3 executions overwrite each other"
    )


def test_a_key_for_each_execution_is_fine() -> None:
    assert warnings(3, {"Key": "results/{jobID}/{executionID}"}) == []


def test_a_key_that_is_completed_with_the_execution_does_not_overwrite() -> None:
    (warning,) = warnings(3, {"Key": "results/"})
    assert "is appended" in warning


def test_one_execution_overwrites_nothing() -> None:
    assert warnings(1, {"Key": "results/{jobID}"}) == []


def test_other_publishers_are_not_looked_at() -> None:
    publisher = SpecConfig(type="local", params={"Key": "results"})
    job = make_job(task=make_task(publisher=publisher), count=3)
    assert CHECKS.run(job) == []
