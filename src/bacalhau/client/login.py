"""Logging in when a server asks for a token (spec cli.md 7.2, security.md 6).

Unlike the original, which logs in before its first request to any server, this is done when a
server refuses a request without a valid token; servers that let everybody in are never asked.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from bacalhau.client import requests
from bacalhau.client.failures import COMPONENT, failure_from_answer
from bacalhau.client.proof import proof_of
from bacalhau.client.requests import decode
from bacalhau.errors import Code, InternalError, NotSupportedError, UserError
from bacalhau.models.auth import Authentication, AuthMethod, AuthResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bacalhau.client.requests import Request

    Exchange = Callable[[Request[Any]], tuple[int, bytes]]
    """Sends a request without a token; returns status and body."""

T = TypeVar("T")

_SUPPORTED = ("challenge", "ask")
_ATTEMPTS = 3


class Prompter(Protocol):
    """Asks a person."""

    def choose(self, names: Sequence[str]) -> str:
        """Return one of several ways to log in, or an empty text for none of them."""
        ...

    def ask(self, name: str, *, is_hidden: bool) -> str | None:
        """Return what somebody answers, or None when nobody does."""
        ...

    def tell(self, text: str) -> None:
        """Say something."""
        ...


def log_in(exchange: Exchange, key_file: Path, prompter: Prompter) -> str:
    """Return a new token, or an empty text when the person does not want one.

    Raises:
        NotSupportedError: the server offers no way that this program knows.
        BacalhauError: the server cannot be asked; or it does not accept our key.
    """
    for _ in range(_ATTEMPTS):
        methods = _call(exchange, requests.auth_methods()).methods
        name = _choose(methods, prompter)
        data = _proof(methods[name], key_file, prompter) if name else None
        if data is None:
            return ""
        outcome = _authenticate(exchange, name, data)
        if outcome.success:
            return outcome.token
        if methods[name].type == "challenge":
            # Another attempt would be the same one.
            raise _refused(outcome.reason)
        prompter.tell(f"The server refuses: {outcome.reason}")
    raise _refused("too many attempts")


def _choose(methods: Mapping[str, AuthMethod], prompter: Prompter) -> str:
    usable = [name for name, method in methods.items() if method.type in _SUPPORTED]
    if not usable:
        offered = ", ".join(f"{name} ({method.type})" for name, method in methods.items())
        raise NotSupportedError(
            "the server asks for a token, and there is no way to get one: it offers "
            f"{offered or 'none'}, and this program knows {' and '.join(_SUPPORTED)}",
            hint="ask the operator of the server how to log in",
            component=COMPONENT,
        )
    return usable[0] if len(usable) == 1 else prompter.choose(usable)


def _proof(method: AuthMethod, key_file: Path, prompter: Prompter) -> Mapping[str, str] | None:
    if method.type == "ask":
        return _answers(method.params, prompter)
    try:
        phrase = base64.b64decode(str(method.params.get("InputPhrase", "")), validate=True)
    except binascii.Error as exc:
        raise _malformed("its challenge is not base64") from exc
    return proof_of(phrase, key_file)


def _answers(schema: Mapping[str, Any], prompter: Prompter) -> dict[str, str] | None:
    properties, names = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(names, list):
        raise _malformed("its questions are no JSON schema")
    answers = {}
    for name in names:
        question = properties.get(name)
        kind = question.get("type") if isinstance(question, dict) else None
        if not isinstance(question, dict) or kind in (None, "object"):
            raise _malformed(f'its question "{name}" has no type that can be answered')
        answer = prompter.ask(str(name), is_hidden=question.get("writeOnly") is True)
        if answer is None:
            return None
        answers[str(name)] = answer
    return answers


def _authenticate(exchange: Exchange, name: str, data: Mapping[str, str]) -> Authentication:
    request = requests.authenticate(name, msgspec.json.encode(data))
    status, body = exchange(request)
    if status not in (200, 401):
        raise failure_from_answer(status, body)
    try:
        return msgspec.json.decode(body, type=AuthResponse).authentication
    except msgspec.DecodeError as exc:
        raise _malformed(f"its answer was not understood: {exc}") from exc


def _call(exchange: Exchange, request: Request[T]) -> T:
    status, body = exchange(request)
    return decode(request, status, body)


def _refused(reason: str) -> UserError:
    return UserError(
        f"unauthorized: the server does not let us log in: {reason}",
        code=Code.UNAUTHORIZED,
        hint="ask the operator of the server to let you in",
        component=COMPONENT,
    )


def _malformed(reason: str) -> InternalError:
    return InternalError(
        f"logging in failed: {reason}",
        code=Code.DECODE,
        hint="check with `bacalhau version` that client and server fit together",
        component=COMPONENT,
    )
