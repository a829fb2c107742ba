"""What the Docker daemon says, in our words (spec engines.md 2.11)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiodocker.exceptions import DockerError

from bacalhau.errors import BacalhauError, ExecutionError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPONENT = "Docker"
NOT_CONNECTED = 900
"""The status that aiodocker gives to a daemon that cannot be reached."""

_HTTP_SERVER_ERROR = 500
_CODES = {
    400: "InvalidParameter",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    500: "SystemError",
    501: "NotImplemented",
    503: "Unavailable",
}


@contextmanager
def translated(
    action: str, refusal: Callable[[DockerError], BacalhauError] | None = None
) -> Iterator[None]:
    """Turn errors of the daemon into ours.

    ``action`` says what failed, such as "create the container". ``refusal`` translates answers of
    the daemon where there is something better to say than what it said.

    Raises:
        TransientError: the daemon does not answer, or has a problem of its own.
        ExecutionError: it refuses what it was asked for.
    """
    try:
        yield
    except DockerError as exc:
        raise (refusal(exc) if refusal else docker_error(exc, action)) from exc
    except TimeoutError as exc:
        raise TransientError(
            f"{action}: the Docker daemon did not answer in time",
            code="Deadline",
            component=COMPONENT,
        ) from exc
    except aiohttp.ClientError as exc:
        raise connection_lost(exc, action) from exc


def docker_error(exc: DockerError, action: str) -> BacalhauError:
    """Translate an answer of the daemon."""
    if exc.status == NOT_CONNECTED:
        return connection_lost(exc, action)
    message = f"{action}: {exc.message}"
    code = _CODES.get(exc.status, "UnknownError")
    if exc.status >= _HTTP_SERVER_ERROR or exc.status == 0:
        return TransientError(message, code=code, component=COMPONENT)
    return ExecutionError(message, code=code, component=COMPONENT)


def connection_lost(exc: Exception, action: str) -> TransientError:
    """Translate that the daemon cannot be reached."""
    detail = exc.message if isinstance(exc, DockerError) else str(exc) or type(exc).__name__
    return TransientError(
        f"{action}: {detail}",
        code="Unavailable",
        hint="check on the node that the Docker daemon runs, and DOCKER_HOST",
        component=COMPONENT,
    )


def start_error(exc: DockerError) -> BacalhauError:
    """Translate the refusal to start a container."""
    if exc.status != NOT_CONNECTED and (
        exc.status < _HTTP_SERVER_ERROR or "OCI runtime" in exc.message
    ):
        return not_started(exc.message)
    return docker_error(exc, "start the container")


def not_started(detail: str) -> ExecutionError:
    """Tell that a container could not start; most often the job names no program."""
    is_missing = any(mark in detail for mark in _NO_PROGRAM)
    reason = "executable file not found" if is_missing else "failed to start container"
    return ExecutionError(
        f"failed to start container: {reason}: {detail}",
        hint="the image must have the program that Entrypoint and Parameters name"
        if is_missing
        else "",
        component=COMPONENT,
    )


_NO_PROGRAM = ("executable file not found", "No such file or directory")


def image_error(exc: DockerError, image: str) -> BacalhauError:
    """Translate why an image, or what the registry knows of it, cannot be had."""
    text = exc.message.lower()
    details = {"Image": image}
    if "toomanyrequests" in text or "too many requests" in text:
        return TransientError(
            f'the registry limits how often images are pulled: "{image}": {exc.message}',
            code="TooManyRequests",
            hint="wait, or set DOCKER_USERNAME and DOCKER_PASSWORD on the node",
            component=COMPONENT,
            details=details,
        )
    if "invalid reference format" in text:
        return ExecutionError(
            f'invalid image format: "{image}"',
            code="ImageInvalid",
            hint="write [REGISTRY/]NAME[:TAG][@DIGEST] in lower case",
            component=COMPONENT,
            details=details,
        )
    if exc.status in (401, 403, 404) or any(mark in text for mark in _ABSENT):
        return ExecutionError(
            f'image not available: "{image}"',
            code="ImageNotFound",
            hint="check that the image's name is right and that the registry has it; for a private"
            " image set DOCKER_USERNAME and DOCKER_PASSWORD on the node",
            component=COMPONENT,
            details={**details, "Reason": exc.message},
        )
    if exc.status == NOT_CONNECTED:
        return connection_lost(exc, f'look for the image "{image}"')
    return TransientError(
        f'cannot get the image "{image}": {exc.message}',
        code="SystemError",
        hint="check that the node reaches the image's registry",
        component=COMPONENT,
        details=details,
    )


_ABSENT = ("manifest unknown", "not found", "pull access denied", "repository does not exist")
