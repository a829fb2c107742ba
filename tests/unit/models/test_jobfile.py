"""Job files (spec cli.md 11.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bacalhau.errors import UserError, ValidationError
from bacalhau.models import InputSource, JobState, JobType, NetworkType, SpecConfig
from bacalhau.models.jobfile import load_job

_HEAD = "Type: batch\n"
_TASKS = "Tasks:\n  - Name: main\n    Engine: {Type: docker, Params: {Image: ubuntu}}\n"


def _error(text: str) -> UserError:
    with pytest.raises(UserError) as caught:
        load_job(text)
    return caught.value


def test_a_yaml_file_is_read() -> None:
    job, warnings = load_job(
        """
        name: hello   # any case will do
        Type: ops
        Constraints:
          - {Key: gpu, Operator: =, Values: ["yes"]}
        Labels: {team: data, when: 2001-01-01, at: 12:30:45}
        tasks:
          - name: main
            engine:
              type: docker
              params: {Image: ubuntu, Entrypoint: null, Parameters: [echo, hi]}
            network: {type: http, domains: [example.com]}
        """
    )
    task = job.tasks[0]
    assert (job.name, job.type, warnings) == ("hello", JobType.OPS, [])
    assert job.constraints[0].operator == "="
    assert job.labels == {"team": "data", "when": "2001-01-01", "at": "12:30:45"}
    assert task.engine.params == {
        "Image": "ubuntu",
        "Entrypoint": None,
        "Parameters": ["echo", "hi"],
    }
    assert task.network.type is NetworkType.HTTP


def test_a_json_file_is_read_as_json() -> None:
    """Tabs, escaped slashes and surrogate pairs are no YAML."""
    text = '{\n\t"Type": "batch", "Name": "\\/ \\ud83d\\ude00", "Tasks": []}'
    assert load_job(text)[0].name == "/ \U0001f600"


def test_yaml_in_braces_is_read_too() -> None:
    assert load_job("{Type: batch, Name: a, Tasks: []}")[0].name == "a"


def test_a_key_given_twice_is_refused_in_json_as_in_yaml() -> None:
    assert 'key "Name" is given twice' in _error('{"Name": "a",\n "Name": "b"}').message
    assert "line 2, column 1" in _error("Name: a\nName: b\n").message


@pytest.mark.parametrize(
    ("line", "count"), [("", 1), ("Count:", 1), ("Count: 0", 0), ("count: 3", 3)]
)
def test_a_count_that_is_not_there_means_one(line: str, count: int) -> None:
    assert load_job(f"{_HEAD}{line}\n{_TASKS}")[0].count == count


@pytest.mark.parametrize("text", ["", "  \n", "\t"])
def test_an_empty_file_says_so(text: str) -> None:
    assert _error(text).message == "no content provided"


@pytest.mark.parametrize("text", ["# only a comment", "---", "null", "~"])
def test_a_file_without_a_job_says_so(text: str) -> None:
    error = _error(text)
    assert error.message == "empty/nil job"
    assert error.hint == "a job file has fields such as Name, Type and Tasks"


@pytest.mark.parametrize("text", ["- Type: batch", "hello", "[]"])
def test_a_file_with_something_else_says_so(text: str) -> None:
    error = _error(text)
    assert "expected an object" in error.message
    assert error.hint == "a job file has fields such as Name, Type and Tasks"


@pytest.mark.parametrize("bold", ["", "\x1b[1m"])
def test_a_description_for_people_is_recognised(bold: str) -> None:
    text = f"{bold}ID            = j-1\nName          = x\nType          = batch\n\nSummary\n"
    error = _error(text)
    assert error.message == "this is the description of a job for people, not a job file"
    assert "`bacalhau job describe --spec JOB | bacalhau job run`" in error.hint


def test_bad_yaml_is_located() -> None:
    error = _error("Type: batch\nTasks:\n - a\n- b\n")
    assert error.message.startswith("the job file cannot be read: line 4, column 1: ")


def test_unknown_fields_are_refused_with_the_nearest_name() -> None:
    error = _error(_HEAD + _TASKS + "Lables: {a: b}\nfoo: 1\n")
    assert error.message.split("\n") == [
        "unknown field: 'Lables' in 'Job'",
        "unknown field: 'foo' in 'Job'",
    ]
    assert "did you mean Labels?" in error.hint
    assert error.fields == ("Lables", "foo")


def test_unknown_fields_are_told_together_with_other_problems() -> None:
    error = _error("Typ: batch\nCount: x\n")
    assert isinstance(error, ValidationError)
    assert error.fields == ("Typ", "Count", "Type", "Tasks")
    assert error.message.split("\n") == [
        "unknown field: 'Typ' in 'Job'",
        'Count: expected a whole number, got the string "x"',
        "missing job type",
        "missing job tasks",
    ]


def test_numbers_that_json_cannot_say_are_refused() -> None:
    error = _error('{"Type": "batch", "Count": NaN, "Tasks": []}')
    assert error.message.split("\n")[0] == 'Count: expected a whole number, got the string "NaN"'


def test_unknown_nested_fields_are_ignored() -> None:
    assert load_job(_HEAD + _TASKS + "    Whatever: 1\n")[0].tasks[0].name == "main"


def test_system_fields_are_tolerated() -> None:
    text = (
        "ID: j-1\nState: {StateType: Running}\nVersion: 1\nRevision: 2\nCreateTime: 3\n"
        "ModifyTime: 4\n"
    )
    job, _ = load_job(text + _HEAD + _TASKS)
    assert (job.id, job.state.state_type, job.version) == ("j-1", JobState.RUNNING, 1)
    assert (job.revision, job.create_time, job.modify_time) == (2, 3, 4)


def test_the_output_of_describe_is_read() -> None:
    job: dict[str, Any] = {"Type": "batch", "Tasks": []}
    text = json.dumps({"Job": job, "Executions": {"Items": []}, "History": {}})
    assert load_job(text)[0].type is JobType.BATCH
    assert "unknown field: 'Job' in 'Job'" in _error(json.dumps({"Job": job, "x": 1})).message


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ("{N: 1}", "Labels.N: expected a string, got the number 1"),
        ("{N: yes}", "Labels.N: expected a string, got the boolean true"),
        ("{N: 1.5}", "Labels.N: expected a string, got the number 1.5"),
        ("{N: [a]}", "Labels.N: expected a string, got a list"),
    ],
)
def test_values_that_yaml_takes_for_something_else_need_quotes(labels: str, text: str) -> None:
    error = _error(_HEAD + f"Labels: {labels}\n" + _TASKS)
    assert error.message == text
    assert error.hint == "put the value in quotes"


_SPLIT = """
Name: s3
Type: batch
Tasks:
  - Name: main
    Engine: {Type: docker, Params: {Image: ubuntu}}
    InputSources:
      - Source:
          Type: "s3"
          Params:
            Bucket: "my-bucket"
            Key: "data/"
      - Target: "/data"
