"""Tokens: what a client shows after it has proved who it is (spec security.md 4.4)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import jwt

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from bacalhau.ports import Clock

LIFETIME_SECONDS = 30 * 24 * 3600
ALGORITHM = "RS256"


class Permission(enum.IntFlag):
    """What may be done in a namespace."""

    READ = 1
    WRITE = 2
    DOWNLOAD = 4
    CANCEL = 8


EVERYBODY = Permission.READ | Permission.DOWNLOAD
OWNER = EVERYBODY | Permission.WRITE | Permission.CANCEL


class TokenIssuer:
    """Signs tokens in the name of one node."""

    def __init__(self, *, node_id: str, key: RSAPrivateKey, clock: Clock) -> None:
        self._node_id = node_id
        self._key = key
        self._clock = clock

    def token_for(self, client_id: str) -> str:
        """Return a token with which a client may read everything, and do anything of its own.

        Times in it are whole seconds, as the standard says; those of v1.5 are a million times that.
        """
        now = self._clock.now_ns() // 1_000_000_000
        claims = {
            "iss": self._node_id,
            "aud": [self._node_id],
            "sub": client_id,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "ns": {"*": int(EVERYBODY), client_id: int(OWNER)},
        }
        return jwt.encode(claims, self._key, ALGORITHM)
