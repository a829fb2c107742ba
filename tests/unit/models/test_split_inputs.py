"""Inputs written as two list items (spec storage.md 1.3)."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import InputSource, SpecConfig
from bacalhau.models.decode import decode_job
from bacalhau.models.validate import validate_submission

_S3 = {"Type": "s3", "Params": {"Bucket": "b"}}


def _document(items: list[Any]) -> dict[str, Any]:
    return {
        "Type": "batch",
        "Tasks": [{"Name": "a", "Engine": {"Type": "noop"}, "inputSources": items}],
    }


def _read(items: list[Any]) -> tuple[list[InputSource], list[str]]:
    job, warnings = decode_job(_document(items))
    return job.tasks[0].input_sources, warnings


def _input(target: str, alias: str = "") -> InputSource:
    return InputSource(
        source=SpecConfig(type="s3", params={"Bucket": "b"}), target=target, alias=alias
    )


def test_a_target_alone_goes_to_the_source_before_it() -> None:
    sources, warnings = _read([{"Source": _S3}, {"Target": "/a", "Alias": "x"}])
    assert sources == [_input("/a", "x")]
    assert len(warnings) == 1


def test_keys_match_in_any_case_and_blank_means_missing() -> None:
    items = [{"source": _S3, "target": " ", "ALIAS": None}, {"TARGET": "/a", "Source": None}]
    assert _read(items)[0] == [_input("/a")]


def test_an_alias_of_the_source_survives_a_target_without_one() -> None:
    assert _read([{"Source": _S3, "Alias": "x"}, {"Target": "/a"}])[0] == [_input("/a", "x")]


def test_each_pair_is_joined_and_whole_items_stay_as_they_are() -> None:
    items = [
        {"Source": _S3, "Target": "/a"},
        {"Source": _S3},
        {"Target": "/b"},
        {"Source": _S3},
        {"Target": "/c"},
    ]
    sources, warnings = _read(items)
    assert sources == [_input("/a"), _input("/b"), _input("/c")]
    assert [warning.split(":")[0] for warning in warnings] == [
        "Tasks[0].InputSources[2]",
        "Tasks[0].InputSources[4]",
    ]


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([{"Target": "/a"}], "Tasks[0].InputSources[0].Source"),
        ([{"Source": _S3, "Target": "/a"}, {"Target": "/b"}], "Tasks[0].InputSources[1].Source"),
        ([{"Source": _S3}, {"Target": "/a"}, {"Target": "/b"}], "Tasks[0].InputSources[1].Source"),
        ([{"Target": "/a"}, {"Source": _S3}], "Tasks[0].InputSources[0].Source"),
        ([{"Source": _S3}, None, {"Target": "/b"}], "Tasks[0].InputSources[1]"),
    ],
)
def test_nothing_else_is_guessed(items: list[Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _read(items)
    assert field in caught.value.fields


def test_two_sources_in_a_row_leave_the_first_without_a_target() -> None:
    job, _ = decode_job(_document([{"Source": _S3}, {"Source": _S3}, {"Target": "/b"}]))
    assert [problem.path for problem in validate_submission(job)] == [
        "Tasks[0].InputSources[0].Target"
    ]


def test_the_document_itself_is_not_changed() -> None:
    items = [{"Source": _S3}, {"Target": "/a"}]
    document = _document(items)
    decode_job(document)
    assert document == _document([{"Source": _S3}, {"Target": "/a"}])


@pytest.mark.parametrize("tasks", [5, [5], [{"InputSources": 5}], [{"InputSources": [5]}]])
def test_other_shapes_pass_through_to_the_decoder(tasks: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        decode_job({"Type": "batch", "Tasks": tasks})
    assert caught.value.fields[0].startswith("Tasks")
