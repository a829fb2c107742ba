"""Reading a moment by the elements of a layout, with the tolerance of Go's own reader."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bacalhau.lib.date_layout.moment import DAYS, MONTHS, Moment, recurring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bacalhau.lib.date_layout.pieces import Piece

# Element: the field, whether it always has two digits, and the values it may have.
_NUMBERS = {
    "01": ("month", True, range(1, 13)),
    "1": ("month", False, range(1, 13)),
    "02": ("day", True, range(100)),
    "_2": ("day", False, range(100)),
    "2": ("day", False, range(100)),
    "15": ("hour", False, range(24)),
    "03": ("hour", True, range(13)),
    "3": ("hour", False, range(13)),
    "04": ("minute", True, range(60)),
    "4": ("minute", False, range(60)),
    "05": ("second", True, range(60)),
    "5": ("second", False, range(60)),
}
_NAMES = {"January": MONTHS, "Monday": DAYS}
_NAMES |= {long[:3]: tuple(name[:3] for name in names) for long, names in _NAMES.items()}
_DIGIT = "[0-9]"
_ZONE = re.compile(
    r"ChST|MeST|(?:GMT)?[+-]0*(?:2[0-3]|1?[0-9])(?![0-9])|GMT"
    r"|(?:[A-Z]{4}T|[A-Z]{3}T|WITA|[A-Z]{3})(?![A-Z])"
)
_SHORTEST_ZONE = 3
_CENTURY_STARTS = 69


class UnreadableError(ValueError):
    """A text that is no date of the layout."""


def read_moment(pieces: Iterable[Piece], text: str, *, to_end: bool) -> Moment:
    """Read a date.

    Raises:
        UnreadableError: there is none; with ``to_end``, also when more text follows.
    """
    pieces = list(pieces)
    reader = _Reader(text)
    for index, piece in enumerate(pieces):
        if not piece.is_element:
            reader.skip(piece.text)
            continue
        reader.read(piece.text)
        following = next((each.text for each in pieces[index + 1 :] if each.is_element), "")
        if piece.text in ("05", "5") and not following.startswith((".", ",")):
            reader.unasked_fraction()
    if to_end and reader.rest:
        raise UnreadableError
    return reader.moment()


class _Reader:
    """What is left of a text, and what has been read of it."""

    def __init__(self, text: str) -> None:
        self.rest = text
        self._fields: dict[str, int] = {}
        self._half = ""
        self._year_day: int | None = None
        self._offset: int | None = None
        self._zone = ""
        self._is_utc = False

    def skip(self, literal: str) -> None:
        """Pass literal text; a blank stands for any number of them."""
        while literal:
            if literal[0] == " ":
                if self.rest and self.rest[0] != " ":
                    raise UnreadableError
                literal, self.rest = literal.lstrip(" "), self.rest.lstrip(" ")
                continue
            if self.rest[:1] != literal[0]:
                raise UnreadableError
            literal, self.rest = literal[1:], self.rest[1:]

    def read(self, element: str) -> None:
        """Read one element."""
        if element in _NUMBERS:
            self._read_number(element)
        elif element in _NAMES:
            self._read_name(element)
        elif element == "2006":
            self._fields["year"] = int(self._take(f"{_DIGIT}{{4}}"))
        elif element == "06":
            year = int(self._take(f"[+-]{_DIGIT}|{_DIGIT}{{2}}"))
            self._fields["year"] = year + (1900 if year >= _CENTURY_STARTS else 2000)
        elif element in ("002", "__2"):
            blanks = " {0,2}" if element == "__2" else ""
            self._take(blanks)
            self._year_day = int(self._take(f"{_DIGIT}{{3}}" if not blanks else f"{_DIGIT}{{1,3}}"))
        elif element in ("PM", "pm"):
            self._half = self._take("[AP]M" if element == "PM" else "[ap]m").upper()
        elif element == "MST":
            self._read_zone()
        elif element[0] in ".,":
            self._read_fraction(element)
        else:
            self._read_offset(element)

    def unasked_fraction(self) -> None:
        """Read a fraction that follows seconds, though the layout has none."""
        if re.match(f"[.,]{_DIGIT}", self.rest):
            self._note_fraction(self._take(f"[.,]{_DIGIT}+"))

    def _read_number(self, element: str) -> None:
        field, is_fixed, allowed = _NUMBERS[element]
        if element == "_2":
            self._take(" ?")
        value = int(self._take(f"{_DIGIT}{{2}}" if is_fixed else f"{_DIGIT}{{1,2}}"))
        if value not in allowed:
            raise UnreadableError
        self._fields[field] = value

    def _read_name(self, element: str) -> None:
        for number, name in enumerate(_NAMES[element], start=1):
            if self.rest[: len(name)].lower() == name.lower():
                self.rest = self.rest[len(name) :]
                if element.startswith("Jan"):
                    self._fields["month"] = number
                return
        raise UnreadableError

    def _read_fraction(self, element: str) -> None:
        if element[1] == "0":
            digits = len(element) - 1
            self._note_fraction(self._take(f"[.,][+0-9-]{_DIGIT}{{{digits - 1}}}"))
        elif re.match(f"[.,]{_DIGIT}", self.rest):
            self._note_fraction(self._take(f"[.,]{_DIGIT}+"))

    def _note_fraction(self, text: str) -> None:
        digits = text[1:10]
        if not digits.lstrip("+-") or int(digits) < 0:
            raise UnreadableError
        self._fields["nanosecond"] = int(digits) * 10 ** (9 - len(digits))

    def _read_offset(self, element: str) -> None:
        if element[0] == "Z" and self.rest.startswith("Z"):
            self.rest = self.rest[1:]
            self._is_utc = True
            return
        count = len(element.replace(":", "")) // 2
        colon = ":" if ":" in element else ""
        text = self._take("[+-]" + colon.join([f"{_DIGIT}{{2}}"] * count))
        parts = [int(part) for part in re.findall("..", text[1:].replace(":", ""))]
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        if hours > 24 or minutes > 60 or seconds > 60:
            raise UnreadableError
        total = hours * 3600 + minutes * 60 + seconds
        self._offset = -total if text[0] == "-" else total

    def _read_zone(self) -> None:
        if self.rest.startswith("UTC"):
            self.rest = self.rest[3:]
            self._is_utc = True
            return
        if len(self.rest) < _SHORTEST_ZONE:
            raise UnreadableError
        self._zone = self._take(_ZONE.pattern)

    def _take(self, pattern: str) -> str:
        match = re.match(pattern, self.rest)
        if match is None:
            raise UnreadableError
        self.rest = self.rest[match.end() :]
        return match[0]

    def moment(self) -> Moment:
        """Return what was read.

        Raises:
            UnreadableError: there is no such day.
        """
        fields = self._fields
        hour = fields.get("hour", 0)
        if self._half == "PM" and hour < 12:
            fields["hour"] = hour + 12
        elif self._half == "AM" and hour == 12:
            fields["hour"] = 0
        self._settle_day()
        return self._zoned(
            Moment(
                year=fields.get("year", 0),
                month=fields.get("month", 1),
                day=fields.get("day", 1),
                hour=fields.get("hour", 0),
                minute=fields.get("minute", 0),
                second=fields.get("second", 0),
                nanosecond=fields.get("nanosecond", 0),
            )
        )

    def _settle_day(self) -> None:
        """Give month and day, where the day of the year says them."""
        fields = self._fields
        year = recurring(fields.get("year", 0))
        if self._year_day is not None:
            if not 1 <= self._year_day <= 365 + calendar.isleap(year):
                raise UnreadableError
            found = datetime(year, 1, 1) + timedelta(days=self._year_day - 1)  # noqa: DTZ001
            for field, value in (("month", found.month), ("day", found.day)):
                if fields.setdefault(field, value) != value:
                    raise UnreadableError
        _, days = calendar.monthrange(year, fields.get("month", 1))
        if not 1 <= fields.get("day", 1) <= days:
            raise UnreadableError

    def _zoned(self, moment: Moment) -> Moment:
        if self._is_utc:
            return moment
        if self._offset is not None:
            zone = self._zone or ("" if self._offset else "UTC")
            return moment._replace(offset_seconds=self._offset, zone=zone)
        return moment._replace(zone=self._zone) if self._zone else moment
