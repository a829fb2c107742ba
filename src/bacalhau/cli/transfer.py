"""Showing how far a download is, and ending one that takes too long."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bacalhau.errors import Code, TransientError
from bacalhau.lib.units import format_bytes, format_duration

if TYPE_CHECKING:
    from bacalhau.cli.session import Session
    from bacalhau.client.meter import Meter, Progress
    from bacalhau.lib.clock import SystemClock

DRAWN_EVERY_SECONDS = 0.2
TOLD_EVERY_SECONDS = 10.0
_BAR_WIDTH = 20
_SMOOTHING = 0.2
_CLEAR = "\r\x1b[K"


class TransferView:
    """Draws a bar on a terminal; elsewhere it writes a line every ten seconds.

    ``limit_seconds`` is the longest time that the download may take, 0 is for ever;
    ``stall_seconds`` the longest in which nothing happens.
    """

    def __init__(
        self, session: Session, clock: SystemClock, *, limit_seconds: float, stall_seconds: float
    ) -> None:
        self._session = session
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._stall_seconds = stall_seconds
        self._is_animated = session.has_colour(session.stderr)
        self._begun_at = self._shown_at = self._alive_at = clock.monotonic()
        self._signs_of_life = 0
        self._rate = 0.0
        self._moved = 0

    def tick(self, meter: Meter) -> None:
        """Look at the download, and show it if it is time to.

        Raises:
            TransientError: code ``TimeOut``: it takes too long, or stands still.
        """
        now, progress = self._clock.monotonic(), meter.now()
        if self._limit_seconds and now - self._begun_at > self._limit_seconds:
            raise _too_long(
                f"the download did not finish within {format_duration(self._limit_seconds)}"
            )
        if progress.signs_of_life != self._signs_of_life:
            self._signs_of_life, self._alive_at = progress.signs_of_life, now
        elif now - self._alive_at > self._stall_seconds:
            raise _too_long(
                f"the download has stood still for {format_duration(self._stall_seconds)}"
            )
        every = DRAWN_EVERY_SECONDS if self._is_animated else TOLD_EVERY_SECONDS
        passed = now - self._shown_at
        if passed >= every:
            self._show(progress, passed)
            self._shown_at = now

    def close(self) -> None:
        """Take the bar away."""
        if self._is_animated:
            self._session.stderr.write(_CLEAR)
            self._session.stderr.flush()

    def give_up(self) -> None:
        """Say that nothing is lost when the user ends the download."""
        self.close()
        self._session.note("Interrupted. The same command goes on from here")

    def _show(self, progress: Progress, passed_seconds: float) -> None:
        fresh = (progress.moved_bytes - self._moved) / passed_seconds if passed_seconds else 0.0
        self._rate = fresh if not self._rate else self._rate + (fresh - self._rate) * _SMOOTHING
        self._moved = progress.moved_bytes
        if self._is_animated:
            width = shutil.get_terminal_size().columns - 1
            self._session.stderr.write(f"\r{_bar(progress, self._rate)[:width]}\x1b[K")
            self._session.stderr.flush()
        else:
            self._session.note(f"Fetched {_facts(progress, self._rate)}")


def _bar(progress: Progress, rate: float) -> str:
    facts = _facts(progress, rate)
    if not progress.total_bytes:
        return facts
    share = min(progress.done_bytes / progress.total_bytes, 1.0)
    filled = round(share * _BAR_WIDTH)
    return f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {share:4.0%}  {facts}"


def _facts(progress: Progress, rate: float) -> str:
    done, total = progress.done_bytes, progress.total_bytes
    facts = [f"{format_bytes(done)} of {format_bytes(total)}" if total else format_bytes(done)]
    if progress.files > 1:
        facts.append(f"{progress.done_files} of {progress.files} files")
    if rate >= 1:
        facts.append(f"{format_bytes(int(rate))}/s")
        if total:
            facts.append(f"{format_duration(float(round((total - done) / rate)))} left")
    return ", ".join(facts)


def _too_long(message: str) -> TransientError:
    return TransientError(
        message,
        code=Code.TIMED_OUT,
        hint="run it again, with a longer --download-timeout-secs: it goes on from here",
        component="CLI",
    )
