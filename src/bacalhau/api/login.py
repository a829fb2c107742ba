"""Ways to log in (spec api.md 3.4). Go clients do so before their first request."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from bacalhau.errors import NotFoundError, UserError
from bacalhau.models.auth import Authentication, AuthMethod
from bacalhau.policy.challenge import ChallengeError
from bacalhau.policy.methods import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.models.auth import AuthRequest
    from bacalhau.policy.methods import Method
    from bacalhau.policy.tokens import Tokens

_COMPONENT = "Auth"


class Login:
    """Offers the configured methods, by their names in lower case, and gives tokens for proofs."""

    def __init__(self, *, methods: Mapping[str, Method], tokens: Tokens) -> None:
        self._methods = methods
        self._tokens = tokens

    def methods(self) -> dict[str, AuthMethod]:
        """Return all methods by name, each with what a client has to know."""
        return {name: self.method(name) for name in self._methods}

    def method(self, name: str) -> AuthMethod:
        """Return one method.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = self._find(name)
        return AuthMethod(type=found.type, params=found.params())

    async def authenticate(self, name: str, request: AuthRequest) -> Authentication:
        """Judge a proof.

        Raises:
            NotFoundError: there is no such method.
            UserError: the proof is not of the form that the method wants.
        """
        method = self._find(name)
        try:
            grant = await method.grant(_method_data(request))
        except (ChallengeError, CredentialsError) as error:
            return Authentication(success=False, reason=error.message)
        return Authentication(success=True, token=self._tokens.token_for(grant))

    def _find(self, name: str) -> Method:
        if name in self._methods:
            return self._methods[name]
        known = ", ".join(self._methods)
        raise NotFoundError(
            f"there is no authentication method {name}",
            hint=f"this server offers {known}" if known else "this server offers none",
            component=_COMPONENT,
        )


def _method_data(request: AuthRequest) -> bytes:
    try:
        return base64.b64decode(request.method_data, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise UserError(
            "invalid authentication data: MethodData is not base64",
            component=_COMPONENT,
            fields=["MethodData"],
        ) from exc
