"""Query parameters: what an endpoint takes, and reading them as Go would (spec api.md W10)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from bacalhau.errors import UserError
from bacalhau.lib.booleans import parse_boolean

_MAX_COUNT = 2**32 - 1
_MAX_SECONDS = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")


class Kind(enum.Enum):
    """How the text of a parameter is read. An empty text always means that it is not given."""

    TEXT = "string"
    LIST = "list"
    """May be repeated; the values are joined by commas."""
    FLAG = "boolean"
    COUNT = "count"
    """A whole number below 2^32; 0 is no limit."""
    SECONDS = "seconds"
    """Seconds since 1970."""
    EMPTY = "empty"
    """Other lists take it; a value cannot mean anything here."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter. With ``choices``, any other word is refused; case does not matter."""

    name: str
    kind: Kind
    text: str
    choices: tuple[str, ...] = ()


class Arguments:
    """The values of an endpoint's parameters. Asking for an undeclared one is a defect."""

    def __init__(self, values: dict[str, str | bool | int]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return a text, empty when not given."""
        value = self._values[name]
        assert isinstance(value, str), name
        return value

    def number(self, name: str) -> int:
        """Return a number, 0 when not given."""
        value = self._values[name]
        assert isinstance(value, int), name
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, False when not given."""
        value = self._values[name]
        assert isinstance(value, bool), name
        return value


def parse_query(parameters: tuple[Parameter, ...], query: str) -> Arguments:
    """Read a query string.

    Names match whatever their case, and with ``_`` for ``-``. Unknown ones are ignored.

    Raises:
        UserError: code ``BadRequest``, naming the parameter and what it may be.
    """
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        given.setdefault(_key(name), []).append(value)
    return Arguments(
        {item.name: _read(item, given.get(_key(item.name), [])) for item in parameters}
    )


def _key(name: str) -> str:
    return name.lower().replace("-", "_")


def _read(parameter: Parameter, values: list[str]) -> str | bool | int:
    if parameter.kind is Kind.LIST:
        return ",".join(value for value in values if value)
    text = values[0] if values else ""
    if parameter.kind is Kind.FLAG:
        return _flag(parameter, text)
    if parameter.kind is Kind.COUNT:
        return _whole(parameter, text, _MAX_COUNT)
    if parameter.kind is Kind.SECONDS:
        return _whole(parameter, text, _MAX_SECONDS)
    if parameter.kind is Kind.EMPTY and text:
        raise _refusal(parameter, text, "empty", hint="leave it out: this list has one page")
    return _word(parameter, text)


def _flag(parameter: Parameter, text: str) -> bool:
    try:
        return bool(text) and parse_boolean(text)
    except ValueError as exc:
        raise _refusal(parameter, text, "true or false") from exc


def _whole(parameter: Parameter, text: str, most: int) -> int:
    if not text:
        return 0
    if not _DIGITS.fullmatch(text) or int(text) > most:
        raise _refusal(parameter, text, f"a whole number from 0 to {most}")
    return int(text)


def _word(parameter: Parameter, text: str) -> str:
    if not text or not parameter.choices:
        return text
    chosen = next((word for word in parameter.choices if word == text.lower()), None)
    if chosen is None:
        raise _refusal(parameter, text, "one of " + ", ".join(parameter.choices))
    return chosen


def _refusal(parameter: Parameter, text: str, expected: str, *, hint: str = "") -> UserError:
    return UserError(
        f'query parameter {parameter.name} must be {expected}, not "{text}"',
        hint=hint,
        component="APIServer",
        fields=[parameter.name],
    )
