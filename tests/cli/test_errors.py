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
        (["job", "run", "a.yaml", "b.yaml"], "accepts at most 1 arg(s), received 2"),
        (["job", "validate", "a.yaml", "b.yaml"], "accepts at most 1 arg(s), received 2"),
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


@pytest.mark.parametrize(
    "arguments",
    [
        ("agent", "alive", "--data-dir", "data"),
        ("agent", "alive", "-c", "some.yaml"),
        ("serve", "--data-dir", "data"),
    ],
)
def test_a_working_directory_that_is_gone(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    outcome = run_cli(*arguments)
    assert outcome.code == 1
    assert outcome.stderr == (
        "\nError: the working directory does not exist any more\nHint:  change to one that exists\n"
    )


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


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("https://x", "leave out `https://`, and set API.TLS.UseTLS for TLS"),
        ("x:80", "give the port apart: `--api-port 80`"),
        ("[::1]", "leave out the brackets"),
    ],
)
def test_what_else_is_written_into_an_address_comes_with_advice(host: str, advice: str) -> None:
    outcome = run_cli("job", "list", "--api-host", host)
    assert outcome.code == 1
    assert f'Error: "{host}" is neither a host name nor an address\n' in outcome.stderr
    assert outcome.stderr.endswith(f"{advice}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        *(["job", name, ""] for name in ("describe", "executions", "history", "logs", "stop")),
        ["job", "get", "/stdout"],
        ["node", "describe", ""],
        ["node", "approve", ""],
    ],
)
def test_an_empty_id_is_told_without_asking_the_server(
    arguments: list[str], server: ServedApi, tmp_path: Path
) -> None:
    directory = ("--output-dir", str(tmp_path)) if "get" in arguments else ()
    outcome = server.cli(*arguments, *directory)
    assert outcome.code == 1
    assert f"Error: the id of the {arguments[0]} is empty\n" in outcome.stderr
    assert f"`bacalhau {arguments[0]} list` shows them" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (["job", "get", "j-1", "--download-timeout-secs=-1s"], "--download-timeout-secs"),
        (["docker", "run", "--wait-timeout-secs=-3", "ubuntu"], "--wait-timeout-secs"),
    ],
)
def test_times_below_zero_are_refused(arguments: list[str], flag: str) -> None:
    outcome = run_cli(*arguments)
    assert outcome.code == 1
    assert f'for "{flag}" flag: must not be negative' in outcome.stderr


@pytest.mark.parametrize(
    "arguments",
    [["docker", "run", "-input", "s3://b/k", "ubuntu"], ["docker", "run", "-name=x", "ubuntu"]],
)
def test_a_long_flag_with_one_dash_comes_with_a_hint(arguments: list[str]) -> None:
    outcome = run_cli(*arguments)
    name = arguments[2].partition("=")[0]
    assert outcome.code == 1
    assert f"Hint:  names of more than one letter have two dashes: -{name}\n" in outcome.stderr


def test_a_job_file_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes("Name: caf\u00e9\n".encode("latin-1"))
    outcome = run_cli("job", "run", str(path))
    assert outcome.code == 1
    assert outcome.stderr == (
        f'\nError: job file ("{path}") is not UTF-8 text: byte 10 is not\n'
        "Hint:  save it as UTF-8 and try again\n"
    )


@pytest.mark.parametrize("command", [["job", "list"], ["version"], ["config", "list"]])
def test_a_data_directory_that_cannot_be_looked_into(command: list[str]) -> None:
    directory = f"/{'x' * 300}"  # Root may look into all others.
    outcome = run_cli(*command, environment={"BACALHAU_DIR": directory})
    assert outcome.code == 1
    assert outcome.stderr == (
        f"\nError: configuration file {directory}/config.yaml cannot be read: File name too long\n"
        "Hint:  name a directory that you may read with --data-dir, or in BACALHAU_DIR\n"
    )


@pytest.mark.parametrize("suffix", ["", ".yaml"])
def test_a_configuration_that_can_be_no_name_of_a_file(suffix: str) -> None:
    outcome = run_cli("config", "list", "-c", f"{'x' * 300}{suffix}")
    assert outcome.code == 1
    assert "internal error" not in outcome.stderr


def test_results_that_cannot_be_written(server: ServedApi, tmp_path: Path) -> None:
    outcome = server.cli("job", "get", "j-1", "--output-dir", str(tmp_path / "none"))
    assert outcome.code == 1
    assert outcome.stderr == (
        f"\nError: output dir does not exist: {tmp_path}/none\n"
        "Hint:  make it before, or leave out --output-dir\n"
    )


def test_results_that_cannot_be_written_into_a_file(server: ServedApi, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = server.cli("job", "get", "j-1", "--output-dir", str(tmp_path / "file"))
    assert outcome.code == 1
    assert outcome.stderr == (
        f"\nError: output dir is no directory: {tmp_path}/file\n"
        "Hint:  name another one, or leave out --output-dir\n"
    )


def test_an_unknown_help_topic_is_quoted() -> None:
    outcome = run_cli("help", "job", "nonsense")
    assert outcome.code == 0
    assert outcome.stdout.startswith("Unknown help topic [`job` `nonsense`]\n")


def test_a_module_from_a_url_without_a_path() -> None:
    outcome = run_cli("wasm", "run", "-U", "http://e.com", "x.wasm")
    assert "http://e.com: URL must end with a file name" in outcome.stderr
