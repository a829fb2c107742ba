"""Words for true and false, as Go reads them (spec cli.md 3.5, api.md W10)."""

from __future__ import annotations

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def parse_boolean(text: str) -> bool:
    """Return what a word means.

    Raises:
        ValueError: it is none of those.
    """
    if text not in _TRUE | _FALSE:
        raise ValueError("expected true or false")
    return text in _TRUE


def is_false(text: str) -> bool:
    """True for a word that says no; an empty one, or one that says nothing, does not."""
    return text in _FALSE
