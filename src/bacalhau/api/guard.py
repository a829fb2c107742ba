"""Who may do what: tokens of requests, and what they allow (spec security.md 5).

What a request needs is judged by the endpoint that it reaches, never by the text of its path, and
by the namespace of the job that it concerns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.api.endpoints import OPEN
from bacalhau.errors import Code, ForbiddenError, UserError
from bacalhau.policy.grant import ALL_NAMESPACES, Permission
from bacalhau.policy.tokens import TokenError

if TYPE_CHECKING:
    from bacalhau.api.endpoints import Endpoint
    from bacalhau.policy.grant import Grant
    from bacalhau.policy.tokens import Tokens

_COMPONENT = "APIServer"
_SCHEME = "bearer "
_LOG_IN = "log in: GET /api/v1/auth lists the ways, and `bacalhau` does so by itself"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. Without a grant, everything is allowed."""

    grant: Grant | None = None

    @property
    def is_limited(self) -> bool:
        """True where some things may not be allowed."""
        return self.grant is not None

    def require(self, permission: Permission, namespace: str) -> None:
        """Let pass who may do something with the jobs of a namespace.

        Raises:
            ForbiddenError: the caller may not.
        """
        if self.grant is None or permission in self.grant.permission(namespace):
            return
        word = (permission.name or "").lower()
        allowed = self.grant.where(permission)
        raise ForbiddenError(
            f"Access denied. {self._name} may not {word} jobs in namespace {namespace}",
            hint=f"use a namespace in which that is allowed: {', '.join(allowed)}"
            if allowed
            else "ask the operator of the server for a token that may",
            component=_COMPONENT,
        )

    def require_admin(self) -> None:
        """Let pass who may decide on nodes.

        Raises:
            ForbiddenError: the caller may not.
        """
        if self.grant is not None and not self.grant.is_admin:
            raise ForbiddenError(
                f"Access denied. {self._name} may not decide on nodes",
                hint="only administrators may: `Admin: true` in the server's policy",
                component=_COMPONENT,
            )

    @property
    def _name(self) -> str:
        subject = self.grant.subject if self.grant is not None else ""
        return subject or "this token"


EVERYBODY = Caller()


class Guard:
    """Finds out who sends a request. Without ``tokens``, nobody is asked."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    @property
    def is_strict(self) -> bool:
        """True where callers need a token."""
        return self._tokens is not None

    def admit(self, row: Endpoint, authorization: str) -> Caller:
        """Return the caller of an endpoint by the header ``Authorization``.

        Raises:
            UserError: code ``Unauthorized``: a token is needed, and there is none that is valid.
        """
        if self._tokens is None or row.capability == OPEN:
            return EVERYBODY
        if not authorization:
            raise _unauthorized("this server asks for a token, and the request has none")
        if not authorization.lower().startswith(_SCHEME):
            raise _unauthorized("the header Authorization must be of the form Bearer TOKEN")
        try:
            return Caller(self._tokens.grant_of(authorization[len(_SCHEME) :].strip()))
        except TokenError as exc:
            raise _unauthorized(exc.message) from exc


def readable_namespace(caller: Caller, wanted: str) -> str:
    """Return the namespace whose jobs to list; who may not read all has to name one.

    Raises:
        ForbiddenError: the caller may not read that namespace, or all of them.
    """
    if caller.is_limited:
        caller.require(Permission.READ, wanted or ALL_NAMESPACES)
    return wanted


def _unauthorized(reason: str) -> UserError:
    return UserError(
        f"Invalid token. {reason[:1].upper()}{reason[1:]}",
        code=Code.UNAUTHORIZED,
        hint=_LOG_IN,
        component=_COMPONENT,
    )
