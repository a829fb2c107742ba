"""Writing YAML so that YAML 1.1 readers of any language read it back as it was.

The lists and maps, and the texts that need no thought, are written here: PyYAML takes a millisecond
for each job of a list. What needs thought it writes, and so it says what is right.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Block style; lists at the indentation of their key; texts in blocks where they have lines."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write values in full, also when they occur twice."""
        return True


# What readers of other YAML versions take for a boolean, a merge or a number.
_AMBIGUOUS = re.compile(
    r"[yYnN]|[=~]|<<|[-+]?0o[0-7]+|[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+"
)
# PyYAML would write some of these as they are, and read them back as spaces or not at all.
_UNPRINTABLE = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\U00010000-\U0010ffff]"
)
# Words that mean themselves to every reader, but for those that have a meaning of their own.
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_MEANING = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_KEY_LETTERS = 100
"""PyYAML writes longer keys in a form of their own."""
_END = "..."
_REMEMBERED = 1024


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    tag = "tag:yaml.org,2002:str"
    if _UNPRINTABLE.search(value):
        return dumper.represent_scalar(tag, value, style='"')
    if "\n" in value:
        return dumper.represent_scalar(tag, value, style="|")
    is_text = dumper.resolve(yaml.ScalarNode, value, (True, False)) == tag  # type: ignore[no-untyped-call]
    needs_quotes = not is_text or _AMBIGUOUS.fullmatch(value)
    return dumper.represent_scalar(tag, value, style='"' if needs_quotes else None)


_Dumper.add_representer(str, _text)


def dump_yaml(value: Any, *, indent: int = 2) -> str:
    """Return a value made of dicts, lists, texts, numbers, booleans and None as a document."""
    if not value or not isinstance(value, dict | list):
        return written_by_pyyaml(value, indent)
    lines: list[str] = []
    _add(lines, "", "", value, indent)
    if not lines[-1]:
        # The last text ends in empty lines: the end of the document shows that they belong to it.
        lines.append(_END)
    return "\n".join([*lines, ""])


def _add(lines: list[str], start: str, pad: str, value: Any, indent: int) -> None:
    """Add the lines of a full map or list: ``start`` before the first one, then ``pad``."""
    if isinstance(value, list):
        for item in value:
            _add_item(lines, start, pad, item, indent)
            start = pad
    elif all(map(_is_simple, value)):
        for key in sorted(value):
            _add_entry(lines, f"{start}{_scalar(key, indent)}:", pad, value[key], indent)
            start = pad
    else:
        _add_text(lines, start, pad, _without_end(written_by_pyyaml(value, indent)))


def _add_item(lines: list[str], start: str, pad: str, value: Any, indent: int) -> None:
    if value and isinstance(value, dict | list):
        _add(lines, f"{start}{'-':<{indent}}", pad + " " * indent, value, indent)
    else:
        _add_text(lines, f"{start}- ", pad, _scalar(value, indent))


def _add_entry(lines: list[str], key: str, pad: str, value: Any, indent: int) -> None:
    if value and isinstance(value, dict | list):
        lines.append(key)
        # Lists stand at the indentation of their key.
        below = pad + " " * indent if isinstance(value, dict) else pad
        _add(lines, below, below, value, indent)
    else:
        _add_text(lines, f"{key} ", pad, _scalar(value, indent))


def _add_text(lines: list[str], start: str, pad: str, text: str) -> None:
    first, *others = text.split("\n")
    lines.append(start + first)
    lines.extend(pad + line if line else line for line in others)


def _is_simple(key: Any) -> bool:
    return isinstance(key, str) and len(key) < _KEY_LETTERS and _WORDS.fullmatch(key) is not None


def _scalar(value: Any, indent: int) -> str:
    """Return a value as it stands behind a key; its further lines are indented once."""
    if isinstance(value, str):
        if _WORDS.fullmatch(value) and value.lower() not in _MEANING:
            return value
        return _thoughtful(value, indent)
    if isinstance(value, int):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return "null" if value is None else _behind_key(value, indent)


@lru_cache(_REMEMBERED)
def _thoughtful(text: str, indent: int) -> str:
    return _behind_key(text, indent)


def _behind_key(value: Any, indent: int) -> str:
    return _without_end(written_by_pyyaml({"k": value}, indent)).removeprefix("k: ")


def _without_end(document: str) -> str:
    return document[:-1].removesuffix(f"\n{_END}")


def written_by_pyyaml(value: Any, indent: int) -> str:
    """Return the document as PyYAML writes it: slowly, and with the right quotes for any text."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=True,
        indent=indent,
        default_flow_style=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return text
