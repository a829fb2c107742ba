"""From the text of a setting to its value (spec cli.md 3.5, config.md 1.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.errors import UserError
from bacalhau.lib.units import format_duration, parse_duration

if TYPE_CHECKING:
    from bacalhau.config.keys import Key, Value

CODE = "ConfigurationError"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def cast(key: Key, text: str, origin: str) -> Value:
    """Return the value that a text means for a key; ``origin`` is where the text comes from.

    Raises:
        UserError: code ``ConfigurationError``, naming the key, the value and what is accepted.
    """
    try:
        return _parse(key, text)
    except ValueError as exc:
        raise UserError(
            f'invalid value "{text}" for {key.name}: {exc}',
            code=CODE,
            hint=f"correct {origin}; the default is {_shown(key.default)}",
            component="Config",
            fields=[key.name],
        ) from exc


def _parse(key: Key, text: str) -> Value:
    if isinstance(key.default, bool):
        return _boolean(text)
    if isinstance(key.default, int):
        return _number(key, text)
    if isinstance(key.default, tuple):
        return _words(key, text)
    if key.is_duration:
        return _duration(key, text)
    if key.check is not None and text:
        key.check(text)
    return text


def _boolean(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError("expected true or false")


def _number(key: Key, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("expected a whole number")
    number = int(text)
    if not key.minimum <= number <= key.maximum:
        raise ValueError(f"expected a number from {key.minimum} to {key.maximum}")
    return number


def _duration(key: Key, text: str) -> str:
    seconds = parse_duration(text)
    if seconds < 0:
        raise ValueError("a duration must not be negative")
    if seconds == 0 and key.minimum:
        raise ValueError("the duration must be more than zero")
    return format_duration(seconds)


def _words(key: Key, text: str) -> tuple[str, ...]:
    if not text:
        return ()
    if re.search(r"[\s;]", text):
        raise ValueError("expected a list separated by commas, without spaces or semicolons")
    words = tuple(text.split(","))
    if "" in words:
        raise ValueError("the list has an empty element")
    if key.is_map:
        for word in words:
            name, _, value = word.partition("=")
            if word.count("=") != 1 or not name or not value:
                raise ValueError(f'expected key=value, got "{word}"')
    return words


def _shown(default: Value) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default) or "empty"
    return str(default) or "empty"
