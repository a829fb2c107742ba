"""Layouts of dates: what stands for an element of a date, and what for itself.

Go writes a reference time, Mon Jan 2 15:04:05 MST 2006, as it should look; the texts of its
elements name the elements here. Texts are handled as bytes, one character of Latin-1 for each, as
the width of a layout counts bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bacalhau.lib.date_layout.moment import Moment
from bacalhau.lib.date_layout.pieces import Piece
from bacalhau.lib.date_layout.reading import UnreadableError, read_moment
from bacalhau.lib.date_layout.writing import write_moment

if TYPE_CHECKING:
    from collections.abc import Iterator

_GO_ELEMENTS = re.compile(
    r"""January | Jan(?![a-z]) | Monday | Mon(?![a-z]) | MST
    | 0[1-6] | 002 | 15 | 1 | 2006 | 2 | __2 | _2(?!006) | 3 | 4 | 5 | PM | pm
    | -(?:07:00:00|070000|07:00|0700|07) | Z(?:07:00:00|070000|07:00|0700|07)
    | [.,](?:0+|9+)(?![0-9])""",
    re.VERBOSE,
)
_DIRECTIVE = re.compile(r"%([A-Za-z%])")
_DIRECTIVES = {
    "Y": "2006",
    "y": "06",
    "m": "01",
    "d": "02",
    "e": "_2",
    "j": "002",
    "H": "15",
    "I": "03",
    "M": "04",
    "S": "05",
    "p": "PM",
    "b": "Jan",
    "h": "Jan",
    "B": "January",
    "a": "Mon",
    "A": "Monday",
    "z": "-0700",
    "Z": "MST",
}
_COMPOUNDS = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y"}
_WIDTH_VARIES = frozenset({"January", "Monday", "1", "2", "3", "4", "5", "MST"})
_EXAMPLES = (
    Moment(year=2006, month=1, day=2, hour=3, minute=4, second=5, nanosecond=600_000_000),
    Moment(year=2024, month=11, day=25, hour=22, minute=48, second=59, nanosecond=123_456_789),
)


class LayoutError(ValueError):
    """A text that no date can be read by."""


@dataclass(frozen=True)
class DateLayout:
    """How dates look. ``is_go`` False: the layout is one of ``strftime``."""

    text: str
    pieces: tuple[Piece, ...]
    is_go: bool

    @property
    def has_elements(self) -> bool:
        """False for a layout that is mere text."""
        return any(piece.is_element for piece in self.pieces)

    @property
    def varies_in_width(self) -> bool:
        """True where dates may be longer or shorter than a layout of Go."""
        elements = {piece.text for piece in self.pieces if piece.is_element}
        trims = any(element.startswith((".9", ",9")) for element in elements)
        return self.is_go and bool(trims or elements & _WIDTH_VARIES)

    def date_of(self, text: str) -> bytes | None:
        """Return the date at the beginning of a text, written by the layout; None without one.

        A layout of Go reads as many bytes as it has itself, which have to be a date and nothing
        else. One of ``strftime`` reads as far as the date goes.
        """
        data = text.encode().decode("latin-1")
        if self.is_go:
            if len(data) < self._width:
                return None
            data = data[: self._width]
        try:
            moment = read_moment(self.pieces, data, to_end=self.is_go)
        except UnreadableError:
            return None
        return write_moment(self.pieces, moment).encode("latin-1")

    @cached_property
    def _width(self) -> int:
        return len(self.text.encode())


def read_layout(text: str) -> DateLayout:
    """Read a layout; one with a directive such as ``%Y`` is one of ``strftime``.

    Raises:
        LayoutError: an unknown directive, or a layout that cannot read all dates it writes, as
            where a number of one or two digits is followed by another digit.
    """
    is_go = not re.search("%[A-Za-z]", text)
    data = text.encode().decode("latin-1")
    pieces = tuple(_go_pieces(data) if is_go else _directive_pieces(data))
    for example in _EXAMPLES:
        try:
            read_moment(pieces, write_moment(pieces, example), to_end=True)
        except UnreadableError as exc:
            raise LayoutError(text) from exc
    return DateLayout(text, pieces, is_go)


def _go_pieces(data: str) -> Iterator[Piece]:
    end = 0
    for match in _GO_ELEMENTS.finditer(data):
        yield Piece(data[end : match.start()], is_element=False)
        yield Piece(match[0], is_element=True)
        end = match.end()
    yield Piece(data[end:], is_element=False)


def _directive_pieces(data: str) -> Iterator[Piece]:
    for short, long in _COMPOUNDS.items():
        data = data.replace(short, long)
    end = 0
    for match in _DIRECTIVE.finditer(data):
        yield Piece(data[end : match.start()], is_element=False)
        end = match.end()
        if match[1] == "%":
            yield Piece("%", is_element=False)
        elif match[1] in _DIRECTIVES:
            yield Piece(_DIRECTIVES[match[1]], is_element=True)
        else:
            raise LayoutError(data)
    yield Piece(data[end:], is_element=False)
