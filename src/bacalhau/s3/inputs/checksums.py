"""The checksum that a job expects of an object (spec storage.md 3.6)."""

from __future__ import annotations

from bacalhau.lib.digests import format_digest, is_hexadecimal, parse_digest


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

    def in_its_form(self, digest: bytes) -> str:
        """Write the digest that was found so that it can be compared with the eye."""
        return digest.hex() if is_hexadecimal(self.text) else format_digest(digest)
