"""How much the cache of inputs may hold."""

from __future__ import annotations

from bacalhau.lib.units import parse_bytes

KEY = "InputSources.Cache.Size"


def size_limit(text: str, *, free_bytes: int, held_bytes: int) -> int:
    """Return bytes for the value of ``KEY``, which has passed its check.

    A percentage is one of what is free, together with what the cache holds already, so that it
    does not shrink with each start.
    """
    text = text.strip()
    if text.endswith("%"):
        return int((free_bytes + held_bytes) * float(text[:-1]) / 100)
    return parse_bytes(text or "0")
