"""From what somebody wrote to the value of a key (spec cli.md 3.5, config.md 1.3 to 1.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bacalhau.config._names import CODE
from bacalhau.errors import UserError
from bacalhau.lib.booleans import parse_boolean
from bacalhau.lib.units import format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.config.key import Key, Value

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def cast(key: Key, text: str, origin: str) -> Value:
    """Return the value that a text means for a key; ``origin`` is where the text comes from.

    Raises:
        UserError: code ``ConfigurationError``, naming the key, the value and what is accepted.
    """
    return _guarded(key, text, origin, lambda: _parse(key, text))


def cast_data(key: Key, data: Any, origin: str) -> Value:
    """Return the value that data of a file, as YAML gives it, means for a key.

    Raises:
        UserError: as ``cast``.
    """
    return _guarded(key, data, origin, lambda: _convert(key, data))


def _guarded(key: Key, given: Any, origin: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except ValueError as exc:
        # What is secret, or may hold secrets, is not repeated in messages.
        is_quoted = isinstance(given, str) and not (key.is_document or key.is_secret)
        shown = f' "{given}"' if is_quoted else ""
        raise UserError(
            f"invalid value{shown} for {key.name}: {exc}",
            code=CODE,
            hint=f"correct {origin}; the default is {_shown(key.default)}",
            component="Config",
            fields=[key.name],
        ) from exc


def _parse(key: Key, text: str) -> Value:
    if isinstance(key.default, bool):
        return parse_boolean(text)
    if isinstance(key.default, int):
        return _number(key, text)
    if isinstance(key.default, tuple):
        return _words(key, text)
    if key.is_duration:
        return _duration(key, text)
    if key.is_document:
        return _document(text)
    if key.check is not None and text:
        key.check(text)
    return text


def _convert(key: Key, data: Any) -> Value:
    if isinstance(data, str):
        return _parse(key, data)
    if key.is_document:
        return _json(data)
    if key.is_map:
        return _pairs(data)
    if isinstance(key.default, tuple):
        return _list(data)
    if isinstance(data, dict | list):
        kind = "section" if isinstance(data, dict) else "list"
        raise ValueError(f"expected one value, got a {kind}")  # noqa: TRY004 - of the file
    if key.is_duration and data != 0:
        raise ValueError("expected a duration with a unit such as 30s")
    return _parse(key, _text(data))


def _number(key: Key, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("expected a whole number")
    number = int(text)
    if not key.minimum <= number <= key.maximum:
        raise ValueError(f"expected a number from {key.minimum} to {key.maximum}")
    return number


def _duration(key: Key, text: str) -> str:
    seconds = parse_duration(text)
    if seconds < 0 <= key.minimum:
        raise ValueError("a duration must not be negative")
    if seconds == 0 and key.minimum > 0:
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


def _list(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list) or any(isinstance(item, dict | list) for item in data):
        raise ValueError("expected a list of texts")
    words = tuple(_text(item) for item in data)
    if "" in words:
        raise ValueError("the list has an empty element")
    return words


def _pairs(data: Any) -> tuple[str, ...]:
    if not isinstance(data, dict) or any(isinstance(item, dict | list) for item in data.values()):
        raise ValueError("expected a section of names and texts")
    for name in data:
        if not name or "=" in name:
            raise ValueError(f'"{name}" cannot be a name: it is empty or contains =')
    return tuple(f"{name}={_text(value)}" for name, value in data.items())


def _text(data: bool | float | str | None) -> str:
    if data is None:
        return ""
    return str(data).lower() if isinstance(data, bool) else str(data)


def _document(text: str) -> str:
    import json

    if not text:
        return ""
    try:
        return _json(json.loads(text))
    except json.JSONDecodeError as exc:
        raise ValueError(f"expected JSON: {exc.msg}") from exc


def _json(data: Any) -> str:
    import json

    if not isinstance(data, dict | list):
        raise ValueError("expected a section or a list")  # noqa: TRY004 - of the file
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) if data else ""


def _shown(default: Value) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default) or "empty"
    return str(default) or "empty"
