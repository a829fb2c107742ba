"""The live table of `--group-events`: a row for each execution (spec cli.md 10.1)."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from bacalhau.cli.table import TableStyle, render_table, visible_length
from bacalhau.cli.views.events import ProgressFilter, progress_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session
    from bacalhau.models.history import JobHistory

_SPARE_LINES = 3
"""Lines of the terminal that stay free: the header, a wrapped row, the cursor."""


class GroupedProgress:
    """Keeps the last event of each execution, and the job's own in a row without an id.

    On a terminal the table is drawn again in its place with every news, as far as it fits on the
    screen; elsewhere, and at the end, it is printed once and in full.
    """

    def __init__(self, session: Session, *, quiet: bool) -> None:
        self._session = session
        self._quiet = quiet
        self._colour = session.has_colour(session.stdout)
        self._filter = ProgressFilter()
        self._last: dict[str, JobHistory] = {}
        self._drawn = ""

    def show(self, items: Sequence[JobHistory]) -> None:
        """Take in the events worth showing; on a terminal, draw."""
        chosen = list(self._filter.choose(items))
        self._last.update((item.execution_id, item) for item in chosen)
        if chosen and self._colour:
            rows = shutil.get_terminal_size().lines - _SPARE_LINES
            self._draw(list(self._last.values())[-max(rows, 1) :])

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def finish(self) -> None:
        """Print the table in full."""
        self._last.update((item.execution_id, item) for item in self._filter.rest())
        if self._last:
            self._draw(list(self._last.values()))

    def _draw(self, rows: Sequence[JobHistory]) -> None:
        if self._quiet:
            return
        columns = progress_columns(colour=self._colour, debug=self._session.is_debug)
        text = render_table(columns, rows, TableStyle())
        # The terminal may have another width than when that was drawn.
        back = f"\x1b[{_height(self._drawn)}A\x1b[J" if self._drawn else ""
        self._session.write(back + text)
        self._session.stdout.flush()
        self._drawn = text if self._colour else ""


def _height(text: str) -> int:
    """Return how many lines of the terminal a text takes, long ones being wrapped."""
    width = max(shutil.get_terminal_size().columns, 1)
    return sum(-(-max(visible_length(line), 1) // width) for line in text.splitlines())
