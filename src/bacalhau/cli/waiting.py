"""Watching a job until it ends (spec cli.md 10.3 to 10.6)."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from bacalhau.cli.grouping import GroupedProgress
from bacalhau.cli.job.logs import print_logs
from bacalhau.cli.table import TableStyle, render_table
from bacalhau.cli.views.events import ProgressFilter, progress_columns
from bacalhau.client import Page
from bacalhau.lib.clock import SystemClock
from bacalhau.models.history import HistoryType
from bacalhau.models.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bacalhau.cli.session import Session
    from bacalhau.client import Client
    from bacalhau.models.history import JobHistory

_POLL_SECONDS = 0.5
_FIRST_POLL_SECONDS = 0.05
_PAGE_SIZE = 10
_FRAME_SECONDS = 0.2
_START_POLLS = 10
_FISH = "🐟🐠🐡"
_TRACK_WIDTH = 21
_LINE_WIDTH = 40


def wait(
    session: Session,
    client: Client,
    job_id: str,
    *,
    timeout_seconds: float,
    long_running: bool,
    quiet: bool,
    grouped: bool = False,
) -> None:
    """Print events of a job until it ends, or for ``long_running`` ones until an execution starts.

    ``grouped`` shows a row for each execution instead of one for each event.

    Cancellation: KeyboardInterrupt passes through; the terminal is left in order.

    Raises:
        BacalhauError: the server cannot be asked.
    """
    progress = (GroupedProgress if grouped else _Progress)(session, quiet=quiet)
    deadline = SystemClock().monotonic() + timeout_seconds
    try:
        for items, is_last in _pages(client, job_id, progress, deadline):
            progress.show(items)
            if long_running and any(i.type is HistoryType.EXECUTION_LEVEL for i in items):
                return
            if not is_last and SystemClock().monotonic() > deadline:
                session.warn(
                    "Warning",
                    f"stopped watching after {timeout_seconds:g} seconds; the job is still running",
                )
                return
    finally:
        progress.finish()


def _pages(
    client: Client, job_id: str, progress: _Progress | GroupedProgress, deadline: float
) -> Iterator[tuple[Sequence[JobHistory], bool]]:
    """Yield events as they come, a list for each question, and whether it is the last there is."""
    token = ""
    delay = _FIRST_POLL_SECONDS
    while True:
        progress.sleep(min(delay, max(0.0, deadline - SystemClock().monotonic())))
        answer = client.history(job_id, Page(_PAGE_SIZE, token), event_type="all")
        token = answer.next_token
        yield answer.items, not token
        if not token:
            return
        # Short jobs are told of at once; the server of a long one is asked twice a second.
        full = len(answer.items) >= _PAGE_SIZE
        delay = 0.0 if full else min(_POLL_SECONDS, max(delay, _FIRST_POLL_SECONDS) * 2)


class _Progress:
    """The growing table, and on a terminal a fish that swims below it."""

    def __init__(self, session: Session, *, quiet: bool) -> None:
        self._session = session
        self._quiet = quiet
        self._animated = session.has_colour(session.stdout) and not quiet
        self._filter = ProgressFilter()
        self._columns = progress_columns(
            colour=session.has_colour(session.stdout), debug=session.is_debug
        )
        self._has_header = False
        self._frame = 0

    def show(self, items: Sequence[JobHistory]) -> None:
        """Print the events worth it, the header before the first."""
        for item in self._filter.choose(items):
            self._show_one(item)

    def finish(self) -> None:
        """Print what was held back, and leave the terminal in order."""
        for item in self._filter.rest():
            self._show_one(item)
        self.clear()

    def _show_one(self, item: JobHistory) -> None:
        if self._quiet:
            return
        self.clear()
        style = TableStyle(header=not self._has_header)
        self._has_header = True
        self._session.write(render_table(self._columns, [item], style))
        self._session.stdout.flush()

    def sleep(self, seconds: float) -> None:
        """Wait, moving the fish."""
        if not self._animated:
            time.sleep(seconds)
            return
        end = SystemClock().monotonic() + seconds
        while (left := end - SystemClock().monotonic()) > 0:
            self._draw()
            time.sleep(min(_FRAME_SECONDS, left))

    def clear(self) -> None:
        """Remove the animated line and give the cursor back."""
        if self._animated and self._frame:
            self._session.write("\r\x1b[K\x1b[?25h")
            self._session.stdout.flush()

    def _draw(self) -> None:
        if shutil.get_terminal_size().columns < _LINE_WIDTH:
            return  # It would be wrapped, and each frame would begin a new line.
        position = self._frame % _TRACK_WIDTH
        fish = _FISH[self._frame // _TRACK_WIDTH % len(_FISH)]
        track = "." * position + fish + "." * (_TRACK_WIDTH - position - 1)
        self._frame += 1
        self._session.write(f"\r\x1b[?25l\x1b[3m Processing   {track}\x1b[0m\x1b[K")
        self._session.stdout.flush()


def follow(session: Session, client: Client, job_id: str, *, quiet: bool) -> bool:
    """Print the output of a job until it ends; False if Ctrl-C ended it, quietly.

    Raises:
        BacalhauError: the job has no output to show, or the stream broke off.
    """
    if not quiet:
        session.say(f"Job successfully submitted. Job ID: {job_id}")
        session.say("Waiting for logs... (Ctrl+C leaves the job running)\n")
    try:
        _wait_for_start(client, job_id)
    except KeyboardInterrupt:
        return False
    return print_logs(session, client, job_id, follow=True)


def _wait_for_start(client: Client, job_id: str) -> None:
    """Give the job a few seconds to find a node, or to fail to."""
    delay = _FIRST_POLL_SECONDS
    for _ in range(_START_POLLS):
        if client.job(job_id).job.state.state_type is not JobState.PENDING:
            return
        time.sleep(delay)
        delay = min(delay * 2, 2.0)
