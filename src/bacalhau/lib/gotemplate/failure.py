"""What is wrong with a template, and where."""

from __future__ import annotations

_MOST_LETTERS = 300


class TemplateError(ValueError):
    """A template that cannot be read, or not be carried out.

    ``str()`` is what Go's text/template says, so that scripts find what they look for.

    Attributes:
        reason: What is wrong, without the place.
        is_syntax: True when the template cannot be read at all, whatever the variables are.
        line: Counts from 1.
        column: In characters, counts from 1.
        missing: The variable that is asked for and does not exist, or empty.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        is_syntax: bool,
        line: int,
        column: int,
        missing: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_syntax = is_syntax
        self.line = line
        self.column = column
        self.missing = missing


def syntax_error(source: str, offset: int, reason: str) -> TemplateError:
    """Return an error in the text of a template; Go names the line only."""
    line, column = place(source, offset)
    reason = shortened(reason)
    return TemplateError(
        f"template: :{line}: {reason}", reason=reason, is_syntax=True, line=line, column=column
    )


def shortened(text: str) -> str:
    """Return a text that may quote a whole template, as far as people read it."""
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


def place(source: str, offset: int) -> tuple[int, int]:
    """Return line and column of an offset, both from 1."""
    start = source.rfind("\n", 0, offset) + 1
    return source.count("\n", 0, offset) + 1, offset - start + 1


def byte_column(source: str, offset: int) -> int:
    """Return the column as Go counts it: in bytes, from 0."""
    start = source.rfind("\n", 0, offset) + 1
    return len(source[start:offset].encode("utf-8", "surrogatepass"))
