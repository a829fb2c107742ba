"""Guessing which known word a misspelt one was meant to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like a given one, whatever the case; "" for none."""
    from difflib import get_close_matches  # every command imports this module, few misspell

    by_folded = {name.lower(): name for name in known}
    near = get_close_matches(word.strip().lower(), list(by_folded), n=1)
    return by_folded[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question to ask about a misspelt word, or an empty text."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else ""
