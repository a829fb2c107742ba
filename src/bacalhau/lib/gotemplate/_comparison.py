"""Comparing two values; only those of one kind can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bacalhau.lib.gotemplate.literals import encoded
from bacalhau.lib.gotemplate.values import type_name

if TYPE_CHECKING:
    from bacalhau.lib.gotemplate.values import Value

_WRONG_TYPE = "invalid type for comparison"


class CallError(Exception):
    """A function that cannot do what it is asked for; the text says why."""


def is_equal(one: Value, other: Value) -> bool:
    """Tell whether two values are the same; nothing equals nothing alone.

    Raises:
        CallError: they are of different kinds, or maps.
    """
    if one is None or other is None:
        return one is other
    if _kind(one) is not _kind(other):
        raise _incompatible(one, other)
    if isinstance(one, Mapping):
        raise CallError("non-comparable type map[string]string")
    return one == other


def is_less(one: Value, other: Value) -> bool:
    """Tell whether a value comes before another; texts are ordered by their bytes.

    Raises:
        CallError: they are of different kinds, or have no order.
    """
    for value in (one, other):
        if value is None or isinstance(value, Mapping):
            raise CallError(_WRONG_TYPE)
    if _kind(one) is not _kind(other):
        raise _incompatible(one, other)
    if isinstance(one, str) and isinstance(other, str):
        return encoded(one) < encoded(other)
    if isinstance(one, bool) or isinstance(other, bool):
        raise CallError(_WRONG_TYPE)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one < other
    raise CallError(_WRONG_TYPE)


def _kind(value: Value) -> type:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind
    return type(value)


def _incompatible(one: Value, other: Value) -> CallError:
    types = f"{type_name(one)} and {type_name(other)}"
    return CallError(f"incompatible types for comparison: {types}")
