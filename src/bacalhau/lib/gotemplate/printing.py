"""Go's ``printf`` and its relatives, for the values of templates."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from bacalhau.lib.gotemplate import _verbs
from bacalhau.lib.gotemplate.literals import joined
from bacalhau.lib.gotemplate.values import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.lib.gotemplate.values import Budget, Value

_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width_index>\[[^\]%]*\])?(?P<width>\*|[0-9]+)?"
    r"(?:(?P<dot>\.)(?P<precision_index>\[[^\]%]*\])?(?P<precision>\*|[0-9]+)?)?",
    re.DOTALL,
)
_INDEX = re.compile(r"\[[^\]%]*\]")
_MOST = 1_000_000


def sprint(values: Sequence[Value], budget: Budget) -> str:
    """Put values side by side, with a blank between two that are no texts."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(shown(value, budget))
    return joined(parts)


def sprintln(values: Sequence[Value], budget: Budget) -> str:
    """Put values side by side with a blank between any two, and end the line."""
    return joined([" ".join(shown(value, budget) for value in values), "\n"])


def shown(value: Value, budget: Budget) -> str:
    """Return a value as it is written into the text."""
    text = value if isinstance(value, str) else _verbs.plain(value)
    budget.spend(len(text))
    return text


def sprintf(form: str, values: Sequence[Value], budget: Budget) -> str:
    """Fill values into a form. What does not fit is told in the text, as Go does."""
    return _Printer(form, values, budget).run()


class _Printer:
    def __init__(self, form: str, values: Sequence[Value], budget: Budget) -> None:
        self._form = form
        self._values = values
        self._budget = budget
        self._next = 0
        self._is_reordered = False
        self._is_good = True

    def run(self) -> str:
        parts: list[str] = []
        position = 0
        while (start := self._form.find("%", position)) >= 0:
            parts.append(self._form[position:start])
            match = _DIRECTIVE.match(self._form, start)
            assert match, "a percent sign begins a directive"
            layout = self._layout(match, parts)
            position = match.end()
            index = _INDEX.match(self._form, position)
            if index and not self._is_after_index(match):
                self._take_index(index[0])
                position = index.end()
            parts.append(self._spend(self._filled(self._form[position : position + 1], layout)))
            position += 1
        parts.append(self._form[position:])
        if not self._is_reordered and self._next < len(self._values):
            parts.append(self._spend(self._surplus()))
        return joined(parts)

    def _spend(self, text: str) -> str:
        self._budget.spend(len(text))
        return text

    def _surplus(self) -> str:
        told = []
        for value in self._values[self._next :]:
            named = "" if value is None else f"{type_name(value)}="
            told.append(f"{named}{_verbs.plain(value)}")
        return "%!(EXTRA " + ", ".join(told) + ")"

    def _layout(self, match: re.Match[str], parts: list[str]) -> _verbs.Layout:
        """Read flags, width and precision; what is wrong with them goes to the parts."""
        self._is_good = True
        flags = match["flags"]
        layout = _verbs.Layout(
            minus="-" in flags,
            plus="+" in flags,
            sharp="#" in flags,
            space=" " in flags,
            zero="0" in flags and "-" not in flags,
        )
        return self._with_precision(self._with_width(layout, match, parts), match, parts)

    def _is_after_index(self, match: re.Match[str]) -> bool:
        """Tell whether an index stands right before the verb already."""
        if match["dot"]:
            return match["precision_index"] is not None and match["precision"] != "*"
        return match["width_index"] is not None and match["width"] != "*"

    def _filled(self, verb: str, layout: _verbs.Layout) -> str:
        if not verb:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if not self._is_good:
            return f"%!{verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"%!{verb}(MISSING)"
        value = self._values[self._next]
        self._next += 1
        return _verbs.write(verb, value, layout)

    def _take_index(self, text: str | None) -> None:
        """Go to the value that ``[n]`` names, if it is given."""
        if text is None:
            return
        self._is_reordered = True
        digits = text[1:-1]
        number = int(digits) if digits.isdecimal() and len(digits) < 7 else 0
        if 1 <= number <= len(self._values):
            self._next = number - 1
        else:
            self._is_good = False

    def _with_width(
        self, layout: _verbs.Layout, match: re.Match[str], parts: list[str]
    ) -> _verbs.Layout:
        self._take_index(match["width_index"])
        text = match["width"]
        width = self._number(text)
        if text is not None and width is None:
            parts.append("%!(BADWIDTH)")
        if match["width_index"] and text != "*" and (text or match["dot"]):
            self._is_good = False
        if width is not None and width < 0:
            return replace(layout, width=-width, minus=True, zero=False)
        return replace(layout, width=width)

    def _with_precision(
        self, layout: _verbs.Layout, match: re.Match[str], parts: list[str]
    ) -> _verbs.Layout:
        if match["dot"] is None:
            return layout
        self._take_index(match["precision_index"])
        text = match["precision"]
        precision = 0 if text is None else self._number(text)
        if precision is None:
            parts.append("%!(BADPREC)")
        elif precision < 0:
            precision = None
            parts.append("%!(BADPREC)")
        return replace(layout, precision=precision)

    def _number(self, text: str | None) -> int | None:
        """Return a width or precision, from the next value for ``*``; None if it is no fair one."""
        if text != "*":
            return int(text) if text and len(text) <= 7 and int(text) <= _MOST else None
        if self._next >= len(self._values):
            return None
        value = self._values[self._next]
        self._next += 1
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
            return None
        return int(value)
