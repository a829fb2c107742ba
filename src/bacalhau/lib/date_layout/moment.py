"""A date with its time, as a layout sees it."""

from __future__ import annotations

import calendar
from datetime import date
from typing import NamedTuple

MONTHS = tuple(calendar.month_name[1:])
DAYS = tuple(calendar.day_name)


class Moment(NamedTuple):
    """What clocks show in some zone; years are 0 to 9999.

    ``offset_seconds`` is that of the zone, east of Greenwich; ``zone`` is empty for one that has
    no name.
    """

    year: int = 0
    month: int = 1
    day: int = 1
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0
    offset_seconds: int = 0
    zone: str = "UTC"

    @property
    def weekday(self) -> int:
        """The day of the week; Monday is 0."""
        return self._date.weekday()

    @property
    def year_day(self) -> int:
        """The day of the year, from 1."""
        return self._date.timetuple().tm_yday

    @property
    def _date(self) -> date:
        return date(recurring(self.year), self.month, self.day)


def recurring(year: int) -> int:
    """Return a year with the same calendar that ``datetime`` knows, too; it has no year 0."""
    return 2000 + year % 400
