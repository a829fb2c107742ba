"""Words that somebody may have meant (spec cli.md 4)."""

from __future__ import annotations


def is_near(typed: str, known: str) -> bool:
    """Tell whether a word begins with what was typed, or differs from it by two edits at most."""
    return known.startswith(typed.lower()) or _edits(typed.lower(), known) <= 2


def _edits(one: str, other: str) -> int:
    """Return the Levenshtein distance of two texts."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, row = row, [i]
        for j, wanted in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted)))
    return row[-1]
