"""Events of jobs and executions (spec cli.md 8.8, 10.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.table import Column, Fit
from bacalhau.cli.views.times import clock_time, event_date_and_time, month_and_time
from bacalhau.cli.visible import visible
from bacalhau.lib.timestamps import ZERO_TIME
from bacalhau.models.history import HistoryType, Topic
from bacalhau.models.ids import short_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bacalhau.models.history import Event, JobHistory

_BOLD_RED, _BOLD_GREEN = "1;31", "1;32"
_TIME_WIDTH, _ID_WIDTH, _TOPIC_WIDTH, _EVENT_WIDTH = 12, 10, 15, 90
_STYLED_KEYS = ("IsError", "Hint")


def event_text(event: Event, *, colour: bool = False, debug: bool = False) -> str:
    """Return an event in full: ``Error: `` before its message, its hint on the next line.

    With ``debug`` every other detail follows on a line of its own.
    """
    text = visible(event.message)
    if is_error(event):
        text = _paint("Error: ", _BOLD_RED, colour=colour) + text
    if hint := event.details.get("Hint"):
        text += "\n" + _paint("Hint: ", _BOLD_GREEN, colour=colour) + visible(hint)
    if debug:
        rest = sorted(key for key in event.details if key not in _STYLED_KEYS)
        text += "".join(visible(f"\n* {key}: {event.details[key]}") for key in rest)
    return text


def is_error(event: Event) -> bool:
    """True for events that tell of a failure."""
    return event.details.get("IsError") == "true"


def _paint(text: str, style: str, *, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text


def event_time(item: JobHistory) -> str:
    """Return when it happened, or when it was recorded if that is not known."""
    happened = item.event.timestamp
    return item.time if happened in ("", ZERO_TIME) else happened


def history_columns(*, colour: bool, debug: bool) -> list[Column[JobHistory]]:
    """Return the columns of `job history`."""
    return [
        Column("Time", lambda item: month_and_time(event_time(item))),
        Column("Level", lambda item: item.type, 15),
        Column("Exec. ID", lambda item: item.execution_id, _ID_WIDTH, Fit.SHORT_ID),
        *_what(colour=colour, debug=debug),
    ]


def event_columns(*, colour: bool, debug: bool) -> list[Column[JobHistory]]:
    """Return the columns of the histories within `job describe`."""
    return [
        Column("Time", lambda item: event_date_and_time(event_time(item)), 20),
        *_what(colour=colour, debug=debug),
    ]


def _what(*, colour: bool, debug: bool) -> list[Column[JobHistory]]:
    return [
        Column("Topic", lambda item: item.event.topic, _TOPIC_WIDTH, Fit.SOFT),
        Column(
            "Event",
            lambda item: event_text(item.event, colour=colour, debug=debug),
            _EVENT_WIDTH,
            Fit.SOFT_KEEP,
            is_painted=True,
        ),
    ]


def progress_columns(*, colour: bool, debug: bool) -> list[Column[JobHistory]]:
    """Return the columns of the table that grows while a job runs; all but the last are fixed."""
    return [
        Column("Time", lambda item: clock_time(event_time(item)), _TIME_WIDTH, minimum=_TIME_WIDTH),
        Column("Exec. ID", lambda item: short_id(item.execution_id), _ID_WIDTH, minimum=_ID_WIDTH),
        Column(
            "Topic",
            lambda item: item.event.topic,
            _TOPIC_WIDTH,
            Fit.SOFT,
            minimum=_TOPIC_WIDTH,
        ),
        Column(
            "Event",
            lambda item: event_text(item.event, colour=colour, debug=debug),
            _EVENT_WIDTH,
            Fit.SOFT_KEEP,
            is_painted=True,
        ),
    ]


class ProgressFilter:
    """Chooses the events worth showing while a job runs (spec cli.md 10.3).

    The first event, why the job waits, and those of executions. An error of the job itself is its
    end, and is told then. What goes wrong with an execution is held back until more happens, so
    that the same reason is not told twice when it is that of the job, too. How far an execution has
    come is shown when it has come further.
    """

    def __init__(self) -> None:
        self._is_first = True
        self._held: JobHistory | None = None
        self._doing: dict[str, str] = {}
        self._waits_for = ""

    def choose(self, items: Iterable[JobHistory]) -> Iterator[JobHistory]:
        """Yield the events to show of the next ones, in order."""
        for item in items:
            if not item.seq_num:
                if self._doing.get(item.execution_id) == item.event.message:
                    continue
                self._doing[item.execution_id] = item.event.message
            of_execution = item.type is HistoryType.EXECUTION_LEVEL
            if not of_execution and is_error(item.event):
                yield from self._unless_told_by(item)
            elif of_execution or self._is_first or self._waits_anew(item.event):
                yield from self.rest()
                if is_error(item.event) or "Hint" in item.event.details:
                    self._held = item
                else:
                    yield item
            self._is_first = False

    def rest(self) -> Iterator[JobHistory]:
        """Yield what is held back; nothing else is to come."""
        held, self._held = self._held, None
        if held is not None:
            yield held

    def _waits_anew(self, event: Event) -> bool:
        """True when the job waits for nodes, and for another reason than when that was told."""
        if event.topic != Topic.QUEUEING or event.message == self._waits_for:
            return False
        self._waits_for = event.message
        return True

    def _unless_told_by(self, end: JobHistory) -> Iterator[JobHistory]:
        if self._held is not None and self._held.event.message in end.event.message:
            self._held = None
        return self.rest()


def split_by_execution(items: Iterable[JobHistory]) -> dict[str, list[JobHistory]]:
    """Group events by execution, in order; those of the job are under the empty text."""
    groups: dict[str, list[JobHistory]] = {}
    for item in items:
        key = item.execution_id if item.type is HistoryType.EXECUTION_LEVEL else ""
        groups.setdefault(key, []).append(item)
    return groups
