"""YAML 1.1 as the job files of Bacalhau have always been read (spec cli.md 11.2).

``yes``, ``no``, ``on``, ``off``, ``y`` and ``n`` are booleans, ``012`` is octal, ``1_000`` is a
thousand; dates and times of day stay text. Unlike in v1.5.2, keys are text as they are written.

The parser is libyaml's. What its nodes mean is decided here, because PyYAML's own constructors
differ in all of these, accept a key given twice, and take exponential time on nested merges.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined] # missing in the stubs
from yaml.reader import ReaderError
from yaml.resolver import BaseResolver

if TYPE_CHECKING:
    from collections.abc import Callable

_TAG = "tag:yaml.org,2002:"
_MAX_DEPTH = 100
_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_INTEGER = re.compile(r"([-+]?)(?:0x([0-9a-fA-F]+)|0b([01]+)|0o?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_DIGITS = 400


class YamlError(ValueError):
    """Text that is not the YAML we read. Lines and columns count from 1.

    ``is_syntax``: it is not YAML at all.
    """

    def __init__(self, reason: str, line: int, column: int, *, is_syntax: bool = False) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column
        self.is_syntax = is_syntax


class _Parser(CParser, BaseResolver):
    """libyaml's composer with our idea of plain scalars."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        BaseResolver.__init__(self)


def _resolver(tag: str, pattern: str, first: str) -> None:
    _Parser.add_implicit_resolver(_TAG + tag, re.compile(f"^(?:{pattern})$"), list(first))


_resolver("bool", "|".join(sorted(_TRUE | _FALSE)), "yYnNtTfFoO")
_resolver("null", "~|null|Null|NULL|", "~nN")
_Parser.add_implicit_resolver(_TAG + "null", re.compile("^$"), [""])
_resolver("merge", "<<", "<")
_resolver("int", r"[-+]?(?:0[xob][0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789")
_resolver(
    "float", r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"
)
_resolver("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.")


def load_yaml(text: str) -> Any:
    """Read the document of a text into dicts, lists, texts, numbers, booleans and None.

    Aliases give the same object again, so the result may share parts. An empty
    text gives None. Documents behind the first may only be empty.

    Raises:
        YamlError: bad syntax, a key given twice, a second document, or something JSON could not
            say.
    """
    parser = _parser(text)
    try:
        node = parser.get_node() if parser.check_node() else None
        data = None if node is None else _Reader().read(node, 0)
        while parser.check_node():
            _require_nothing(parser.get_node())
        return data
    except yaml.MarkedYAMLError as exc:
        raise _marked(exc) from exc
    except ReaderError as exc:
        raise YamlError(exc.reason, *_place(text, exc.position)) from exc
    finally:
        parser.dispose()


def _parser(text: str) -> _Parser:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise YamlError("not valid Unicode text", *_place(text, exc.start)) from exc
    return _Parser(text)


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def _marked(error: yaml.MarkedYAMLError) -> YamlError:
    mark = error.problem_mark or error.context_mark
    reason = error.problem or error.context or "bad syntax"
    if reason.endswith("<document start>"):
        reason = "this stands behind the end of the document"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return YamlError(reason, line, column, is_syntax=True)


def _error(node: yaml.Node, reason: str) -> YamlError:
    return YamlError(reason, node.start_mark.line + 1, node.start_mark.column + 1)


class _Reader:
    """Turns nodes into data, each node once however many aliases name it."""

    def __init__(self) -> None:
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def read(self, node: yaml.Node, depth: int) -> Any:
        """Return the data of a node."""
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise _error(node, "refers to itself")
        if depth >= _MAX_DEPTH:
            raise _error(node, "nested too deeply")
        self._open.add(id(node))
        value: Any
        if isinstance(node, yaml.MappingNode):
            _require_tag(node, "map")
            value = self._mapping(node, depth)
        else:
            _require_tag(node, "seq")
            value = [self.read(item, depth + 1) for item in node.value]
        self._open.discard(id(node))
        self._done[id(node)] = value
        return value

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                for base in self._bases(value_node, depth):
                    merged = base | merged
                continue
            key = _key(key_node)
            if key in own:
                raise _error(key_node, f'key "{key}" is given twice')
            own[key] = self.read(value_node, depth + 1)
        return merged | own

    def _bases(self, node: yaml.Node, depth: int) -> list[dict[str, Any]]:
        value = self.read(node, depth + 1)
        bases = value if isinstance(value, list) else [value]
        if not all(isinstance(base, dict) for base in bases):
            raise _error(node, "<< needs a mapping or a list of mappings")
        return bases


def _key(node: yaml.Node) -> str:
    """Return a key as it is written: ``N: 1`` is about N, not about a boolean."""
    if not isinstance(node, yaml.ScalarNode):
        raise _error(node, "a key must be plain text")
    return str(node.value)


def _require_nothing(node: yaml.Node | None) -> None:
    if node is not None and node.tag != _TAG + "null":
        raise _error(node, "a second document begins here, and only one is read")


def _require_tag(node: yaml.Node, tag: str) -> None:
    if node.tag != _TAG + tag:
        raise _error(node, f"tag {node.tag} is not supported")


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    read = _SCALARS.get(node.tag)
    if read is None:
        raise _error(node, f"tag {node.tag} is not supported")
    try:
        return read(node.value)
    except ValueError as exc:
        raise _error(node, str(exc)) from exc


def _boolean(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f'"{text}" is not a boolean')


def _null(text: str) -> None:
    if text not in _NULL:
        raise ValueError(f'"{text}" is not null')


def _integer(text: str) -> int | float:
    digits = text.replace("_", "")
    match = _INTEGER.fullmatch(digits)
    if len(digits) > _MAX_DIGITS or match is None:
        return _float(text)
    sign, *parts = match.groups()
    base, part = next(pair for pair in zip((16, 2, 8, 10), parts, strict=True) if pair[1])
    return int(sign + part, base)


def _float(text: str) -> float:
    digits = text.replace("_", "")
    if not _FLOAT.fullmatch(digits):
        raise ValueError(f'"{text}" is not a number that JSON can say')
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large")
    return value


_SCALARS: dict[str, Callable[[str], str | int | float | bool | None]] = {
    _TAG + "str": str,
    _TAG + "merge": str,
    _TAG + "bool": _boolean,
    _TAG + "null": _null,
    _TAG + "int": _integer,
    _TAG + "float": _float,
}
