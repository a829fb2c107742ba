"""The real clock, and one that does not go back."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SLEW = 0.1
STEP_SECONDS = 1.0


class SystemClock:
    """Time of the machine; implements ``bacalhau.ports.Clock``."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC. May jump."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. Never goes back."""
        return time.monotonic()  # noqa: TID251 - this is the one place


class _Clock(Protocol):
    def now_ns(self) -> int: ...
    def monotonic(self) -> float: ...


class SteadyClock:
    """The time of another clock, without its steps back; implements ``bacalhau.ports.Clock``.

    Times are stored and compared; a date that is set back must neither stretch a time-out nor
    order events wrongly. So this clock never goes back: it goes slower by a tenth until the other
    has caught up. Steps forward are followed at once, as a machine that slept makes them.

    Args:
        clock: The clock to follow.
        notice: Called when the other clock was set back, with the seconds that it is behind.
    """

    def __init__(self, clock: _Clock, notice: Callable[[float], None]) -> None:
        self._clock = clock
        self._notice = notice
        self._lock = threading.Lock()
        self._shown_ns = clock.now_ns()
        self._read_at = clock.monotonic()
        self._is_ahead = False

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC; never less than before. Any thread may ask."""
        with self._lock:
            read_at, now_ns = self._clock.monotonic(), self._clock.now_ns()
            elapsed_ns = max(0, int((read_at - self._read_at) * 1e9))
            slowed_ns = self._shown_ns + int(elapsed_ns * (1 - SLEW))
            self._read_at = max(read_at, self._read_at)
            self._shown_ns = max(now_ns, slowed_ns)
            ahead = (self._shown_ns - now_ns) / 1e9
            is_news = ahead > STEP_SECONDS and not self._is_ahead
            self._is_ahead = ahead > STEP_SECONDS
        if is_news:
            self._notice(ahead)
        return self._shown_ns

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. Never goes back."""
        return self._clock.monotonic()
