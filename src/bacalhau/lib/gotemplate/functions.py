"""The functions of Go's templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.lib.gotemplate import escapes
from bacalhau.lib.gotemplate._comparison import CallError, is_equal, is_less
from bacalhau.lib.gotemplate.literals import decoded, encoded
from bacalhau.lib.gotemplate.printing import sprint, sprintf, sprintln
from bacalhau.lib.gotemplate.values import Byte, is_true, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.lib.gotemplate.values import Budget, Value

_NO_VALUE = "<no value>"


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function: how many arguments it takes, and what it does with them.

    ``maximum`` None: any number. ``takes_text``: the first argument must be a text.
    """

    minimum: int
    maximum: int | None
    run: Callable[[Sequence[Value], Budget], Value]
    takes_text: bool = False


def _and(values: Sequence[Value], _budget: Budget) -> Value:
    return next((value for value in values if not is_true(value)), values[-1])


def _or(values: Sequence[Value], _budget: Budget) -> Value:
    return next((value for value in values if is_true(value)), values[-1])


def _not(values: Sequence[Value], _budget: Budget) -> bool:
    return not is_true(values[0])


def _eq(values: Sequence[Value], _budget: Budget) -> bool:
    if len(values) < 2:
        raise CallError("missing argument for comparison")
    return any(is_equal(values[0], other) for other in values[1:])


def _ne(values: Sequence[Value], _budget: Budget) -> bool:
    return not is_equal(values[0], values[1])


def _lt(values: Sequence[Value], _budget: Budget) -> bool:
    return is_less(values[0], values[1])


def _le(values: Sequence[Value], _budget: Budget) -> bool:
    return is_less(values[0], values[1]) or is_equal(values[0], values[1])


def _gt(values: Sequence[Value], _budget: Budget) -> bool:
    return not _le(values, _budget)


def _ge(values: Sequence[Value], _budget: Budget) -> bool:
    return not is_less(values[0], values[1])


def _len(values: Sequence[Value], _budget: Budget) -> int:
    value = values[0]
    if isinstance(value, str):
        return len(encoded(value))
    if isinstance(value, Mapping):
        return len(value)
    if value is None:
        raise CallError("reflect: call of reflect.Value.Type on zero Value")
    raise CallError(f"len of type {type_name(value)}")


def _index(values: Sequence[Value], _budget: Budget) -> Value:
    value = values[0]
    if value is None:
        raise CallError("index of untyped nil")
    for key in values[1:]:
        if isinstance(value, str):
            data = encoded(value)
            position = _position(key)
            if not 0 <= position < len(data):
                raise CallError(f"index out of range: {position}")
            value = Byte(data[position])
        elif isinstance(value, Mapping):
            value = value.get(_key(key), "")
        else:
            raise CallError(f"can't index item of type {type_name(value)}")
    return value


def _key(key: Value) -> str:
    if key is None:
        raise CallError("value is nil; should be of type string")
    if not isinstance(key, str):
        raise CallError(f"value has type {type_name(key)}; should be string")
    return key


def _position(value: Value) -> int:
    if value is None:
        raise CallError("cannot index slice/array with nil")
    if isinstance(value, bool) or not isinstance(value, int):
        raise CallError(f"cannot index slice/array with type {type_name(value)}")
    return value


def _slice(values: Sequence[Value], _budget: Budget) -> str:
    value, *ends = values
    if value is None:
        raise CallError("slice of untyped nil")
    if len(ends) > 3:
        raise CallError(f"too many slice indexes: {len(ends)}")
    if not isinstance(value, str):
        raise CallError(f"can't slice item of type {type_name(value)}")
    if len(ends) == 3:
        raise CallError("cannot 3-index slice a string")
    data = encoded(value)
    bounds = [0, len(data)]
    for place, bound in enumerate(map(_position, ends)):
        if not 0 <= bound <= len(data):
            raise CallError(f"index out of range: {bound}")
        bounds[place] = bound
    start, end = bounds
    if start > end:
        raise CallError(f"invalid slice index: {start} > {end}")
    return decoded(data[start:end])


def _printf(values: Sequence[Value], budget: Budget) -> str:
    assert isinstance(values[0], str), "takes_text"
    return sprintf(values[0], values[1:], budget)


def _escape(write: Callable[[str], str]) -> Builtin:
    def run(values: Sequence[Value], budget: Budget) -> str:
        text = sprint([_NO_VALUE if value is None else value for value in values], budget)
        budget.spend(5 * len(text))
        return write(text)

    return Builtin(0, None, run)


FUNCTIONS = {
    "and": Builtin(1, None, _and),
    "eq": Builtin(1, None, _eq),
    "ge": Builtin(2, 2, _ge),
    "gt": Builtin(2, 2, _gt),
    "html": _escape(escapes.html),
    "index": Builtin(1, None, _index),
    "js": _escape(escapes.js),
    "le": Builtin(2, 2, _le),
    "len": Builtin(1, 1, _len),
    "lt": Builtin(2, 2, _lt),
    "ne": Builtin(2, 2, _ne),
    "not": Builtin(1, 1, _not),
    "or": Builtin(1, None, _or),
    "print": Builtin(0, None, sprint),
    "printf": Builtin(1, None, _printf, takes_text=True),
    "println": Builtin(0, None, sprintln),
    "slice": Builtin(1, None, _slice),
    "urlquery": _escape(escapes.urlquery),
}
