"""Errors of one execution: said where they happened, and kept from taking the node down."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError, InternalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models import ExecutionID

COMPONENT = "ComputeNode"

log = structlog.get_logger()


@contextlib.contextmanager
def told_as(prefix: str) -> Iterator[None]:
    """Put a text before the message of an error; its code, hint and details stay."""
    try:
        yield
    except BacalhauError as exc:
        exc.message = f"{prefix}{exc.message}"
        raise


@contextlib.contextmanager
def defects_contained(execution_id: ExecutionID, prefix: str = "") -> Iterator[None]:
    """Turn what nobody foresaw into an error of this one execution, and log where it came from.

    Plug-ins are anybody's code. Without this, the first mistake in one of them would end the node,
    and again at every start, because the execution would be taken up again.

    Raises:
        InternalError: in place of an exception that is not ours.
    """
    try:
        yield
    except BacalhauError:
        raise
    except Exception as exc:
        log.exception("plugin_defect", execution_id=execution_id)
        raise InternalError(
            f"{prefix}{type(exc).__name__}: {exc}",
            hint="this is a defect of the node or of a plug-in; the node's log has the details",
            component=COMPONENT,
            retryable=True,
        ) from exc
