"""Passwords as they are kept: hashed with scrypt, as Bacalhau v1.5 does (spec security.md 4.1).

``python -m bacalhau.policy.passwords`` asks for a password and prints what a policy file holds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import sys

SALT_BYTES = 32
_COST, _BLOCK, _PARALLEL, _KEY_BYTES = 32_768, 8, 1, 32
_MEMORY_BYTES = 64 * 1024 * 1024


def hash_password(password: str, salt: bytes) -> str:
    """Return base64 of the hash of a password."""
    digest = hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=_COST,
        r=_BLOCK,
        p=_PARALLEL,
        maxmem=_MEMORY_BYTES,
        dklen=_KEY_BYTES,
    )
    return base64.b64encode(digest).decode()


def is_password(password: str, kept: str, salt: str) -> bool:
    """Tell whether a password is the one that was hashed, in a time that tells nothing.

    Raises:
        ValueError: the salt is not base64.
    """
    return hmac.compare_digest(hash_password(password, salt_bytes(salt)), kept)


def salt_bytes(salt: str) -> bytes:
    """Return the salt that base64 stands for.

    Raises:
        ValueError: it is not base64.
    """
    try:
        return base64.b64decode(salt, validate=True)
    except binascii.Error as exc:
        raise ValueError(f"the salt is not base64: {exc}") from exc


def main() -> int:
    """Ask for a password and print it hashed, with its salt, as a list."""
    import getpass

    is_terminal = sys.stdin.isatty()
    try:
        password = getpass.getpass() if is_terminal else sys.stdin.readline().rstrip("\n")
    except (EOFError, KeyboardInterrupt):
        sys.stderr.write("\n")
        return 1
    if not password:
        sys.stderr.write("a password has at least one character\n")
        return 1
    salt = secrets.token_bytes(SALT_BYTES)
    kept = [hash_password(password, salt), base64.b64encode(salt).decode()]
    sys.stdout.write(json.dumps(kept) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
