"""Requests and responses of the authentication part of the API (spec api.md 3.4)."""

from __future__ import annotations

from typing import Any

import msgspec

from bacalhau.models._naming import Model, always, always_dict


class AuthMethod(Model, frozen=True, kw_only=True):
    """One way to prove who one is; ``params`` says what is asked for."""

    type: str = msgspec.field(name="type")
    params: dict[str, Any] = msgspec.field(name="params")


class ListAuthMethodsResponse(Model, frozen=True, kw_only=True):
    """All ways, by name."""

    next_token: str = always("")
    methods: dict[str, AuthMethod] = always_dict()


class AuthRequest(Model, frozen=True, kw_only=True):
    """A proof; ``method_data`` is base64 of the JSON that the method wants."""

    name: str = always("")
    method_data: str = always("")


class ChallengeAnswer(Model, frozen=True, kw_only=True):
    """What the method ``challenge`` wants: base64 of a signature and of the key that it is of."""

    phrase_signature: str = always("")
    public_key: str = always("")


class Authentication(Model, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a proof: a token, or the reason why there is none."""

    success: bool = always(False, name="success")
    reason: str = msgspec.field(default="", name="reason")
    token: str = msgspec.field(default="", name="token")


class AuthResponse(Model, frozen=True, kw_only=True):
    """The answer to a proof."""

    authentication: Authentication
