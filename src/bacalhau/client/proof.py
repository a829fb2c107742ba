"""Signing challenges with the key of this user, ``user_id.pem`` (spec security.md 2, 3.2)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bacalhau.client.failures import COMPONENT
from bacalhau.errors import Code, ForbiddenError, UserError
from bacalhau.lib.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_BITS, _EXPONENT = 2048, 65_537
_CHALLENGE = re.compile(rb"log in to bacalhau node [!-~]{1,253} once: [0-9a-f-]{36}")
_NODE_ID = re.compile(rb"[A-Za-z0-9_-]{1,253}")


def proof_of(phrase: bytes, key_file: Path) -> dict[str, str]:
    """Return what proves that we have the key of a file, which is made when it is missing.

    Only what is a challenge of this program, or the id of a node as in v1.5, is signed: a server
    could otherwise have anything signed, such as a token for another one.

    Raises:
        ForbiddenError: the phrase is something else.
        UserError: code ``ConfigurationError``: the key cannot be read or written.
    """
    if not (_CHALLENGE.fullmatch(phrase) or _NODE_ID.fullmatch(phrase)):
        raise ForbiddenError(
            "the server asks to sign something that is no challenge, and it was not signed",
            hint="make sure that the address is that of a Bacalhau API",
            component=COMPONENT,
        )
    key = _key(key_file)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )
    signature = key.sign(phrase, padding.PKCS1v15(), hashes.SHA256())
    return {
        "PhraseSignature": base64.b64encode(signature).decode(),
        "PublicKey": base64.b64encode(public).decode(),
    }


def _key(path: Path) -> rsa.RSAPrivateKey:
    try:
        if not path.exists():
            return _new_key(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise _unusable(path, "it holds no unencrypted private key") from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(path, "its key is not an RSA key")
    return key


def _new_key(path: Path) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(_EXPONENT, _BITS)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    write_atomically(path, pem, 0o600)
    return key


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"the key in {path}, which is needed to log in, cannot be used: {reason}",
        code=Code.CONFIGURATION,
        hint="correct that, or remove the file: a new key is made, and servers take it for "
        "another user",
        component=COMPONENT,
    )
