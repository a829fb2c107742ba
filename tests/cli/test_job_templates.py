"""Job files with variables, and `job validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.cli import Outcome, run_cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import ServedApi

TEMPLATE = """\
Name: mine
Type: batch
Tasks:
- Name: main
  Engine: {Type: docker, Params: {Image: ubuntu, Parameters: [echo, "{{.greeting}}"]}}
"""
PLAIN = TEMPLATE.replace("{{.greeting}}", "hello")


def dry_run(text: str, *flags: str, **environment: str) -> Outcome:
    return run_cli("job", "run", "--dry-run", *flags, stdin=text, environment=environment)


def greeting(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome
    job = yaml.safe_load(outcome.stdout)
    word: str = job["Tasks"][0]["Engine"]["Params"]["Parameters"][1]
    return word


@pytest.mark.parametrize("flag", ["-V", "--template-vars"])
def test_variables_of_the_command_line(flag: str) -> None:
    assert greeting(dry_run(TEMPLATE, flag, "greeting=hi, you")) == "hi, you"
    assert greeting(dry_run(TEMPLATE, flag, "other=1,greeting=hi")) == "hi"
    assert greeting(dry_run(TEMPLATE, flag, "other=1", flag, "greeting=hi")) == "hi"


@pytest.mark.parametrize("pattern", ["*", ".*", "greet", "^greeting$", "[g]reet|x", r"^\pL+\z"])
def test_variables_of_the_environment(pattern: str) -> None:
    assert greeting(dry_run(TEMPLATE, "-E", pattern, greeting="hi")) == "hi"
    assert greeting(dry_run(TEMPLATE, "-E", pattern, "-V", "greeting=yo", greeting="hi")) == "yo"


def test_the_environment_is_not_taken_unasked() -> None:
    assert dry_run(TEMPLATE, greeting="hi").code == 1
    assert dry_run(TEMPLATE, "-E", "^other", greeting="hi").code == 1


def test_braces_are_kept_where_templates_are_switched_off() -> None:
    assert greeting(dry_run(TEMPLATE, "--no-template")) == "{{.greeting}}"


def test_optional_variables() -> None:
    text = TEMPLATE.replace("{{.greeting}}", "{{or (index . `good-day`) `hello`}}")
    assert greeting(dry_run(text)) == "hello"
    assert greeting(dry_run(text, "-V", "good-day=hi")) == "hi"


def test_a_missing_variable_is_told_with_place_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(TEMPLATE)
    outcome = run_cli("job", "run", "--dry-run", "-V", "greting=hi", str(path))
    assert outcome.code == 1
    assert outcome.stdout == ""
    assert outcome.stderr == (
        "\nError: the job provided is invalid: failed to execute template: template: :5:71: "
        'executing "" at <.greeting>: map has no entry for key "greeting"\n'
        f"Hint:  {path}, line 5, column 72: did you mean .greting? Otherwise give it with "
        '-V greeting=VALUE, or write {{index . "greeting"}} if it may lack\n'
    )


@pytest.mark.parametrize(
    ("action", "message", "hint"),
    [
        (
            "{{.good-day}}",
            "failed to parse template: template: :1: bad character U+002D '-'",
            'standard input, line 1, column 14: write names with hyphens as {{index . "NAME"}}',
        ),
        (
            "{{lookupEnv `HOME`}}",
            'failed to parse template: template: :1: function "lookupEnv" not defined',
            "the functions are and, eq, ",
        ),
        ("{{prinf `a`}}", 'function "prinf" not defined', "did you mean printf?"),
        ("{{range 1000000000}}{{end}}", "the template does too much", "--no-template"),
        ("{{.Greeting}}", 'no entry for key "Greeting"', "did you mean .greeting?"),
    ],
)
def test_what_is_wrong_with_a_template(action: str, message: str, hint: str) -> None:
    outcome = dry_run(f"Name: {action}\n", "-V", "greeting=hi")
    assert outcome.code == 1
    assert outcome.stderr.startswith("\nError: the job provided is invalid: failed to ")
    assert message in outcome.stderr
    assert hint in outcome.stderr


@pytest.mark.timeout(20)
def test_a_pattern_cannot_take_long() -> None:
    outcome = dry_run(TEMPLATE, "-E", "^(a+)+$", greeting="hi", **{"a" * 5000 + "!": "x"})
    assert outcome.code == 1
    assert 'no entry for key "greeting"' in outcome.stderr


@pytest.mark.parametrize("pattern", ["(", "*a", "a{99999999999}", "(?=a)"])
def test_a_bad_pattern(pattern: str) -> None:
    outcome = dry_run(TEMPLATE, "-E", pattern)
    assert outcome.code == 1
    assert "Error: failed to create template parser: " in outcome.stderr
    assert pattern in outcome.stderr


def test_the_job_that_is_submitted_is_filled_in(server: ServedApi) -> None:
    outcome = server.cli("job", "run", "--wait=false", "-V", "greeting=hi", stdin=TEMPLATE)
    assert outcome.code == 0, outcome
    shown = server.cli("job", "describe", outcome.stdout.strip(), "--output", "json").stdout
    assert '"hi"' in shown


def validate(tmp_path: Path, text: str) -> Outcome:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    return run_cli("job", "validate", str(path))


def test_a_valid_job(tmp_path: Path) -> None:
    assert validate(tmp_path, PLAIN) == Outcome(0, "OK\n", "")


def test_validation_leaves_templates_alone(tmp_path: Path) -> None:
    assert validate(tmp_path, TEMPLATE) == Outcome(0, "OK\n", "")


def test_what_a_submission_would_drop_is_told(tmp_path: Path) -> None:
    outcome = validate(tmp_path, PLAIN + "Priority: 3\nRevision: 7\n")
    assert outcome.code == 0
    assert outcome.stdout == "job revision is ignored when submitting a job\nOK\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no content provided"),
        ("Name: [", "line 2, column 1"),
        ("Name: a\nFoo: b\n", "unknown field: 'Foo' in 'Job'"),
        ("Name: a\nType: batch\n", "missing job tasks"),
        (PLAIN.replace("Type: batch", "Type: nonsense"), "nonsense"),
    ],
)
def test_an_invalid_job(tmp_path: Path, text: str, message: str) -> None:
    outcome = validate(tmp_path, text)
    assert outcome.code == 1
    lines = outcome.stdout.splitlines()
    assert lines[0] == "Error: the job provided is invalid"
    assert lines[1].startswith("Job Specification: ")
    assert lines[2:] == [""]
    assert outcome.stderr.startswith("\nError: ")
    assert message in outcome.stderr


def test_validation_needs_a_file() -> None:
    outcome = run_cli("job", "validate")
    assert outcome.code == 1
    assert "requires at least 1 arg(s), only received 0" in outcome.stderr
    outcome = run_cli("job", "validate", "none.yaml")
    assert outcome.stdout == ""
    assert 'opening job file ("none.yaml"): No such file or directory' in outcome.stderr
