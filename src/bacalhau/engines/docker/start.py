"""Why a program did not start in its container, as the daemon, runc and the init program say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.engines.docker.errors import COMPONENT, NOT_CONNECTED, at_fault, docker_error
from bacalhau.errors import ExecutionError

if TYPE_CHECKING:
    from aiodocker.exceptions import DockerError

    from bacalhau.errors import BacalhauError

_HTTP_SERVER_ERROR = 500
_NO_USER = ("unable to find user", "unable to find group", "no matching entries in")

# What the init program, or runc where there is none, prints when it cannot become the program.
_LAST_WORDS = re.compile(
    rb"^(?:\[FATAL tini \([0-9]+\)\] exec (?P<init>.+) failed|exec (?P<runc>.+)): (?P<why>.+)\n$"
)
_CODES = frozenset({1, 126, 127, 255})
"""The exit codes that come with them."""

_OF_RUNC = re.compile(r'exec: "(?P<program>.+?)": (?P<why>.+)')
_ON_ANOTHER_KIND = re.compile(r'to rootfs at "(?P<target>[^"]+)".*not a directory', re.DOTALL)
_MISSING = ("executable file not found", "no such file or directory")
_FORBIDDEN = "permission denied"
_FOREIGN = "exec format error"


def start_error(exc: DockerError, image: str) -> BacalhauError:
    """Translate the refusal to start a container."""
    if exc.status != NOT_CONNECTED and (
        exc.status < _HTTP_SERVER_ERROR or "OCI runtime" in exc.message
    ):
        said = _OF_RUNC.search(exc.message)
        program, why = said.group("program", "why") if said else ("", exc.message)
        return _not_started(program, why.removesuffix(": unknown"), image)
    if any(mark in exc.message for mark in _NO_USER):
        hint = "the image sets a user that its /etc/passwd or /etc/group does not have"
        return at_fault(f"start the container: {exc.message}", hint)
    return docker_error(exc, "start the container")


def start_failure(exit_code: int, stderr: bytes, image: str) -> ExecutionError | None:
    """Return why the program did not start, or None when it did.

    That shows only in the words of the init program, which started well: ``stderr`` is the
    beginning of what was printed.
    """
    said = _LAST_WORDS.match(stderr) if exit_code in _CODES else None
    if said is None:
        return None
    program = (said["init"] or said["runc"]).decode("utf-8", "replace")
    why = said["why"].decode("utf-8", "replace")
    is_known = any(mark in why.lower() for mark in (*_MISSING, _FORBIDDEN, _FOREIGN))
    return _not_started(program, why, image) if is_known else None


def _not_started(program: str, why: str, image: str) -> ExecutionError:
    """Tell that a program could not start; most often the image does not have it."""
    known = why.lower()
    if not program:
        mount = _ON_ANOTHER_KIND.search(why)
        return _failure(why, "") if mount is None else _not_mounted(mount["target"], image)
    if any(mark in known for mark in _MISSING):
        return _failure(
            f'executable file not found: the image "{image}" has no program "{program}"',
            "check Entrypoint and Parameters of the task, and the program's name in the image; for"
            " a script, also that the image has the interpreter that its first line names",
        )
    if _FORBIDDEN in known:
        return _failure(
            f'"{program}" in the image "{image}" may not be executed: permission denied',
            "Entrypoint and Parameters must name a program that its user may execute, and no"
            " directory; chmod +x when the image is built",
        )
    if _FOREIGN in known:
        return _failure(
            f'"{program}" in the image "{image}" is no program for this node\'s kind of machine',
            "build the image for the platform of the node (docker build --platform); `bacalhau node"
            " list --show version` shows it. A script needs a first line such as #!/bin/sh",
        )
    return _failure(f'"{program}" in the image "{image}": {why}', "")


def _not_mounted(target: str, image: str) -> ExecutionError:
    return _failure(
        f'one of "{target}" in the image "{image}" and the input or result path there is a file, '
        "and the other a directory",
        "choose another Target or Path; a single object is mounted as a file where Target ends with"
        " its name and that has a dot, such as /data/a.csv, and as a directory elsewhere",
    )


def _failure(reason: str, hint: str) -> ExecutionError:
    return ExecutionError(f"failed to start container: {reason}", hint=hint, component=COMPONENT)
