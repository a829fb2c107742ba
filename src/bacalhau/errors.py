"""The exception tree.

Every error that a user can meet is one of these. The same class is raised on the server, carried
as JSON (spec api.md 4.1) and raised again by the client. What it is stands in the catalogue of
codes, :mod:`bacalhau.error_codes`::

    BacalhauError
    ├── UserError        bad input, not found, conflict, forbidden: the caller can change it
    ├── TransientError   a retry makes sense
    ├── UnsuitableNodeError   this node cannot, another may
    ├── ExecutionError   the user's workload failed
    └── InternalError    a defect of ours
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.error_codes import Code, ForeignCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "AmbiguousError",
    "BacalhauError",
    "Code",
    "ConflictError",
    "ExecutionError",
    "ForbiddenError",
    "ForeignCode",
    "InternalError",
    "NotFoundError",
    "NotSupportedError",
    "StaleWriteError",
    "TransientError",
    "UnsuitableNodeError",
    "UserError",
    "ValidationError",
]


class BacalhauError(Exception):
    """An error with a stable code, a message for people and, where there is one, a remedy.

    Attributes:
        code: A row of the catalogue, such as ``NotFound`` (spec api.md 4.1), or a code of others.
        message: One or more lines for people.
        hint: What to do about it; empty when nothing better than the message is known.
        component: The part that raised it, such as ``JobStore`` or ``S3InputSource``.
        fields: JSON paths of the offending input, in the order of the document.
        details: Further facts as text, such as the request id of an S3 server.
        retryable: True when the same call may succeed later or on another node.
    """

    default_code: Code = Code.INTERNAL
    default_retryable = False

    def __init__(
        self,
        message: str,
        *,
        code: Code | ForeignCode | None = None,
        hint: str = "",
        component: str = "Bacalhau",
        fields: Iterable[str] = (),
        details: Mapping[str, str] | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: Code | ForeignCode = self.default_code if code is None else code
        self.hint = hint
        self.component = component
        self.fields = tuple(fields)
        self.details = dict(details or {})
        self.retryable = self.default_retryable if retryable is None else retryable

    def __str__(self) -> str:
        return self.message


class UserError(BacalhauError):
    """Bad input; see the subclasses for the kinds that callers tell apart."""

    default_code = Code.BAD_REQUEST


class ValidationError(UserError):
    """A document with one or more problems, all found in one pass."""

    default_code = Code.VALIDATION


class NotFoundError(UserError):
    """The named object does not exist."""

    default_code = Code.NOT_FOUND


class AmbiguousError(UserError):
    """A shortened name that several objects share."""

    default_code = Code.MULTIPLE_FOUND


class ConflictError(UserError):
    """The object is not in a state that allows the request."""

    default_code = Code.IN_USE


class ForbiddenError(UserError):
    """The caller, or the node's credentials, may not do this."""

    default_code = Code.FORBIDDEN


class NotSupportedError(UserError):
    """Understood, but this program does not offer it."""

    default_code = Code.NOT_IMPLEMENTED


class TransientError(BacalhauError):
    """Something outside did not answer as it should; a later attempt may succeed."""

    default_code = Code.UNAVAILABLE
    default_retryable = True


class UnsuitableNodeError(BacalhauError):
    """This node cannot give a job what it asks for, but another one may.

    While a bid is worked out it makes the node refuse, with the message as the reason; later it
    fails the execution, which may then run elsewhere.
    """

    default_code = Code.UNSUITABLE_NODE
    default_retryable = True


class ExecutionError(BacalhauError):
    """The user's workload failed: it could not start, ran out of memory, or took too long."""

    default_code = Code.EXECUTION_FAILED


class InternalError(BacalhauError):
    """A defect of ours."""


class StaleWriteError(InternalError):
    """A write based on a state that has changed since it was read; load again and decide again."""

    default_code = Code.CONCURRENT_UPDATE
    default_retryable = True
