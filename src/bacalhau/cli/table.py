"""Tables as text (spec cli.md 6.2, 6.3). Pure: rows in, text out."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bacalhau.cli.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Row = TypeVar("Row")

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_HEADER_STYLE = "92;100"
_ROW_STYLES = ("97;40", "37;40")


class Fit(enum.Enum):
    """How a cell is brought to the width of its column."""

    WRAP = "cut anywhere, go on in the next line"
    SOFT = "break at spaces, longer words anywhere"
    SOFT_KEEP = "break at the first space behind the width, keep line breaks"
    SHORT_ID = "keep the letter and eight hex digits of an identifier"
    SHORT_TIME = "keep the time of a date and time"


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column: its name, what of a row it shows, and how wide it may get. Width 0: as needed.

    ``minimum`` is the least width; cells are padded to it. Control characters are written out but
    in a column that ``is_painted``: it has taken care of what is not its own.
    """

    name: str
    value: Callable[[Row], str]
    width: int = 0
    fit: Fit = Fit.WRAP
    minimum: int = 0
    is_painted: bool = False


@dataclass(frozen=True, slots=True)
class TableStyle:
    """How a table looks: with its header line, as wide as its values, in colour."""

    header: bool = True
    wide: bool = False
    colour: bool = False


def render_table(
    columns: Sequence[Column[Row]], rows: Iterable[Row], style: TableStyle = TableStyle()
) -> str:
    """Return a table; every line ends with a newline, and with a space before it."""
    header = [_fitted(column.name.upper(), column, style) for column in columns]
    body = [[_fitted(column.value(row), column, style) for column in columns] for row in rows]
    shown = [header, *body] if style.header else body
    widths = [
        max([column.minimum, *(visible_length(line) for row in shown for line in row[index])])
        for index, column in enumerate(columns)
    ]
    blocks = [_block(row, widths) for row in shown]
    if style.colour:
        blocks = _painted(blocks, has_header=style.header)
    return "".join(f"{line}\n" for block in blocks for line in block)


def render_csv(columns: Sequence[Column[Row]], rows: Iterable[Row], *, header: bool = True) -> str:
    """Return the same values in full, comma separated, without colours."""
    from bacalhau.cli.csv_record import write_field

    lines = [[column.name for column in columns]] if header else []
    lines += [[plain(column.value(row)) for column in columns] for row in rows]
    return "".join(",".join(map(write_field, line)) + "\n" for line in lines)


def plain(text: str) -> str:
    """Return text without colours."""
    return _ANSI.sub("", text)


def visible_length(text: str) -> int:
    """Return how many characters a terminal shows."""
    return len(plain(text))


def _fitted(text: str, column: Column[Row], style: TableStyle) -> list[str]:
    """Return the lines of a cell."""
    if not column.is_painted:
        text = visible(text)
    if style.wide or not column.width:
        return text.split("\n")
    if column.fit is Fit.SHORT_ID:
        from bacalhau.models.ids import short_id

        text = short_id(text)
    elif column.fit is Fit.SHORT_TIME:
        text = text.rpartition(" ")[2]
    elif column.fit is Fit.SOFT:
        return _soft(text, column.width)
    elif column.fit is Fit.SOFT_KEEP:
        return [part for line in text.split("\n") for part in _break_behind(line, column.width)]
    return [part for line in text.split("\n") for part in _hard(line, column.width)]


def _hard(text: str, width: int) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)] or [""]


def _soft(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if len(joined) <= width:
            lines[-1] = joined
        else:
            parts = _hard(word, width)
            lines += parts if lines[-1] else []
            lines = lines if lines[-1] else [*lines[:-1], *parts]
    return lines


def _break_behind(line: str, width: int) -> list[str]:
    parts = []
    start = 0
    for space in (i for i, letter in enumerate(line) if letter == " "):
        if visible_length(line[start:space]) >= width:
            parts.append(line[start:space])
            start = space + 1
    return [*parts, line[start:]]


def _block(row: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Return the lines of a row whose cells may have several."""
    height = max(map(len, row))
    return [
        "".join(
            _cell(lines[number] if number < len(lines) else "", width)
            for lines, width in zip(row, widths, strict=True)
        )
        for number in range(height)
    ]


def _cell(text: str, width: int) -> str:
    return f" {text}{' ' * (width - visible_length(text))} "


def _painted(blocks: list[list[str]], *, has_header: bool) -> list[list[str]]:
    painted = []
    for index, block in enumerate(blocks):
        row = index - 1 if has_header else index
        style = _HEADER_STYLE if row < 0 else _ROW_STYLES[row % 2]
        painted.append([f"\x1b[{style}m{line}\x1b[0m" for line in block])
    return painted
