"""Addresses as others write them."""

from __future__ import annotations

import re

_PARTS = re.compile(r"((?:[^/?#@]*:)?//)?([^/?#]*)([^?#]*)")
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\x9f]")


def quoted(address: bytes) -> str:
    """Write out the bytes that may not be part of a URL, as browsers do."""
    return "".join(chr(byte) if 32 < byte < 127 else f"%{byte:02X}" for byte in address)


def shown(url: str) -> str:
    """Return a URL as messages show it: on one line, and without what may be secret.

    That is user and password, the query, which may hold a signature, and the fragment. What is no
    URL is shown by the same rules.
    """
    match = _PARTS.match(url)
    assert match is not None, "each part may be empty"
    start, authority, path = match.groups("")
    place = start + authority.rpartition("@")[2] + path
    return _UNSEEN.sub(lambda found: quoted(found[0].encode()), place)
