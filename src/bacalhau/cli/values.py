"""Kinds of flag values: how their text is read (spec cli.md 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bacalhau.cli.csv_record import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_OLD_OCTAL = re.compile(r"[+-]?0[0-7_]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of flag.

    ``read`` turns text into a value and raises ValueError with the reason when it cannot. Values
    of a kind that ``gathers`` are lists or maps, and those of repeated flags add up. A ``switch``
    needs no value and takes one only behind ``=``. ``words`` are all values there are, if few.
    """

    name: str
    read: Callable[[str], Any]
    gathers: bool = False
    switch: bool = False
    words: tuple[str, ...] = ()


def _boolean(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        name = "strconv.ParseInt" if low else "strconv.ParseUint"
        try:
            number = int(text, 8 if _OLD_OCTAL.fullmatch(text) else 0)
        except ValueError:
            raise ValueError(f'{name}: parsing "{text}": invalid syntax') from None
        if number < 0 <= low or text != text.strip():
            raise ValueError(f'{name}: parsing "{text}": invalid syntax')
        if not low <= number <= high:
            raise ValueError(f'{name}: parsing "{text}": value out of range')
        return number

    return read


def _seconds(text: str) -> float:
    from bacalhau.lib.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as exc:
        if re.fullmatch(r"[+-]?[0-9.]+", text):
            raise ValueError(f'time: missing unit in duration "{text}"') from exc
        raise ValueError(f'time: invalid duration "{text}"') from exc


def _words(text: str) -> list[str]:
    return read_record(text) if text else []


def _pairs(text: str) -> dict[str, str]:
    equals = text.count("=")
    if equals == 0:
        raise ValueError(f"{text} must be formatted as key=value")
    pairs = {}
    for pair in [text.strip('"')] if equals == 1 else read_record(text):
        key, equal, value = pair.partition("=")
        if not equal:
            raise ValueError(f"{pair} must be formatted as key=value")
        pairs[key] = value
    return pairs


def choice(name: str, words: Sequence[str]) -> Kind:
    """Return a kind that allows some words only."""

    def read(text: str) -> str:
        if text not in words:
            listed = " ".join(f'"{word}"' for word in words)
            raise ValueError(f"should be one of [{listed}]")
        return text

    return Kind(name, read, words=tuple(words))


def each(name: str, read_one: Callable[[str], Any]) -> Kind:
    """Return a kind whose flag may be repeated; every occurrence is read as a whole."""
    return Kind(name, lambda text: [read_one(text)], gathers=True)


def plain_text(kind: Kind) -> Kind:
    """Return a kind that reads the same texts and leaves them as they are."""

    def read(text: str) -> str:
        kind.read(text)
        return text

    return Kind(kind.name, read)


def not_negative(kind: Kind) -> Kind:
    """Return a kind of numbers that refuses those below zero."""

    def read(text: str) -> Any:
        value = kind.read(text)
        if value < 0:
            raise ValueError("must not be negative")
        return value

    return Kind(kind.name, read)


BOOL = Kind("", _boolean, switch=True)
STRING = Kind("string", str)
INT = Kind("int", _integer(-(2**63), 2**63 - 1))
INT64 = Kind("int", _integer(-(2**63), 2**63 - 1))
UINT32 = Kind("uint32", _integer(0, 2**32 - 1))
DURATION = Kind("duration", _seconds)
STRINGS = Kind("strings", _words, gathers=True)
STRING_ARRAY = each("stringArray", str)
STRING_MAP = Kind("stringToString", _pairs, gathers=True)
TABULAR_FORMAT = choice("format", ("table", "csv", "json", "yaml"))
PLAIN_FORMAT = choice("format", ("json", "yaml"))
