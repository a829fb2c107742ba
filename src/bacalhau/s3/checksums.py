"""SHA-256 checksums as jobs write them and as S3 stores them (spec storage.md 3.6)."""

from __future__ import annotations

import base64
import re

_HEXADECIMAL = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")
_DIGEST_BYTES = 32


class ExpectedChecksum:
    """What ``ChecksumSHA256`` asks for.

    ``digest`` is the SHA-256 of the content, or None for a text that is no such digest, such as the
    composite value of a multipart upload; the latter can only be compared with what is stored.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = parse_digest(text)

    def agrees_with(self, stored: str) -> bool | None:
        """Compare with the checksum that the server keeps; None when only the content can tell."""
        if self.digest is None:
            return stored == self.text
        stored_digest = parse_digest(stored)
        return None if stored_digest is None else stored_digest == self.digest


def parse_digest(text: str) -> bytes | None:
    """Read a digest in hexadecimal, with or without ``0x``, or in base64."""
    match = _HEXADECIMAL.fullmatch(text)
    if match:
        return bytes.fromhex(match[1])
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return digest if len(digest) == _DIGEST_BYTES else None


def format_digest(digest: bytes) -> str:
    """Write a digest as S3 does."""
    return base64.b64encode(digest).decode()
