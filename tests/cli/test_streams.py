"""Streams that are closed, full, or read no further, and Ctrl-C while something is going on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = (sys.executable, "-m", "bacalhau.cli.main")
JOB = "Type: batch\nTasks: [{Name: main, Engine: {Type: docker, Params: {Image: ubuntu}}}]\n"


def shell(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in which ``bacalhau`` is the program."""
    program = tmp_path / "bacalhau"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bacalhau.cli.main "$@"\n')
    program.chmod(0o755)
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **variables(tmp_path)},
    )


def variables(tmp_path: Path) -> dict[str, str]:
    return {"BACALHAU_DIR": str(tmp_path / "data"), "BACALHAU_API_PORT": "1"}


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_trouble(closed: str, tmp_path: Path) -> None:
    done = shell(f"bacalhau version --client {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_counts_also_when_nobody_can_read_it(tmp_path: Path) -> None:
    assert shell("bacalhau job describe x 2>&-", tmp_path).returncode == 1


def test_a_job_from_a_closed_input_is_empty(tmp_path: Path) -> None:
    done = shell("bacalhau job run <&-", tmp_path)
    assert done.returncode == 1
    assert "Error: the job provided is invalid: no content provided" in done.stderr


@pytest.mark.parametrize("command", ["help", "config list", "version --client"])
def test_output_that_finds_no_room_is_an_error(command: str, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    done = shell(f"bacalhau {command} >/dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "\nError: cannot write the output: No space left on device\n"
        "Hint:  make room, or write to another place\n"
    )


def test_errors_are_told_when_nobody_reads_the_output(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("Type: nonsense\nTasks: []\n")
    done = shell(f"bacalhau job run {tmp_path}/job.yaml | exec true", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("\nError: the job provided is invalid: ")
    assert "Traceback" not in done.stderr


def test_help_that_nobody_reads_is_no_trouble(tmp_path: Path) -> None:
    assert shell("bacalhau help | exec true", tmp_path).stderr == ""


def _started(arguments: Sequence[str], port: int, tmp_path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables(tmp_path), "BACALHAU_API_PORT": str(port)},
    )


def test_ctrl_c_while_a_job_is_submitted_says_that_it_may_be_stored(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with _started(["job", "run", str(tmp_path / "job.yaml")], port, tmp_path) as process:
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(1).startswith(b"P")
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (1, "")
    assert stderr.startswith("\nError: request cancelled\nHint:  the server may have the job")


def test_ctrl_c_while_a_list_is_asked_for_is_quiet(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with _started(["job", "list"], port, tmp_path) as process:
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(1) == b"G"
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout, stderr) == (1, "", "")


def test_ctrl_c_while_a_job_is_being_stopped_is_no_failure(tmp_path: Path) -> None:
    job = b'{"Job":{"ID":"j-1","Type":"batch","State":{"StateType":"Running"},"Tasks":[]}}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with _started(["job", "stop", "j-1"], port, tmp_path) as process:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(65536).startswith(b"GET ")
                connection.sendall(answer % (len(job), job))
                assert connection.recv(65536).startswith(b"DELETE ")
                process.send_signal(signal.SIGINT)
                _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Warning: no longer waiting; job j-1 may be stopped all the same" in stderr
