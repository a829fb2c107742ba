"""RFC 3339 times with nanoseconds (spec api.md W6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

ZERO_TIME = "0001-01-01T00:00:00Z"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BILLION = 1_000_000_000
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def rfc3339(time_ns: int) -> str:
    """Format nanoseconds since 1970 as UTC, with as many fractional digits as are needed.

    Raises:
        ValueError: before the year 1 or after the year 9999.
    """
    seconds, fraction = divmod(time_ns, _BILLION)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError as exc:
        raise ValueError(f"{time_ns} ns is not within the years 1 to 9999") from exc
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{moment.isoformat()[:19]}{digits}Z"


def parse_rfc3339(text: str) -> int:
    """Return nanoseconds since 1970; digits beyond nanoseconds are cut off.

    Raises:
        ValueError: another form, a date that does not exist, or no offset.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a time such as 2024-11-20T12:00:00Z')
    moment = datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00")
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if match[4]:
        hours, minutes = int(match[5]), int(match[6])
        if hours > 23 or minutes > 59:
            raise ValueError(f'"{text}" has an impossible offset')
        offset = hours * 3600 + minutes * 60
        seconds += offset if match[4] == "-" else -offset
    return seconds * _BILLION + int((match[3] or "").ljust(9, "0")[:9])
