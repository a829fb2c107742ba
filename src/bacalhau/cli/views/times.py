"""Times as people read them (spec cli.md 8.8). All in UTC, or in the zone the server sent."""

from __future__ import annotations

import re

from bacalhau.lib.timestamps import rfc3339

_RFC3339 = re.compile(r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d+))?.*")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def date_and_time(time_ns: int) -> str:
    """Return ``2006-01-02 15:04:05`` for nanoseconds since 1970."""
    return rfc3339(time_ns)[:19].replace("T", " ")


def event_date_and_time(text: str) -> str:
    """Return ``2006-01-02 15:04:05`` of an RFC 3339 time."""
    return text[:19].replace("T", " ")


def month_and_time(text: str) -> str:
    """Return ``Jan _2 15:04:05.000`` of an RFC 3339 time."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return text
    return f"{_MONTHS[int(match[2]) - 1]} {int(match[3]):>2} {_with_milliseconds(match)}"


def clock_time(text: str) -> str:
    """Return ``15:04:05.000`` of an RFC 3339 time."""
    match = _RFC3339.fullmatch(text)
    return _with_milliseconds(match) if match else text


def _with_milliseconds(match: re.Match[str]) -> str:
    return f"{match[4]}.{(match[5] or '')[:3]:0<3}"


def age(time_ns: int, now_ns: int) -> str:
    """Return how long ago in the two largest units: ``1m20s ago``, ``2h ago``."""
    rest = max(0, now_ns - time_ns) // 1_000_000_000
    for index, (unit, size) in enumerate(_UNITS):
        if rest >= size:
            whole, rest = divmod(rest, size)
            text = f"{whole}{unit}"
            if index + 1 < len(_UNITS):
                smaller, smaller_size = _UNITS[index + 1]
                text += f"{rest // smaller_size}{smaller}" if rest >= smaller_size else ""
            return f"{text} ago"
    return "0s ago"
