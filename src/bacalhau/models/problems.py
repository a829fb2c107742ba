"""Collecting everything that is wrong with a document before saying so, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: JSON path of the field, such as ``Tasks[0].Engine.Type``; empty for the document.
        message: What is wrong, with the value where that helps.
        hint: What to do about it, or empty.
    """

    path: str
    message: str
    hint: str = ""

    @property
    def text(self) -> str:
        """The message, with the place where the message alone does not tell it."""
        is_nested = "." in self.path or "[" in self.path
        if not is_nested or self.message.startswith(self.path):
            return self.message
        return f"{self.message} (at {self.path})"


def join_path(path: str, name: str) -> str:
    """Append a field's name to a JSON path."""
    return f"{path}.{name}" if path else name


def raise_for(problems: Sequence[Problem]) -> None:
    """Raise one error for all problems, or return when there are none.

    Raises:
        ValidationError: a line for each problem, ``fields`` with their paths.
    """
    if not problems:
        return
    lines = [problem.text for problem in problems[:_MAX_SHOWN]]
    if len(problems) > _MAX_SHOWN:
        lines.append(f"and {len(problems) - _MAX_SHOWN} more problems")
    raise ValidationError(
        "\n".join(lines),
        hint="\n".join(dict.fromkeys(problem.hint for problem in problems if problem.hint)),
        fields=dict.fromkeys(problem.path for problem in problems if problem.path),
    )
