"""Writing YAML so that YAML 1.1 readers of any language read it back as it was."""

from __future__ import annotations

import re
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
