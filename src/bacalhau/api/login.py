"""Ways to log in (spec api.md 3.4). Go clients do so before their first request."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from bacalhau.errors import NotFoundError, UserError
from bacalhau.models.auth import Authentication, AuthMethod, AuthRequest, ChallengeAnswer
from bacalhau.models.decode import decode_json
from bacalhau.policy.challenge import ChallengeError

if TYPE_CHECKING:
    from bacalhau.policy.challenge import Challenges
    from bacalhau.policy.tokens import TokenIssuer

METHOD = "clientkey"
_COMPONENT = "Auth"


class Login:
    """Offers the one method ``clientkey``: whoever signs a challenge is who has that key."""

    def __init__(self, *, challenges: Challenges, tokens: TokenIssuer) -> None:
        self._challenges = challenges
        self._tokens = tokens

    def methods(self) -> dict[str, AuthMethod]:
        """Return all methods by name, each with a new challenge."""
        return {METHOD: self.method(METHOD)}

    def method(self, name: str) -> AuthMethod:
        """Return one method.

        Raises:
            NotFoundError: there is none of this name.
        """
        _check(name)
        phrase = base64.b64encode(self._challenges.phrase()).decode()
        return AuthMethod(type="challenge", params={"InputPhrase": phrase})

    def authenticate(self, name: str, request: AuthRequest) -> Authentication:
        """Judge a proof.

        Raises:
            NotFoundError: there is no such method.
            UserError: the proof is not of the form that the method wants.
        """
        _check(name)
        answer = decode_json(ChallengeAnswer, _method_data(request))
        try:
            client_id = self._challenges.client_id(answer.public_key, answer.phrase_signature)
        except ChallengeError as error:
            return Authentication(success=False, reason=error.message)
        return Authentication(success=True, token=self._tokens.token_for(client_id))


def _check(name: str) -> None:
    if name != METHOD:
        raise NotFoundError(
            f"there is no authentication method {name}",
            hint=f"this server offers {METHOD}",
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
