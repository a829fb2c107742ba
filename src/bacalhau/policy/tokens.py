"""Tokens: what a client shows after it has proved who it is (spec security.md 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.errors import Code, UserError
from bacalhau.policy.grant import Grant, Permission

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from bacalhau.ports import Clock

LIFETIME_SECONDS = 30 * 24 * 3600
ALGORITHM = "RS256"
_REQUIRED = ["aud", "exp", "iat", "iss"]
_EVERYTHING = Permission.READ | Permission.WRITE | Permission.DOWNLOAD | Permission.CANCEL


class TokenError(UserError):
    """A token that is not valid here."""

    default_code = Code.UNAUTHORIZED


class Tokens:
    """Signs and reads tokens in the name of one node."""

    def __init__(
        self,
        *,
        node_id: str,
        key: Callable[[], RSAPrivateKey],
        clock: Clock,
        lifetime_seconds: int = LIFETIME_SECONDS,
    ) -> None:
        self._node_id = node_id
        self._key = key
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds

    def token_for(self, grant: Grant) -> str:
        """Return a token that carries a grant.

        Times in it are whole seconds, as the standard says; those of v1.5 are a million times that.
        """
        import jwt

        now = self._now()
        claims: dict[str, Any] = {
            "iss": self._node_id,
            "aud": [self._node_id],
            "iat": now,
            "exp": now + self._lifetime_seconds,
            "ns": {name: int(found) for name, found in grant.namespaces.items()},
        }
        if grant.subject:
            claims["sub"] = grant.subject
        if grant.is_admin:
            claims["admin"] = True
        return jwt.encode(claims, self._key(), ALGORITHM)

    def grant_of(self, token: str) -> Grant:
        """Return what a token carries.

        Raises:
            TokenError: it is damaged, of another node, or too old.
        """
        import jwt

        try:
            claims = jwt.decode(
                token,
                self._key().public_key(),
                [ALGORITHM],
                audience=self._node_id,
                issuer=self._node_id,
                # The library would look at a clock of its own.
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as exc:
            raise TokenError(f"the token is not one of this server: {exc}") from exc
        _check_times(claims, self._now())
        return Grant(
            subject=str(claims.get("sub", "")),
            namespaces=_namespaces(claims.get("ns")),
            is_admin=claims.get("admin") is True,
        )

    def _now(self) -> int:
        return self._clock.now_ns() // 1_000_000_000


def _check_times(claims: dict[str, Any], now: int) -> None:
    expires = claims["exp"]
    if isinstance(expires, bool) or not isinstance(expires, int):
        raise TokenError("the token is not one of this server: exp is no number of seconds")
    if expires <= now:
        raise TokenError("the token has expired")


def _namespaces(claim: object) -> dict[str, Permission]:
    if not isinstance(claim, dict):
        raise TokenError("the token is not one of this server: it has no ns")
    found = {}
    for name, number in claim.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise TokenError("the token is not one of this server: ns holds no numbers")
        found[name] = Permission(number & int(_EVERYTHING))
    return found
