"""Ways to prove who one is (spec security.md 3.2, 3.3, 4.3)."""

from __future__ import annotations

import base64
import hmac
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from bacalhau.errors import Code, UserError
from bacalhau.lib.threads import run_to_end
from bacalhau.models.auth import ChallengeAnswer
from bacalhau.models.decode import decode_json, parse_json
from bacalhau.policy.grant import own_namespace
from bacalhau.policy.passwords import is_password

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from bacalhau.policy.challenge import Challenges
    from bacalhau.policy.grant import Grant
    from bacalhau.policy.policy_file import Asked

_NOBODY = ("", base64.b64encode(b"nobody's salt").decode())


class CredentialsError(UserError):
    """The proof is in order as such, and not good enough."""

    default_code = Code.UNAUTHORIZED


class Method(Protocol):
    """One way to log in.

    Attributes:
        type: How it works, in a word that clients know.
    """

    type: str

    def params(self) -> dict[str, Any]:
        """Return what a client has to know, anew for each attempt."""
        ...

    async def grant(self, data: bytes) -> Grant:
        """Return what the author of a proof may do.

        Raises:
            CredentialsError: nothing; says why.
            UserError: the proof is not of the form that this method wants.
        """
        ...


class SignedChallenge:
    """Whoever signs a challenge is who has that key. Without ``clients``, any key will do."""

    type = "challenge"

    def __init__(self, challenges: Challenges, clients: Mapping[str, Grant] | None = None) -> None:
        self._challenges = challenges
        self._clients = clients

    def params(self) -> dict[str, Any]:
        """Return a new challenge; see ``Method``."""
        return {"InputPhrase": base64.b64encode(self._challenges.phrase()).decode()}

    async def grant(self, data: bytes) -> Grant:
        """Judge a signature; see ``Method``.

        Raises:
            ChallengeError: the signature is not one of an open challenge.
        """
        answer = decode_json(ChallengeAnswer, data)
        client_id = self._challenges.client_id(answer.public_key, answer.phrase_signature)
        if self._clients is None:
            return own_namespace(client_id)
        if client_id not in self._clients:
            raise CredentialsError(
                f"signature verified but user credentials rejected: {client_id} is not on the list"
            )
        return self._clients[client_id]


class Answers:
    """Questions to people: a name and a password, or a secret that several share."""

    type = "ask"

    def __init__(self, asked: Asked, executor: Executor) -> None:
        self._asked = asked
        self._executor = executor

    def params(self) -> dict[str, Any]:
        """Return a JSON schema of the answers; see ``Method``."""
        hidden = {"type": "string", "writeOnly": True}
        if self._asked.secret:
            properties: dict[str, Any] = {"token": hidden}
        else:
            properties = {"username": {"type": "string"}, "password": hidden}
        return {"type": "object", "properties": properties, "required": list(properties)}

    async def grant(self, data: bytes) -> Grant:
        """Judge answers; see ``Method``."""
        answers = _texts(data)
        if self._asked.secret:
            given = answers.get("token", "").encode()
            if not hmac.compare_digest(given, self._asked.secret.encode()):
                raise CredentialsError("credentials rejected")
            return self._asked.secret_grant
        user = self._asked.users.get(answers.get("username", ""))
        # Nobody can tell by the time it takes whether there is such a user.
        kept, salt = (user.hash, user.salt) if user is not None else _NOBODY
        judge = partial(is_password, answers.get("password", ""), kept, salt)
        is_right = await run_to_end(self._executor, judge)
        if user is None or not is_right:
            raise CredentialsError("credentials rejected")
        return user.grant


def _texts(data: bytes) -> dict[str, str]:
    answers = parse_json(data)
    if not isinstance(answers, dict) or not all(isinstance(text, str) for text in answers.values()):
        raise UserError(
            "invalid authentication data: expected an object of texts", fields=["MethodData"]
        )
    return answers
