"""Walking untyped data along the shape of a struct."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from msgspec import inspect

from bacalhau.lib.nearest import did_you_mean
from bacalhau.models.job import InputSource, Job, Task
from bacalhau.models.problems import Problem, join_path

if TYPE_CHECKING:
    import enum

_MAX_DEPTH = 100
_MAX_VALUES = 250_000
_MAX_PROBLEMS = 1_000
_SHOWN_CHARACTERS = 60
_INTEGERS = range(-(2**63), 2**64)

_MISSING: dict[tuple[Any, str], tuple[str, str]] = {
    (Job, "type"): ("missing job type", ""),
    (Task, "engine"): (
        "engine validation failed: nil spec config",
        "Engine says what runs the task: a Type such as docker, and Params",
    ),
    (InputSource, "source"): (
        "artifact validation failed: invalid artifact source: nil spec config",
        "each input source has a Source and a Target in the same list item",
    ),
}


_NOT_NULL: dict[tuple[Any, str], str] = {
    (Task, "resources"): "leave out Resources to take the defaults, or give CPU, Memory, Disk, GPU"
}
"""Fields for which null is no way to say that they are unset, with the remedy.

Null there is most often a template or an indentation gone wrong; the job would run with amounts
that nobody chose.
"""


class TooMuchError(Exception):
    """The document is too large, or too wrong, to go on. The last problem says so."""


class _Bad:
    """Stands for a value that could not be read; the problem is recorded."""


BAD = _Bad()


@lru_cache(maxsize=256)
def shape_of(wanted: Any) -> inspect.Type:
    """Return msgspec's description of a type."""
    return inspect.type_info(wanted)


@lru_cache(maxsize=256)
def _fields_by_name(cls: Any) -> tuple[dict[str, inspect.Field], dict[str, inspect.Field]]:
    fields = cast("inspect.StructType", shape_of(cls)).fields
    return {f.encode_name: f for f in fields}, {f.encode_name.lower(): f for f in fields}


def match_keys(cls: Any, names: list[str]) -> dict[str, inspect.Field]:
    """Return which keys of an object set which fields.

    An exact name wins over one in another case; of several others, the last in order of bytes.
    """
    exact, folded = _fields_by_name(cls)
    chosen: dict[str, str] = {}
    for name in sorted(names):
        field = folded.get(name.lower())
        if field is not None and chosen.get(field.name) != field.encode_name:
            chosen[field.name] = name
    return {name: exact.get(name) or folded[name.lower()] for name in chosen.values()}


def find_key(data: dict[str, Any], name: str) -> str | None:
    """Return the key of ``data`` that means ``name``: the exact one, else one in another case."""
    if name in data:
        return name
    others = [key for key in data if isinstance(key, str) and key.lower() == name.lower()]
    return max(others, default=None)


