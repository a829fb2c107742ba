"""The key with which a node signs its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bacalhau.errors import UserError
from bacalhau.lib.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

KEY_BITS = 2048
PUBLIC_EXPONENT = 65_537


def token_key(path: Path) -> rsa.RSAPrivateKey:
    """Return the key in a file, which is made with a new one when it is missing.

    It signs tokens and nothing else: a key that also proved an identity would let a server have
    tokens signed as challenges. Removing the file makes all tokens given out so far worthless.

    Raises:
        UserError: the file cannot be read or written, or holds no RSA key.
    """
    try:
        if path.exists():
            return _read(path)
        key = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
        write_atomically(path, _pem(key), 0o600)
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    return key


def _read(path: Path) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise _unusable(path, "it holds no unencrypted private key") from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(path, "its key is not an RSA key")
    return key


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"the key for tokens in {path} cannot be used: {reason}",
        code="ConfigurationError",
        hint="remove the file, and a new key is made; clients then have to log in again",
        component="Auth",
    )
