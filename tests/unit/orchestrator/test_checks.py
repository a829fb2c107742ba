"""What plug-ins find wrong with a submission, and what no part of it can know by itself."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import InputSource, JobType, SpecConfig
from bacalhau.orchestrator.checks import Checks
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.sources.inline import InlineSource
from bacalhau.sources.url import UrlSource
from tests.support.records import make_job, make_task

CHECKS = Checks({}, {}, {"s3": S3Publisher})


def warnings(count: int, params: dict[str, Any]) -> list[str]:
    publisher = SpecConfig(type="S3", params={"bucket": "b", **params})
    return CHECKS.run(make_job(task=make_task(publisher=publisher), count=count))


@pytest.mark.parametrize("key", ["results/{jobID}", "results/{jobid}/{nodeID}", "{executionid}"])
def test_executions_that_publish_under_one_key(key: str) -> None:
    warning = (
        f'publisher s3: Key "{key}" has no {{executionID}}, '
        "so the results of 3 executions overwrite each other"
    )
    assert warning in warnings(3, {"key": key})


def test_a_key_for_each_execution_is_fine() -> None:
    assert warnings(3, {"Key": "results/{jobID}/{executionID}"}) == []


def test_a_key_that_is_completed_with_the_execution_does_not_overwrite() -> None:
    (warning,) = warnings(3, {"Key": "results/"})
    assert "is appended" in warning


def test_plain_files_of_several_executions_under_one_key() -> None:
    (warning,) = warnings(3, {"Key": "results/", "Encoding": "Plain"})
    assert "overwrite each other" in warning
    assert warnings(3, {"Key": "results/{executionID}/", "Encoding": "plain"}) == []


def test_ops_job_publishes_once_on_each_node() -> None:
    def warn(key: str) -> list[str]:
        publisher = SpecConfig(type="s3", params={"Bucket": "b", "Key": key})
        return CHECKS.run(make_job(task=make_task(publisher=publisher), type=JobType.OPS))

    assert warn("results/{jobID}") == [
        'publisher s3: Key "results/{jobID}" has no {executionID} and no {nodeID}, '
        "so the results of all nodes overwrite each other"
    ]
    assert warn("results/{nodeID}") == warn("results/{executionID}") == []


def test_one_execution_overwrites_nothing() -> None:
    assert warnings(1, {"Key": "results/{jobID}"}) == []


def test_other_publishers_are_not_looked_at() -> None:
    publisher = SpecConfig(type="local", params={"Key": "results"})
    job = make_job(task=make_task(publisher=publisher), count=3)
    assert CHECKS.run(job) == []


def test_what_plug_ins_find_is_told_with_its_place_and_all_at_once() -> None:
    checks = Checks({}, {"inline": InlineSource, "urldownload": UrlSource}, {})
    inputs = [
        InputSource(source=SpecConfig(type=kind, params={"URL": url}), target=f"/{kind}")
        for kind, url in (("inline", "hello"), ("urlDownload", "ftp://a/b"))
    ]
    with pytest.raises(ValidationError) as caught:
        checks.run(make_job(task=make_task(input_sources=inputs)))
    first, second = caught.value.message.split("\n")
    assert "'hello' is not a data URL" in first
    assert first.endswith("(at Tasks[0].InputSources[0].Source.Params.URL)")
    assert "The submitted one began with 'ftp'" in second
    assert caught.value.fields == (
        "Tasks[0].InputSources[0].Source.Params.URL",
        "Tasks[0].InputSources[1].Source.Params.URL",
    )
