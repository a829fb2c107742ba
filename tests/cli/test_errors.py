"""What users see when something is wrong, in the words of the original where scripts know them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import run_cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import ServedApi


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["job", "describe"], "accepts 1 arg(s), received 0"),
        (["job", "describe", "a", "b"], "accepts 1 arg(s), received 2"),
        (["docker", "run"], "requires at least 1 arg(s), only received 0"),
        (["job", "list", "--nonsense"], "unknown flag: --nonsense"),
        (["--version"], "unknown flag: --version"),
        (["node", "list", "x"], 'unknown command "x" for "bacalhau node list"'),
        (["nonsense"], 'unknown command "nonsense" for "bacalhau"'),
        (
            ["job", "list", "--output", "nonsense"],
            'invalid argument "nonsense" for "--output" flag: '
            'should be one of ["table" "csv" "json" "yaml"]',
        ),
        (["job", "run", "none.yaml"], 'opening job file ("none.yaml"): No such file or directory'),
        (
            ["job", "list", "--labels", "a gt 2"],
            'could not parse labels: invalid selector "a gt 2"',
        ),
        (
            ["node", "list", "--filter-status", "asleep"],
            "cannot use 'asleep' as filter-status value, should be one of: "
            '["connected" "disconnected"]',
        ),
        (["job", "get", "j-1", "--output-dir", "/nowhere"], "output dir does not exist: /nowhere"),
        (
            ["job", "get", "j-1", "--download-timeout-secs", "300"],
            'invalid argument "300" for "--download-timeout-secs" flag: '
            'time: missing unit in duration "300"',
        ),
        (["job", "list", "-c", "nonsense.key=1"], '"nonsense.key" is not a valid config key'),
        (["job", "list", "-c", "/nowhere/my.yaml"], "config file /nowhere/my.yaml does not exist"),
        (["wasm", "run", "none.wasm"], '"none.wasm" is not a valid CID or local file'),
    ],
)
def test_messages(arguments: list[str], message: str) -> None:
    outcome = run_cli(*arguments)
    assert outcome.code == 1
    assert outcome.stdout == ""
    assert outcome.stderr.startswith(f"\nError: {message}")


def test_a_command_that_looks_like_a_known_one_is_suggested() -> None:
    assert run_cli("versoin").stderr == (
        '\nError: unknown command "versoin" for "bacalhau"\n\nDid you mean this?\n\tversion\n'
    )


def test_an_unknown_command_of_a_group_shows_the_groups_help() -> None:
    outcome = run_cli("job", "foo")
    assert outcome.code == 0
    assert "Available Commands:\n  describe " in outcome.stdout


def test_a_misspelled_command_of_a_group_is_suggested() -> None:
    outcome = run_cli("node", "rejected", "n-1")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        '\nError: unknown command "rejected" for "bacalhau node"\n\nDid you mean this?\n\treject\n'
    )


def test_flags_behind_the_image_come_with_a_hint() -> None:
    outcome = run_cli("docker", "run", "ubuntu", "echo", "-n", "hi")
    assert "unknown shorthand flag: 'n' in -n" in outcome.stderr
    assert "Hint:  flags of the command belong behind --" in outcome.stderr
    outcome = run_cli("docker", "run", "ubuntu", "bash", "-c", "ls")
    assert 'no matching config key "ls"' in outcome.stderr
    assert "flags of the command belong behind --" in outcome.stderr


def test_no_server() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = str(unused.getsockname()[1])
        outcome = run_cli("job", "list", "--api-port", port)
    assert outcome.code == 1
    assert outcome.stdout == ""
    assert outcome.stderr.startswith(
        f"\nError: server is not running or not reachable at http://127.0.0.1:{port}\n"
        "Hint:  1. Start a server: `bacalhau serve"
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--api-host", "http://x"], '"http://x" is neither a host name nor an address'),
        (["--api-host", "a..b"], '"a..b" is neither a host name nor an address'),
        (["--api-host", "x" * 70], "is neither a host name nor an address"),
        (["--api-host", "a b"], '"a b" is neither a host name nor an address'),
        (["--api-port", "0"], "0 is not a port"),
        (["--api-port", "70000"], 'invalid value "70000" for API.Port'),
        (["--api-port=-1"], 'invalid value "-1" for API.Port'),
    ],
)
@pytest.mark.parametrize("command", [["job", "list"], ["job", "logs", "j-1"], ["version"]])
def test_addresses_that_cannot_be_one(flags: list[str], message: str, command: list[str]) -> None:
    outcome = run_cli(*command, *flags)
    assert outcome.code == 1
    assert message in outcome.stderr
    assert "internal error" not in outcome.stderr


@pytest.mark.parametrize("command", ["describe", "executions", "history", "logs", "stop", "get"])
def test_unknown_jobs(command: str, server: ServedApi, tmp_path: Path) -> None:
    directory = ("--output-dir", str(tmp_path)) if command == "get" else ()
    outcome = server.cli("job", command, "j-00000000", *directory)
    assert outcome.code == 1
    assert "Error: " in outcome.stderr
    assert "job not found: j-00000000" in outcome.stderr


def test_quiet_does_not_hide_errors(server: ServedApi) -> None:
    outcome = server.cli("job", "stop", "--quiet", "j-00000000")
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("\nError: job not found: j-00000000")


def test_colours_only_on_a_terminal_and_not_against_the_users_will() -> None:
    assert run_cli("nonsense", terminal=True).stderr.startswith("\n\x1b[31mError: \x1b[0munknown")
    plain = run_cli("nonsense", terminal=True, environment={"NO_COLOR": "1"})
    assert plain.stderr.startswith("\nError: unknown")


def test_debug_shows_details() -> None:
    outcome = run_cli("nonsense", environment={"DEBUG": "true"})
    assert "Details:\ncode: BadRequest\ncomponent: CLI\n" in outcome.stderr
    assert "Stack Trace:\n" in outcome.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the job provided is invalid: no content provided"),
        ("Type: [", "the job provided is invalid: the job file cannot be read: line 2"),
        ("Type: nonsense\nTasks: []", "the job provided is invalid: "),
        ("Foo: 1\nType: batch\nTasks: []", "unknown field: 'Foo' in 'Job'"),
        ("Type: batch", "the job provided is invalid: missing job tasks"),
    ],
)
def test_job_files_that_are_no_jobs(text: str, message: str) -> None:
    outcome = run_cli("job", "run", stdin=text)
    assert outcome.code == 1
    assert message in outcome.stderr
