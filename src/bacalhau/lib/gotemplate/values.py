"""The values of a template: texts, numbers, truth values, the variables as a map, and nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias


class Byte(int):
    """One byte of a text, as ``index`` returns it."""

    __slots__ = ()


Value: TypeAlias = str | int | float | bool | Mapping[str, str] | None


def type_name(value: Value) -> str:
    """Return what Go calls the type of a value."""
    if value is None:
        return "<nil>"
    if isinstance(value, Mapping):
        return "map[string]string"
    names = {bool: "bool", str: "string", float: "float64", Byte: "uint8"}
    return names.get(type(value), "int")


def is_true(value: Value) -> bool:
    """Tell whether ``if`` takes a value for true: it is neither empty nor zero."""
    return bool(value)


class WorkError(Exception):
    """A template asks for more than it may."""


class Budget:
    """How much a template may still do. One unit is about one letter copied.

    Args:
        units: What it may spend in all.
    """

    __slots__ = ("_left",)

    def __init__(self, units: int) -> None:
        self._left = units

    def spend(self, units: int) -> None:
        """Take units away.

        Raises:
            WorkError: there are not enough.
        """
        self._left -= units
        if self._left < 0:
            raise WorkError
