"""SHA-256 digests as people and servers write them (spec storage.md 3.6)."""

from __future__ import annotations

import base64
import re

_HEXADECIMAL = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")
_DIGEST_BYTES = 32


def is_hexadecimal(text: str) -> bool:
    """Tell whether a digest is written in hexadecimal, with or without ``0x``."""
    return _HEXADECIMAL.fullmatch(text) is not None


def parse_digest(text: str) -> bytes | None:
    """Read a digest in hexadecimal, with or without ``0x``, or in base64; None for all else."""
    match = _HEXADECIMAL.fullmatch(text)
    if match:
        return bytes.fromhex(match[1])
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return digest if len(digest) == _DIGEST_BYTES else None


def format_digest(digest: bytes) -> str:
    """Write a digest as S3 does, in base64."""
    return base64.b64encode(digest).decode()