"""


def test_an_input_split_as_on_the_s3_page_is_put_together() -> None:
    job, warnings = load_job(_SPLIT)
    source = SpecConfig(type="s3", params={"Bucket": "my-bucket", "Key": "data/"})
    assert job.tasks[0].input_sources == [InputSource(source=source, target="/data")]
    assert warnings == [
        "Tasks[0].InputSources[1]: merged separate Target item; "
        "put Target at the same level as Source"
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "Type: batch\nTasks:\n  - Name: main\n   Engine: x\n",
            "line 4 is `   Engine: x`; check its indentation, and quotes and brackets in",
        ),
        ("Tasks:\n\t- Name: a\n", "indent line 2 with spaces: YAML takes no tabs there"),
        ("Type: [batch", "line 1 is `Type: [batch`; check its indentation"),
        ("Name: a\nName: b\n", "line 2 is `Name: b`"),
        ("Name: [a\n\n\n", "line 1 is `Name: [a`"),
        ("\x0c\n- [", "line "),
        ("a: \ud800", "line 1 is `a: ?`"),
    ],
)
def test_what_is_no_yaml_is_shown_with_advice(text: str, hint: str) -> None:
    error = _error(text)
    assert error.hint.startswith(hint)
    assert "line " in error.message
    assert "column " in error.message
