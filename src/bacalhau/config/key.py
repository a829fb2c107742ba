"""What a configuration key is: name, type, default, text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bacalhau.lib.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

Value = str | int | bool | tuple[str, ...]

MAX_PORT = 65_535

_PERCENTAGE = re.compile(r"[0-9]+(\.[0-9]+)?%")


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. The type of ``default`` is the type of the setting.

    Attributes:
        name: Sections and name, joined by dots.
        default: The value where nothing sets the key.
        text: What it is for, as one sentence.
        is_duration: The value is text in Go's form, such as ``1m30s``.
        is_map: The value is a tuple of ``key=value``.
        is_document: The value is JSON text of what YAML can nest; empty is nothing.
        is_secret: The value is shown to nobody who does not ask for secrets.
        is_pending: The key is accepted, and nothing reads it yet.
        minimum: The least number. Durations are at least 0, with 1 more than 0, with -1 any.
        maximum: The greatest number.
        check: Raises ValueError for a text that is not empty and not fit.
        aliases: Variables that count where the one derived from the name is not set.
        node_aliases: The same, for ``serve`` alone.
    """

    name: str
    default: Value
    text: str
    is_duration: bool = False
    is_map: bool = False
    is_document: bool = False
    is_secret: bool = False
    is_pending: bool = False
    minimum: int = 0
    maximum: int = 2**31 - 1
    check: Callable[[str], object] | None = None
    aliases: tuple[str, ...] = ()
    node_aliases: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return variable_name(self.name)

    @property
    def description(self) -> str:
        """The text, with a mark where the key has no effect yet."""
        return f"{self.text} (No effect yet.)" if self.is_pending else self.text


def variable_name(name: str) -> str:
    """Return the environment variable of a key or a section."""
    return "BACALHAU_" + name.upper().replace(".", "_")


def share_of(parse: Callable[[str], object]) -> Callable[[str], None]:
    """Return a check that a text is a percentage from 0% to 100%, or what ``parse`` takes."""

    def check(text: str) -> None:
        text = text.strip()
        if not text.endswith("%"):
            try:
                parse(text)
            except ValueError as exc:
                raise ValueError(f"{exc}, or a percentage such as 70%") from exc
        elif not _PERCENTAGE.fullmatch(text) or float(text[:-1]) > 100:
            raise ValueError("a percentage is between 0% and 100%")

    return check


def amount_between(least_bytes: int, most_bytes: int) -> Callable[[str], None]:
    """Return a check that a text is an amount of bytes within limits."""

    def check(text: str) -> None:
        if not least_bytes <= parse_bytes(text) <= most_bytes:
            raise ValueError(f"it must be from {least_bytes} to {most_bytes} bytes")

    return check


def web_address(text: str) -> None:
    """Check that a text is an address of a service that speaks HTTP."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address such as http://127.0.0.1:8000/probe")


def one_of(*words: str) -> Callable[[str], None]:
    """Return a check that a text is one of some words, in any case."""

    def check(text: str) -> None:
        if text.lower() not in words:
            raise ValueError(f"expected one of {', '.join(words)}")

    return check
