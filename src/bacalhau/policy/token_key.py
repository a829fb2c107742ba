"""The key with which a node signs its tokens."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from bacalhau.errors import Code, UserError
from bacalhau.lib.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KEY_BITS = 2048
PUBLIC_EXPONENT = 65_537
_MARK = b"PRIVATE KEY-----"


class TokenKey:
    """The key in a file, read or made when it is first asked for, by any thread.

    What reads keys takes 8 MiB, and most nodes are never asked for a token.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._key: RSAPrivateKey | None = None

    def check(self) -> None:
        """Refuse a file that cannot hold a key, with a look at it.

        Raises:
            UserError: as ``load``.
        """
        try:
            if self._path.exists() and _MARK not in self._path.read_bytes():
                raise _unusable(self._path, "it holds no unencrypted private key")
        except OSError as exc:
            raise _unusable(self._path, exc.strerror or str(exc)) from exc

    def load(self) -> RSAPrivateKey:
        """Return the key.

        Raises:
            UserError: the file cannot be read or written, or holds no RSA key.
        """
        with self._lock:
            if self._key is None:
                self._key = token_key(self._path)
            return self._key


def token_key(path: Path) -> RSAPrivateKey:
    """Return the key in a file, which is made with a new one when it is missing.

    It signs tokens and nothing else: a key that also proved an identity would let a server have
    tokens signed as challenges. Removing the file makes all tokens given out so far worthless.

    Raises:
        UserError: the file cannot be read or written, or holds no RSA key.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        if path.exists():
            return _read(path)
        key = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
        write_atomically(path, _pem(key), 0o600)
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    return key


def _read(path: Path) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise _unusable(path, "it holds no unencrypted private key") from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(path, "its key is not an RSA key")
    return key


def _pem(key: RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"the key for tokens in {path} cannot be used: {reason}",
        code=Code.CONFIGURATION,
        hint="remove the file, and a new key is made; clients then have to log in again",
        component="Auth",
    )
