"""Writing a moment by the elements of a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lib.date_layout.moment import DAYS, MONTHS, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bacalhau.lib.date_layout.pieces import Piece

_WRITERS: dict[str, Callable[[Moment], str]] = {
    "2006": lambda at: f"{at.year:04}",
    "06": lambda at: f"{at.year % 100:02}",
    "January": lambda at: MONTHS[at.month - 1],
    "Jan": lambda at: MONTHS[at.month - 1][:3],
    "01": lambda at: f"{at.month:02}",
    "1": lambda at: f"{at.month}",
    "Monday": lambda at: DAYS[at.weekday],
    "Mon": lambda at: DAYS[at.weekday][:3],
    "02": lambda at: f"{at.day:02}",
    "_2": lambda at: f"{at.day:2}",
    "2": lambda at: f"{at.day}",
    "002": lambda at: f"{at.year_day:03}",
    "__2": lambda at: f"{at.year_day:3}",
    "15": lambda at: f"{at.hour:02}",
    "03": lambda at: f"{_on_the_dial(at):02}",
    "3": lambda at: f"{_on_the_dial(at)}",
    "04": lambda at: f"{at.minute:02}",
    "4": lambda at: f"{at.minute}",
    "05": lambda at: f"{at.second:02}",
    "5": lambda at: f"{at.second}",
    "PM": lambda at: "PM" if at.hour >= 12 else "AM",
    "pm": lambda at: "pm" if at.hour >= 12 else "am",
    "MST": lambda at: at.zone or _offset("-0700" if at.offset_seconds % 3600 else "-07", at),
}


def write_moment(pieces: Iterable[Piece], moment: Moment) -> str:
    """Write a moment by a layout."""
    return "".join(
        _element(piece.text, moment) if piece.is_element else piece.text for piece in pieces
    )


def _element(element: str, moment: Moment) -> str:
    writer = _WRITERS.get(element)
    if writer is not None:
        return writer(moment)
    if element[0] in ".,":
        return _fraction(element, moment)
    return "Z" if element[0] == "Z" and not moment.offset_seconds else _offset(element, moment)


def _fraction(element: str, moment: Moment) -> str:
    digits = f"{moment.nanosecond:09}".ljust(len(element) - 1, "0")[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
    return element[0] + digits if digits else ""


def _offset(element: str, moment: Moment) -> str:
    """Write an offset as ``-07``, ``-0700``, ``-07:00``, ``-070000`` or ``-07:00:00`` does."""
    minutes, seconds = divmod(abs(moment.offset_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    count = len(element.replace(":", "")) // 2
    written = [f"{part:02}" for part in (hours, minutes, seconds)[:count]]
    sign = "-" if moment.offset_seconds < 0 else "+"
    return sign + (":" if ":" in element else "").join(written)


def _on_the_dial(moment: Moment) -> int:
    return moment.hour % 12 or 12
