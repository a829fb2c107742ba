"""Proving an identity by signing what the server makes up (spec security.md 3.2, T-C7).

A challenge counts once and for five minutes, and names the server that it is for: an answer that
somebody has listened to is worth nothing, and clients can tell for whom they sign.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from bacalhau.errors import Code, UserError
from bacalhau.policy.token_key import KEY_BITS, PUBLIC_EXPONENT

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from bacalhau.ports import Clock, Ids

LIFETIME_SECONDS = 300.0
KEY_BITS_MAX = 8192
OPEN_LIMIT = 50_000
"""Most challenges that wait for an answer; older ones are dropped for newer ones."""


class ChallengeError(UserError):
    """The client did not prove who it is."""

    default_code = Code.UNAUTHORIZED


class Challenges:
    """Hands out challenges, and judges what comes back."""

    def __init__(self, *, node_id: str, clock: Clock, ids: Ids) -> None:
        self._node_id = node_id
        self._clock = clock
        self._ids = ids
        # By the hash that a signature reveals, as answers do not say which challenge they are for.
        self._open: OrderedDict[bytes, float] = OrderedDict()

    def phrase(self) -> bytes:
        """Return a new text to sign."""
        text = f"log in to bacalhau node {self._node_id} once: {self._ids.uuid()}".encode()
        now = self._clock.monotonic()
        self._drop_old(now)
        self._open[hashlib.sha256(text).digest()] = now + LIFETIME_SECONDS
        return text

    def client_id(self, public_key: str, signature: str) -> str:
        """Return who has signed an open challenge, which is then closed.

        Args:
            public_key: Base64 of an RSA public key, PKCS #1 in DER.
            signature: Base64 of the signature, PKCS #1 v1.5 with SHA-256.

        Raises:
            ChallengeError: the key is too small or too large, or the signature is not one of an
                open challenge.
            UserError: code ``BadRequest``: not base64, or no RSA public key.
        """
        key = _public_key(_decoded(public_key, "PublicKey"))
        is_usual_size = KEY_BITS <= key.key_size <= KEY_BITS_MAX
        if not is_usual_size or key.public_numbers().e != PUBLIC_EXPONENT:
            raise ChallengeError(
                f"the key must be an RSA key of {KEY_BITS} to {KEY_BITS_MAX} bits "
                f"with the exponent {PUBLIC_EXPONENT}"
            )
        self._close(key, _decoded(signature, "PhraseSignature"))
        modulus = key.public_numbers().n
        return hashlib.sha256(modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")).hexdigest()

    def _close(self, key: RSAPublicKey, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        try:
            signed = key.recover_data_from_signature(signature, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as exc:
            raise ChallengeError("the signature is not one of this key") from exc
        expires = self._open.pop(signed, 0.0)
        if expires <= self._clock.monotonic():
            raise ChallengeError("the challenge is unknown, has been answered, or is too old")

    def _drop_old(self, now: float) -> None:
        while self._open:
            oldest = next(iter(self._open))
            if self._open[oldest] > now and len(self._open) < OPEN_LIMIT:
                return
            del self._open[oldest]


def _public_key(data: bytes) -> RSAPublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise UserError("PublicKey is no public key", fields=["PublicKey"]) from exc
    if not isinstance(key, rsa.RSAPublicKey):
        raise UserError("PublicKey is no RSA key", fields=["PublicKey"])
    return key


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise UserError(f"{field} is not base64", fields=[field]) from exc
