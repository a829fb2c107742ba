"""Tokens: what is put in comes out, and nobody else's counts (spec security.md T-C6, T-C9)."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bacalhau.policy.grant import OWNER, Grant, Permission
from bacalhau.policy.tokens import TokenError, Tokens

KEY = rsa.generate_private_key(65537, 2048)
NOW = 1_800_000_000


class HandClock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def monotonic(self) -> float:
        return self.now

    def now_ns(self) -> int:
        return int(self.now * 1e9)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def tokens(clock: HandClock) -> Tokens:
    return Tokens(node_id="n-1", key=lambda: KEY, clock=clock, lifetime_seconds=60)


def forged(key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {"iss": "n-1", "aud": ["n-1"], "iat": NOW, "exp": NOW + 60, "ns": {"*": 15}}
    claims.update(changes)
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm)


@pytest.mark.parametrize(
    "grant",
    [
        Grant(),
        Grant(subject="alice", namespaces={"*": Permission.READ, "alice": OWNER}, is_admin=True),
    ],
)
def test_a_token_carries_its_grant(tokens: Tokens, grant: Grant) -> None:
    assert tokens.grant_of(tokens.token_for(grant)) == grant


def test_a_token_grows_old_by_the_clock_of_the_server(tokens: Tokens, clock: HandClock) -> None:
    token = tokens.token_for(Grant())
    clock.now += 59
    tokens.grant_of(token)
    clock.now += 1
    with pytest.raises(TokenError, match="has expired"):
        tokens.grant_of(token)


def public_pem() -> bytes:
    return KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "\x00",
        forged(rsa.generate_private_key(65537, 2048)),
        forged(aud=["n-2"]),
        forged(iss="n-2"),
        forged(exp=None),
        forged(aud=None),
        forged(iat=None),
        forged(exp=True),
        forged(exp="soon"),
        forged(ns=None),
        forged(ns={"*": "15"}),
        forged(ns={"*": True}),
        forged(sub=7),
        jwt.encode({"iss": "n-1", "aud": "n-1", "iat": 1, "exp": NOW + 9, "ns": {}}, "", "none"),
    ],
    ids=[
        *("empty", "a letter", "three letters", "NUL"),
        *("other key", "other audience", "other issuer"),
        *("no end", "no audience", "no beginning", "end is true", "end is a word"),
        *("no namespaces", "namespaces are text", "namespaces are true", "subject is a number"),
        "not signed",
    ],
)
def test_other_tokens_are_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(TokenError):
        tokens.grant_of(token)


def test_the_public_key_is_no_shared_secret(tokens: Tokens) -> None:
    """With HS256 and the public key, which everybody may know, nothing can be signed."""
    import base64
    import hashlib
    import hmac
    import json

    def part(data: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")

    claims = {"iss": "n-1", "aud": ["n-1"], "iat": NOW, "exp": NOW + 60, "ns": {"*": 15}}
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    digest = hmac.new(public_pem(), signed, hashlib.sha256).digest()
    token = signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")
    with pytest.raises(TokenError):
        tokens.grant_of(token.decode())


def test_permissions_that_nobody_knows_are_dropped(tokens: Tokens) -> None:
    assert tokens.grant_of(forged(ns={"*": 255})).namespaces == {"*": OWNER}
