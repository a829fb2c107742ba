"""What the daemon says, in our words (spec engines.md 2.11, corrections.md 14)."""

from __future__ import annotations

import aiohttp
import pytest
from aiodocker.exceptions import DockerError

from bacalhau.engines.docker.errors import (
    NOT_CONNECTED,
    create_error,
    docker_error,
    image_error,
    translated,
)
from bacalhau.engines.docker.start import start_error
from bacalhau.engines.docker.task import task_exit
from bacalhau.errors import BacalhauError, ExecutionError, TransientError
from bacalhau.ports import TaskExit
from tests.support.engines import make_run


@pytest.mark.parametrize(
    ("status", "message", "kind", "code"),
    [
        (404, "manifest for x not found", ExecutionError, "ImageNotFound"),
        (403, "denied: requested access", ExecutionError, "ImageNotFound"),
        (401, "unauthorized", ExecutionError, "ImageNotFound"),
        (0, "pull access denied for x", ExecutionError, "ImageNotFound"),
        (500, "manifest unknown", ExecutionError, "ImageNotFound"),
        (400, "invalid reference format", ExecutionError, "ImageInvalid"),
        (500, "toomanyrequests: You have reached", TransientError, "TooManyRequests"),
        (500, "dial tcp: lookup registry: no such host", TransientError, "SystemError"),
        (NOT_CONNECTED, "Cannot connect", TransientError, "Unavailable"),
    ],
)
def test_images(status: int, message: str, kind: type[BacalhauError], code: str) -> None:
    error = image_error(DockerError(status, message), "team/tool:1")
    assert isinstance(error, kind)
    assert (error.code, error.component) == (code, "Docker")
    assert "team/tool:1" in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, ExecutionError, "InvalidParameter"),
        (404, ExecutionError, "NotFound"),
        (409, ExecutionError, "Conflict"),
        (418, ExecutionError, "UnknownError"),
        (500, TransientError, "SystemError"),
        (503, TransientError, "Unavailable"),
        (NOT_CONNECTED, TransientError, "Unavailable"),
    ],
)
def test_answers(status: int, kind: type[BacalhauError], code: str) -> None:
    error = docker_error(DockerError(status, "because"), "create the container")
    assert isinstance(error, kind)
    assert error.code == code
    assert error.message == "create the container: because"


REFUSAL = "OCI runtime create failed: runc create failed: unable to start container process: "
MISSING = 'executable file not found: the image "team/tool:1" has no program "x"'
FORBIDDEN = '"x" in the image "team/tool:1" may not be executed: permission denied'
FOREIGN = '"x" in the image "team/tool:1" is no program for this node\'s kind of machine'


@pytest.mark.parametrize(
    ("said", "told", "hint"),
    [
        ('exec: "x": executable file not found in $PATH: unknown', MISSING, "Entrypoint"),
        ('exec: "x": stat x: no such file or directory: unknown', MISSING, "interpreter"),
        ('exec: "x": permission denied: unknown', FORBIDDEN, "chmod"),
        ('exec: "x": exec format error', FOREIGN, "--platform"),
        ('exec: "x": is odd: unknown', '"x" in the image "team/tool:1": is odd', ""),
        ("is odd", f"{REFUSAL}is odd", ""),
        (
            'error during container init: error mounting "/n/0" to rootfs at "/etc/x": mount '
            "/n/0:/etc/x (via /proc/self/fd/6), flags: 0x5000: not a directory: unknown: Are you "
            "trying to mount a directory onto a file (or vice-versa)? Check if it exists",
            'one of "/etc/x" in the image "team/tool:1" and the input or result path there is a '
            "file, and the other a directory",
            "choose another Target or Path; a single object is mounted as a file where Target",
        ),
    ],
)
def test_why_a_program_does_not_start(said: str, told: str, hint: str) -> None:
    error = start_error(DockerError(500, REFUSAL + said), "team/tool:1")
    assert isinstance(error, ExecutionError)
    assert error.message == f"failed to start container: {told}"
    assert hint in error.hint


@pytest.mark.parametrize(
    ("exit_code", "words", "told"),
    [
        (127, b"[FATAL tini (7)] exec x failed: No such file or directory\n", MISSING),
        (126, b"[FATAL tini (7)] exec x failed: Permission denied\n", FORBIDDEN),
        (1, b"[FATAL tini (7)] exec x failed: Exec format error\n", FOREIGN),
        (1, b"exec x: exec format error\n", FOREIGN),
        (255, b"exec x: no such file or directory\n", MISSING),
    ],
)
def test_why_a_program_did_not_start(exit_code: int, words: bytes, told: str) -> None:
    with pytest.raises(ExecutionError) as caught:
        task_exit({"ExitCode": exit_code}, make_run(), words, "team/tool:1")
    assert caught.value.message == f"failed to start container: {told}"
    for code, text in ((0, words), (127, b"before\n" + words), (127, words + b"after\n")):
        assert task_exit({"ExitCode": code}, make_run(), text, "") == TaskExit(exit_code=code)


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (500, "Cannot mkdir: /bin/sh is not a directory", "WorkingDirectory"),
        (400, "No command specified", "Parameters"),
        (400, "Minimum memory limit allowed is 6MB", "Resources.Memory"),
    ],
)
def test_what_no_other_attempt_would_create(status: int, message: str, hint: str) -> None:
    error = create_error(DockerError(status, message), "team/tool:1")
    assert isinstance(error, ExecutionError)
    assert error.message == f"create the container: {message}"
    assert hint in error.hint


def test_a_user_that_the_image_lacks_is_no_problem_of_the_daemon() -> None:
    message = "unable to find user reader: no matching entries in passwd file"
    error = start_error(DockerError(500, message), "team/tool:1")
    assert isinstance(error, ExecutionError)
    assert error.message == f"start the container: {message}"
    assert "/etc/passwd" in error.hint


def test_a_full_disk_is_no_fault_of_the_task() -> None:
    assert isinstance(start_error(DockerError(500, "no space left on device"), "x"), TransientError)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (TimeoutError(), "Deadline"),
        (aiohttp.ServerDisconnectedError(), "Unavailable"),
        (aiohttp.ClientPayloadError("cut off"), "Unavailable"),
    ],
)
def test_a_daemon_that_does_not_answer_is_transient(raised: Exception, code: str) -> None:
    with pytest.raises(TransientError) as caught, translated("list containers"):
        raise raised
    assert caught.value.code == code
    assert caught.value.message.startswith("list containers: ")


class TestEnds:
    def test_any_code_is_a_result(self) -> None:
        assert task_exit({"ExitCode": 137}, make_run(), b"", "") == TaskExit(exit_code=137)

    def test_a_task_killed_for_memory_has_failed(self) -> None:
        with pytest.raises(ExecutionError, match="memory limit exceeded"):
            task_exit({"ExitCode": 137, "OOMKilled": True}, make_run(), b"", "")

    def test_a_task_that_survived_it_has_not(self) -> None:
        state = {"ExitCode": 1, "OOMKilled": True}
        assert task_exit(state, make_run(), b"", "") == TaskExit(exit_code=1)