class Walk:
    """Reads one document; ``problems`` has everything that did not fit."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._values = 0

    def read(self, shape: inspect.Type, value: object, path: str, depth: int = 0) -> Any:
        """Return the value in its type, or ``BAD``."""
        self._count(path)
        if depth > _MAX_DEPTH:
            return self._fail(path, "nested too deeply")
        match shape:
            case inspect.StrType():
                return self._text(value, path)
            case inspect.StructType():
                return self._struct(shape, value, path, depth)
            case inspect.ListType():
                return self._list(shape, value, path, depth)
            case inspect.DictType():
                return self._map(shape, value, path, depth)
            case inspect.AnyType():
                return self._any(value, path, depth)
            case inspect.IntType():
                return self._integer(value, path)
            case inspect.FloatType():
                return self._float(value, path)
            case inspect.BoolType():
                return (
                    value if isinstance(value, bool) else self._mismatch("a boolean", value, path)
                )
            case inspect.EnumType():
                return self._enum(shape.cls, value, path)
            case inspect.UnionType():
                return self._union(shape, value, path, depth)
            case inspect.NoneType():
                return None
        raise AssertionError(f"no rule for {shape}")

    def _struct(self, shape: inspect.StructType, value: object, path: str, depth: int) -> Any:
        if not isinstance(value, dict):
            return self._mismatch("an object", value, path)
        before = len(self.problems)
        names = match_keys(shape.cls, [key for key in value if isinstance(key, str)])
        found = {
            field.name: self.read(
                field.type, value[name], join_path(path, field.encode_name), depth + 1
            )
            for name, field in names.items()
            if value[name] is not None
        }
        for name, field in names.items():
            remedy = _NOT_NULL.get((shape.cls, field.name))
            if remedy and value[name] is None:
                self._mismatch("an object", None, join_path(path, field.encode_name), remedy)
        for field in shape.fields:
            if field.required and field.name not in found:
                self._missing(shape.cls, field, join_path(path, field.encode_name))
        return shape.cls(**found) if len(self.problems) == before else BAD

    def _missing(self, cls: Any, field: inspect.Field, path: str) -> None:
        text, hint = _MISSING.get((cls, field.name), (f"{path}: missing", ""))
        self._fail(path, text, hint or _choices(field.type))

    def _list(self, shape: inspect.ListType, value: object, path: str, depth: int) -> Any:
        if not isinstance(value, list):
            hint = "write a list, even of one item" if isinstance(value, str) else ""
            return self._mismatch("a list", value, path, hint)
        items = [
            self.read(shape.item_type, item, f"{path}[{index}]", depth + 1)
            for index, item in enumerate(value)
        ]
        return BAD if any(item is BAD for item in items) else items

    def _map(self, shape: inspect.DictType, value: object, path: str, depth: int) -> Any:
        if not isinstance(value, dict):
            return self._mismatch("an object", value, path)
        is_text = isinstance(shape.value_type, inspect.StrType)
        result = {}
        for key, item in value.items():
            place = _key_path(path, key)
            name = self._text(key, place)
            # A null in a map of texts is Go's zero value.
            result[name] = (
                ""
                if item is None and is_text
                else self.read(shape.value_type, item, place, depth + 1)
            )
        return BAD if BAD in result or any(item is BAD for item in result.values()) else result

    def _any(self, value: object, path: str, depth: int) -> Any:
        if isinstance(value, dict):
            return self._map(_ANY_MAP, value, path, depth)
        if isinstance(value, list):
            return self._list(_ANY_LIST, value, path, depth)
        if isinstance(value, str):
            return self._text(value, path)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self._integer(value, path)
        return self._float(value, path)

    def _text(self, value: object, path: str) -> Any:
        if not isinstance(value, str):
            return self._mismatch("a string", value, path, "put the value in quotes")
        if not value.isascii() and not _is_unicode(value):
            return self._fail(path, f"{path}: not valid Unicode text")
        return value

    def _integer(self, value: object, path: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            return self._mismatch("a whole number", value, path)
        if value not in _INTEGERS:
            return self._fail(path, f"{path}: the number is out of range")
        return value

    def _float(self, value: object, path: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self._mismatch("a number", value, path)
        if isinstance(value, int):
            return self._integer(value, path)
        return value if math.isfinite(value) else self._fail(path, f"{path}: not a finite number")

    def _enum(self, cls: type[enum.Enum], value: object, path: str) -> Any:
        kind: type = int if issubclass(cls, int) else str
        if isinstance(value, bool) or not isinstance(value, kind):
            return self._mismatch("a whole number" if kind is int else "a string", value, path)
        try:
            return cls(value)
        except ValueError:
            text = _UNKNOWN_TEXTS.get(cls.__name__, "unknown value")
            hint = did_you_mean(str(value), [str(member.value) for member in cls])
            return self._fail(path, f'{text}: "{_shown(value)}"', hint or _one_of(cls))

    def _union(self, shape: inspect.UnionType, value: object, path: str, depth: int) -> Any:
        for option in shape.types:
            if _accepts(option, value):
                return self.read(option, value, path, depth)
        names = [_name(option) for option in shape.types]
        return self._mismatch(" or ".join(names), value, path)

    def _mismatch(self, wanted: str, value: object, path: str, hint: str = "") -> Any:
        where = f"{path}: " if path else ""
        return self._fail(path, f"{where}expected {wanted}, got {_describe(value)}", hint)

    def _fail(self, path: str, message: str, hint: str = "") -> Any:
        self.problems.append(Problem(path, message, hint))
        if len(self.problems) >= _MAX_PROBLEMS:
            raise TooMuchError
        return BAD

    def _count(self, path: str) -> None:
        self._values += 1
        if self._values > _MAX_VALUES:
            self.problems.append(Problem(path, f"the document has more than {_MAX_VALUES} values"))
            raise TooMuchError


_ANY_MAP = inspect.DictType(key_type=inspect.StrType(), value_type=inspect.AnyType())
_ANY_LIST = inspect.ListType(item_type=inspect.AnyType())
_UNKNOWN_TEXTS = {"JobType": "invalid job type", "NetworkType": "unknown network type"}
_PYTHON_TYPES: tuple[tuple[type[inspect.Type], type | tuple[type, ...], str], ...] = (
    (inspect.NoneType, type(None), "null"),
    (inspect.BoolType, bool, "a boolean"),
    (inspect.StrType, str, "a string"),
    (inspect.IntType, int, "a whole number"),
    (inspect.FloatType, (int, float), "a number"),
    (inspect.ListType, list, "a list"),
    (inspect.DictType, dict, "an object"),
    (inspect.StructType, dict, "an object"),
    (inspect.EnumType, (int, str), "a known value"),
    (inspect.AnyType, object, "anything"),
)


def _accepts(option: inspect.Type, value: object) -> bool:
    kind = next(kind for shape, kind, _ in _PYTHON_TYPES if isinstance(option, shape))
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _name(option: inspect.Type) -> str:
    return next(name for shape, _, name in _PYTHON_TYPES if isinstance(option, shape))


def _describe(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {_shown(value)}"
    if isinstance(value, str):
        return f'the string "{_shown(value)}"'
    return "a list" if isinstance(value, list) else "an object"


def _shown(value: object) -> str:
    """Return a value for a message: short, and printable everywhere."""
    if isinstance(value, int) and value not in _INTEGERS:
        return "out of range"
    text = str(value)
    text = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return text.encode("utf-8", "backslashreplace").decode()


def _key_path(path: str, key: object) -> str:
    text = _shown(key)
    return join_path(path, text) if text.isidentifier() else f'{path}["{text}"]'


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _choices(shape: inspect.Type) -> str:
    return _one_of(shape.cls) if isinstance(shape, inspect.EnumType) else ""


def _one_of(cls: type[enum.Enum]) -> str:
    return "one of " + ", ".join(str(member.value) for member in cls)
