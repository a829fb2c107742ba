"""What the Docker daemon says, in our words (spec engines.md 2.11)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiodocker.exceptions import DockerError

from bacalhau.errors import BacalhauError, Code, ExecutionError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

COMPONENT = "Docker"
NOT_CONNECTED = 900
"""The status that aiodocker gives to a daemon that cannot be reached."""

_NOT_FOUND = 404
_HTTP_SERVER_ERROR = 500
_CODES = {
    400: Code.INVALID_PARAMETER,
    401: Code.UNAUTHORIZED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    409: Code.CONFLICT,
    500: Code.SYSTEM,
    501: Code.NOT_IMPLEMENTED,
    503: Code.DOCKER_UNAVAILABLE,
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
            code=Code.DEADLINE,
            component=COMPONENT,
        ) from exc
    except aiohttp.ClientError as exc:
        raise connection_lost(exc, action) from exc


def docker_error(exc: DockerError, action: str) -> BacalhauError:
    """Translate an answer of the daemon."""
    if exc.status == NOT_CONNECTED:
        return connection_lost(exc, action)
    message = f"{action}: {exc.message}"
    code = _CODES.get(exc.status, Code.UNKNOWN)
    if exc.status >= _HTTP_SERVER_ERROR or exc.status == 0:
        return TransientError(message, code=code, component=COMPONENT)
    return ExecutionError(message, code=code, component=COMPONENT)


def connection_lost(exc: Exception, action: str) -> TransientError:
    """Translate that the daemon cannot be reached."""
    detail = exc.message if isinstance(exc, DockerError) else str(exc) or type(exc).__name__
    return TransientError(
        f"{action}: {detail}",
        code=Code.DOCKER_UNAVAILABLE,
        hint="check on the node that the Docker daemon runs, and DOCKER_HOST",
        component=COMPONENT,
    )


def create_error(exc: DockerError, image: str) -> BacalhauError:
    """Translate the refusal to create a container."""
    if exc.status == _NOT_FOUND:
        return image_error(exc, image)
    if "bind source path does not exist" in exc.message:
        return TransientError(
            f"the Docker daemon does not see this node's files: {exc.message}",
            code=Code.NOT_FOUND,
            hint="the daemon must run on the node itself; see DOCKER_HOST",
            component=COMPONENT,
        )
    if exc.status != NOT_CONNECTED:
        for mark, hint in _FAULTS_OF_CREATION.items():
            if mark in exc.message:
                return at_fault(f"create the container: {exc.message}", hint)
    return docker_error(exc, "create the container")


_FAULTS_OF_CREATION = {
    "No command specified": "the image names no program: name one in Parameters or Entrypoint",
    "Minimum memory limit": "raise Resources.Memory of the task (--memory), such as to 64Mb; a"
    " number without a unit is bytes",
    "is not a directory": "WorkingDirectory, or the one of the image, must be a directory",
}


def at_fault(message: str, hint: str) -> ExecutionError:
    """Tell what no other attempt would change, though the daemon calls it a problem of its own."""
    return ExecutionError(message, code=Code.INVALID_PARAMETER, hint=hint, component=COMPONENT)


def image_error(exc: DockerError, image: str) -> BacalhauError:
    """Translate why an image, or what the registry knows of it, cannot be had."""
    text = exc.message.lower()
    details = {"Image": image}
    if "toomanyrequests" in text or "too many requests" in text:
        return TransientError(
            f'the registry limits how often images are pulled: "{image}": {exc.message}',
            code=Code.TOO_MANY_REQUESTS,
            hint="wait, or log in on the node: docker login, its setting"
            " Engines.Types.Docker.Registries, or DOCKER_USERNAME and DOCKER_PASSWORD",
            component=COMPONENT,
            details=details,
        )
    if "invalid reference format" in text:
        return ExecutionError(
            f'invalid image format: "{image}"',
            code=Code.IMAGE_INVALID,
            hint="write [REGISTRY/]NAME[:TAG][@DIGEST] in lower case",
            component=COMPONENT,
            details=details,
        )
    if exc.status in (401, 403, 404) or any(mark in text for mark in _ABSENT):
        return ExecutionError(
            f'image not available: "{image}"',
            code=Code.IMAGE_NOT_FOUND,
            hint="check that the image's name is right and that the registry has it; for a private"
            " image log in on the node (docker login), name a user in its setting"
            " Engines.Types.Docker.Registries, or for Docker Hub set DOCKER_USERNAME and"
            " DOCKER_PASSWORD there",
            component=COMPONENT,
            details={**details, "Reason": exc.message},
        )
    if exc.status == NOT_CONNECTED:
        return connection_lost(exc, f'look for the image "{image}"')
    return TransientError(
        f'cannot get the image "{image}": {exc.message}',
        code=Code.SYSTEM,
        hint="check that the node reaches the image's registry",
        component=COMPONENT,
        details=details,
    )


def foreign(image: str, platform: str, wanted: Collection[str]) -> ExecutionError:
    """Tell that an image is for machines of another kind than the node."""
    return ExecutionError(
        f'the image "{image}" is for {platform}, and this node runs {", ".join(wanted)}',
        code=Code.IMAGE_PLATFORM,
        hint="build or pull the image for the platform of the node (docker build --platform); a"
        " node that emulates another one names it in Engines.Types.Docker.ExtraPlatforms",
        component=COMPONENT,
        details={"Image": image},
    )


def not_here(image: str) -> ExecutionError:
    """Tell that an image is not on the node, which may not pull it."""
    return ExecutionError(
        f'image not available: "{image}" is not on this node, and may not be pulled',
        code=Code.IMAGE_NOT_FOUND,
        hint="pull it on the node, or let it be pulled: PullPolicy IfNotPresent, and no"
        " SKIP_IMAGE_PULL in the node's environment",
        component=COMPONENT,
        details={"Image": image},
    )


_ABSENT = (
    "manifest unknown",
    "not found",
    "no such image",
    "pull access denied",
    "repository does not exist",
    "no basic auth credentials",
    "unauthorized",
    "authentication required",
    "access to the resource is denied",
)
