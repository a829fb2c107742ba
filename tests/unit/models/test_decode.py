"""From untyped data to records (spec api.md W2, W4)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import (
    Evaluation,
    Execution,
    JobState,
    JobType,
    Model,
    NetworkType,
    Task,
)
from bacalhau.models.api import PutJobResponse
from bacalhau.models.decode import decode, decode_json, decode_put_job
from bacalhau.models.job import Job, LabelSelectorRequirement
from bacalhau.models.resources import Resources


def _job(**changes: Any) -> dict[str, Any]:
    return {"Type": "batch", "Tasks": [{"Name": "main", "Engine": {"Type": "docker"}}], **changes}


def _problems(data: object, wanted: type[Any] = Job) -> dict[str, str]:
    """Return the lines of the error, by the paths they are about."""
    with pytest.raises(ValidationError) as caught:
        decode(wanted, data)
    lines = caught.value.message.split("\n")
    assert len(lines) == len(caught.value.fields)
    return dict(zip(caught.value.fields, lines, strict=True))


def test_keys_of_structs_match_in_any_case() -> None:
    job = decode(
        Job, {"type": "ops", "COUNT": 2, "tasks": [{"name": "a", "engine": {"tyPe": "x"}}]}
    )
    assert (job.type, job.count, job.tasks[0].engine.type) == (JobType.OPS, 2, "x")


def test_the_exact_key_wins_and_then_the_last_in_order_of_bytes() -> None:
    assert decode(Job, _job(name="a", Name="b", NAME="c")).name == "b"
    assert decode(Job, _job(name="a", NAME="c", nAme="d")).name == "a"


def test_unknown_keys_are_ignored_and_null_means_unset() -> None:
    job = decode(Job, _job(Whatever={"a": [1]}, Name=None, Labels=None, Constraints=None))
    assert (job.name, job.labels, job.constraints) == ("", {}, [])


def test_keys_and_nulls_of_maps_are_kept_as_sent() -> None:
    params = {"image": "a", "Image": None, "Nested": {"x": [None, 1.5, True]}}
    engine = {"Type": "docker", "Params": params}
    task = decode(Task, {"Name": "a", "Engine": engine, "Env": {"a": "1", "A": None}})
    assert task.engine.params == params
    assert task.env == {"a": "1", "A": ""}


def test_enums_are_read_as_their_type_says() -> None:
    state = {"StateType": "running", "Message": "m"}
    job = decode(Job, _job(State=state))
    assert (job.state.state_type, job.state.message) == (JobState.RUNNING, "m")
    assert decode(Job, _job(State={"StateType": "odd"})).state.state_type is JobState.UNDEFINED
    task = decode(Task, {"Engine": {}, "Network": {"Type": " full "}})
    assert task.network.type is NetworkType.FULL


def test_a_whole_number_is_a_fine_number_of_cores() -> None:
    assert decode(Resources, {"CPU": 2}).cpu == 2


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"Count": "1"}, "Count", 'expected a whole number, got the string "1"'),
        ({"Count": 1.0}, "Count", "expected a whole number, got the number 1.0"),
        ({"Count": True}, "Count", "expected a whole number, got the boolean true"),
        ({"Count": 2**70}, "Count", "out of range"),
        ({"Name": 5}, "Name", "expected a string, got the number 5"),
        ({"Labels": ["a"]}, "Labels", "expected an object, got a list"),
        ({"Labels": {"a": 1}}, "Labels.a", "expected a string, got the number 1"),
        ({"Labels": {"a b": True}}, 'Labels["a b"]', "expected a string, got the boolean true"),
        ({"Meta": {"a": {}}}, "Meta.a", "expected a string, got an object"),
        ({"Tasks": {}}, "Tasks", "expected a list, got an object"),
        ({"Tasks": [None]}, "Tasks[0]", "expected an object, got null"),
        ({"Constraints": [None]}, "Constraints[0]", "expected an object, got null"),
        ({"Type": 5}, "Type", "expected a string, got the number 5"),
        ({"Type": "BATCH"}, "Type", 'invalid job type: "BATCH"'),
        ({"Type": None}, "Type", "missing job type"),
        ({"State": "Running"}, "State", 'expected an object, got the string "Running"'),
        ({"State": {"StateType": 3}}, "State.StateType", "expected a string, got the number 3"),
        ({"Name": "a\ud800"}, "Name", "not valid Unicode"),
        ({"Labels": {"\udfff": "x"}}, "Labels[", "not valid Unicode"),
    ],
)
def test_nothing_is_converted(change: dict[str, Any], path: str, text: str) -> None:
    ((field, message),) = _problems(_job(**change)).items()
    assert field.startswith(path)
    assert text in message


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**64, -(2**63) - 1, "\ud800", object()])
def test_parameters_hold_only_what_json_can_say(value: object) -> None:
    spec = {"Type": "x", "Params": {"deep": [{"key": value}]}}
    problems = _problems({"Name": "a", "Engine": spec}, Task)
    assert list(problems) == ["Engine.Params.deep[0].key"]


def test_all_problems_are_told_at_once() -> None:
    tasks = [{"Engine": {"Type": 1}, "Env": {"A": 1}}, {"Name": []}, 7]
    problems = _problems({"Count": "3", "Tasks": tasks, "Priority": 1.5})
    assert set(problems) == {
        "Type",
        "Count",
        "Priority",
        "Tasks[0].Engine.Type",
        "Tasks[0].Env.A",
        "Tasks[1].Name",
        "Tasks[1].Engine",
        "Tasks[2]",
    }
    assert problems["Tasks[0].Env.A"] == "Tasks[0].Env.A: expected a string, got the number 1"


def test_a_document_with_endless_problems_ends() -> None:
    with pytest.raises(ValidationError) as caught:
        decode(Job, _job(Tasks=[1] * 5000))
    assert caught.value.message.endswith("and 950 more problems")


def test_many_values_behind_few_aliases_end() -> None:
    value: Any = "x"
    for _ in range(12):
        value = [value] * 10
    with pytest.raises(ValidationError, match="more than 250000 values"):
        decode(Job, _job(Tasks=[{"Engine": {"Type": "x", "Params": {"a": value}}}]))


def test_deep_nesting_is_a_problem_not_a_crash() -> None:
    value: Any = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(ValidationError, match="nested too deeply"):
        decode(Job, _job(Tasks=[{"Engine": {"Type": "x", "Params": {"a": value}}}]))


def test_paths_can_start_anywhere() -> None:
    with pytest.raises(ValidationError) as caught:
        decode(LabelSelectorRequirement, {"Key": 1}, "Constraints[2]")
    assert caught.value.fields == ("Constraints[2].Key",)


def test_a_missing_field_without_a_text_of_its_own_is_named() -> None:
    assert _problems({}, Execution)["DesiredState"] == "DesiredState: missing"
    assert "one of" in decode_error(Evaluation, {}).hint


def decode_error(wanted: type[Model], data: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        decode(wanted, data)
    return caught.value


def test_an_execution_state_is_a_number() -> None:
    data = {"DesiredState": {"StateType": 1}, "ComputeState": {"StateType": 9}}
    assert decode(Execution, data).compute_state.state_type == 9
    problems = _problems({**data, "ComputeState": {"StateType": 99}}, Execution)
    assert problems["ComputeState.StateType"].startswith('unknown value: "99"')
    problems = _problems({**data, "ComputeState": {"StateType": "Completed"}}, Execution)
    assert "expected a whole number" in problems["ComputeState.StateType"]


def test_json_is_read() -> None:
    response = decode_json(PutJobResponse, b'{"JobID": "j-1", "Warnings": null}')
    assert (response.job_id, response.warnings) == ("j-1", None)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "line 1, column 1: "),
        (b'{"JobID":\n "a",\n }', "line 3, column 2: "),
        (b'{"JobID": "a"', "line 1, column 14: "),
        (b'{"JobID": "\xc3\xa9", x}', "line 1, column 16: "),
        (b'{"JobID": "\xff"}', "line 1, column 12: not valid UTF-8"),
        (b'{"JobID": NaN}', "line 1, column 11: "),
        (b'{"JobID": "\\ud800"}', "line 1, column "),
        (b"{} x", "line 1, column 5: trailing characters"),
        (b'{"JobID": 1e999}', "line 1, column "),
    ],
)
def test_bad_json_is_located(body: bytes, place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        decode_json(PutJobResponse, body)
    assert caught.value.message.startswith(f"invalid JSON at {place}")


def test_endless_json_is_an_error_not_a_crash() -> None:
    with pytest.raises(ValidationError, match="nested too deeply"):
        decode_json(PutJobResponse, b"[" * 1_000_000)


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"Job": null}', b'{"Namespace": ""}'])
def test_a_submission_without_a_job_says_so(body: bytes) -> None:
    with pytest.raises(ValidationError, match=r"^empty/nil job$"):
        decode_put_job(body)


def test_a_submission_may_carry_the_base_fields_of_go_clients() -> None:
    body = (
        b'{"Namespace": "", "Credential": {"Scheme": "Bearer"}, "idempotencyToken": "",'
        b' "job": {"type": "batch", "tasks": [{"name": "a", "engine": {"type": "noop"}}]}}'
    )
    job, warnings = decode_put_job(body)
    assert (job.tasks[0].engine.type, job.count, warnings) == ("noop", 1, [])
