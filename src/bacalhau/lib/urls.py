"""Addresses as others write them."""

from __future__ import annotations


def quoted(address: bytes) -> str:
    """Write out the bytes that may not be part of a URL, as browsers do."""
    return "".join(chr(byte) if 32 < byte < 127 else f"%{byte:02X}" for byte in address)
