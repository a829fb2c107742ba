"""The date, on a machine whose clock may be set at any time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from bacalhau.ports import Clock

STEP_NS = 1_000_000_000
"""By how much wall time and elapsed time must part for the clock to count as set."""

KEPT_ERAS = 1000
"""How many settings of the clock are remembered; of what was before, the dates are believed."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Era:
    """A time in which nobody set the clock, in nanoseconds of elapsed time.

    ``ahead_ns`` is how far wall time was ahead of elapsed time at its beginning.
    """

    start_ns: int
    last_seen_ns: int
    ahead_ns: int


class WallTime:
    """A clock (``ports.Clock``) that remembers how it was set, and tells it in the log.

    It shows what the machine's clock shows. ``present`` tells where a moment that was shown would
    be on the clock as it is set now. So a time-out that counts from such a moment ends when it
    should, by elapsed time, although the clock was set in between. Of what happened before this
    process, the dates are believed, unless they are yet to come.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        elapsed_ns = int(clock.monotonic() * 1e9)
        first = _Era(elapsed_ns, elapsed_ns, clock.now_ns() - elapsed_ns)
        self._eras = deque([first], maxlen=KEPT_ERAS)

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC. May jump."""
        now_ns = self._clock.now_ns()
        self._note(self._clock.monotonic(), now_ns)
        return now_ns

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. Never goes back."""
        elapsed = self._clock.monotonic()
        self._note(elapsed, self._clock.now_ns())
        return elapsed

    def present(self, moment_ns: int) -> int:
        """Return a moment of the past, in nanoseconds since 1970, by the clock of now."""
        self.now_ns()
        era = self._era_of(moment_ns)
        if era is None:
            era = self._eras[0]
            # A clock that was ahead showed what is later than our start; it was before that.
            moment_ns = min(moment_ns, era.start_ns + era.ahead_ns)
        return moment_ns + self._eras[-1].ahead_ns - era.ahead_ns

    def _era_of(self, moment_ns: int) -> _Era | None:
        """Return the latest era in which the clock showed this; None for what is older than us."""
        for era in reversed(self._eras):
            elapsed_ns = moment_ns - era.ahead_ns
            if era.start_ns - STEP_NS < elapsed_ns < era.last_seen_ns + STEP_NS:
                return era
        return None

    def _note(self, elapsed_seconds: float, now_ns: int) -> None:
        elapsed_ns = int(elapsed_seconds * 1e9)
        era, ahead_ns = self._eras[-1], now_ns - elapsed_ns
        step_ns = ahead_ns - era.ahead_ns
        if abs(step_ns) >= STEP_NS:
            # It was set at some time since the last look; until now, both may be true.
            self._eras.append(_Era(era.last_seen_ns, elapsed_ns, ahead_ns))
            _tell(step_ns / 1e9)
        era.last_seen_ns = elapsed_ns


def _tell(seconds: float) -> None:
    if seconds > 0:
        log.info("clock_was_set_forward", seconds=round(seconds, 3))
    else:
        log.warning(
            "clock_was_set_back",
            seconds=round(-seconds, 3),
            hint="time-outs are kept; dates go back: let the machine's clock be kept by NTP",
        )
