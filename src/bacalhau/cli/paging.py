"""Flags that lists of the server have in common (spec cli.md 8.8, 8.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.flag import Flag
from bacalhau.cli.values import BOOL, STRING, UINT32
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence


def paging_flags(limit: int, orders: Sequence[str], *, short: str = "") -> tuple[Flag, ...]:
    """Return the flags that choose a part of a list; ``short`` is the letter of ``--limit``."""
    named = ", ".join(orders)
    return (
        Flag("limit", UINT32, limit, "Most rows to show; 0: all.", short=short),
        Flag("next-token", STRING, "", "Go on where an earlier list ended."),
        Flag("order-by", STRING, "", f"Sort by one of: {named}."),
        Flag("order-reversed", BOOL, False, "Reverse the order."),
    )


def check_word(flag: str, value: str, words: Sequence[str]) -> None:
    """See that the value of a flag is one of some words, whatever its case, or not given.

    Raises:
        UserError: it is another word.
    """
    if value and value.lower() not in words:
        listed = " ".join(f'"{word}"' for word in words)
        raise UserError(
            f"cannot use '{value}' as {flag} value, should be one of: [{listed}]", component="CLI"
        )


def requirements(selector: str) -> list[str]:
    """Return the requirements of a label selector, each in its canonical form.

    Raises:
        UserError: bad syntax.
    """
    from bacalhau.models.selectors import format_requirement, parse_selector

    try:
        return [format_requirement(requirement) for requirement in parse_selector(selector)]
    except UserError as exc:
        raise UserError(f"could not parse labels: {exc.message}", hint=exc.hint) from exc
