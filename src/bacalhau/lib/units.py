"""Amounts and durations as people write them (spec api.md 1.6, cli.md 3.5)."""

from __future__ import annotations

import re
from decimal import Decimal

MAX_INT64 = 2**63 - 1
_MAX_CHARACTERS = 64

_MILLICORES = re.compile(r"[0-9]+m")
_CORES = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]{1,3})?")
_AMOUNT = re.compile(r"([0-9.,]+)([a-z]*)")
_PLAIN_NUMBER = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
_DURATION = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")

_PREFIXES = "kmgtpe"
_BYTE_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate(_PREFIXES, start=1):
    _BYTE_UNITS |= {_letter: 1000**_power, f"{_letter}b": 1000**_power}
    _BYTE_UNITS |= {f"{_letter}i": 1024**_power, f"{_letter}ib": 1024**_power}

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def compact(text: str) -> str:
    """Return an amount as it is stored: lower case, without any white space."""
    return "".join(text.split()).lower()


def parse_cpu(text: str) -> float:
    """Return cores, cut to whole millicores: ``500m`` and ``0.5`` are the same.

    Raises:
        ValueError: not a finite amount of zero or more.
    """
    wanted = _short(compact(text))
    if _MILLICORES.fullmatch(wanted):
        millicores = Decimal(wanted[:-1])
    elif _CORES.fullmatch(wanted):
        millicores = Decimal(wanted) * 1000
    else:
        raise ValueError("expected cores such as 2, 0.5 or 500m")
    return _whole(millicores) / 1000


def parse_bytes(text: str) -> int:
    """Return bytes: ``1gb`` is 10^9, ``1gib`` is 2^30, ``1,000`` is a thousand.

    Raises:
        ValueError: not an amount from 0 to 2^63 - 1, or an unknown unit.
    """
    match = _AMOUNT.fullmatch(_short(compact(text)))
    if match is None:
        raise ValueError("expected bytes such as 500mb, 1gb or 1gib")
    number, unit = match[1].replace(",", ""), match[2]
    if not _PLAIN_NUMBER.fullmatch(number):
        raise ValueError(f'"{match[1]}" is not a number')
    if unit not in _BYTE_UNITS:
        raise ValueError(f'unknown unit "{unit}", expected one such as kb, mb, gb, kib, mib or gib')
    return _whole(Decimal(number) * _BYTE_UNITS[unit])


def parse_gpu(text: str) -> int:
    """Return a number of GPUs.

    Raises:
        ValueError: not a whole number of zero or more.
    """
    wanted = _short(compact(text))
    if not re.fullmatch(r"[0-9]+", wanted):
        raise ValueError("expected a whole number such as 1")
    return _whole(Decimal(wanted))


def format_bytes(size_bytes: int) -> str:
    """Return an amount for people: ``0 B``, ``1.0 GB``, ``12 GB``."""
    if size_bytes < 10:
        return f"{size_bytes} B"
    value, unit = float(size_bytes), "B"
    for prefix in ("k", "M", "G", "T", "P", "E"):
        if value < 999.5:
            break
        value, unit = value / 1000, f"{prefix}B"
    return f"{value:.1f} {unit}" if round(value, 1) < 10 and unit != "B" else f"{value:.0f} {unit}"


def parse_duration(text: str) -> float:
    """Return seconds from Go's syntax: ``1m30s``, ``100ms``, ``1.5h``, ``0``.

    Raises:
        ValueError: no unit, an unknown one, or more than 292 years.
    """
    wanted = _short(text.strip())
    sign = -1 if wanted.startswith("-") else 1
    rest = wanted[1:] if wanted[:1] in ("-", "+") else wanted
    if rest == "0":
        return 0.0
    total, position = Decimal(0), 0
    while match := _DURATION.match(rest, position):
        total += Decimal(match[1]) * _NANOSECONDS[match[2]]
        position = match.end()
    if not rest or position != len(rest):
        raise ValueError("expected a duration such as 30s, 1m30s or 100ms")
    return sign * _whole(total) / 1e9


def format_duration(seconds: float) -> str:
    """Return a duration in Go's form: ``10s``, ``1m30s``, ``1h0m0s``, ``1.5ms``."""
    nanoseconds = round(seconds * 1e9)
    sign, nanoseconds = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if nanoseconds < size * 1000:
            return f"{sign}{_decimal(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _NANOSECONDS['s'])}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def _short(text: str) -> str:
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"longer than {_MAX_CHARACTERS} characters")
    return text


def _whole(amount: Decimal) -> int:
    if amount > MAX_INT64:
        raise ValueError("the amount is too large")
    return int(amount)


def _decimal(amount: int, size: int) -> str:
    whole, fraction = divmod(amount, size)
    digits = str(fraction).zfill(len(str(size)) - 1).rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
