"""How long ago something was by a clock that may have been set since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bacalhau.ports import Clock

STEP_NS = 1_000_000_000
"""By how much wall time and elapsed time must part for the clock to count as set."""


@dataclass(slots=True)
class _Era:
    """A time in which nobody set the clock, in nanoseconds of elapsed time.

    ``ahead_ns`` is how far wall time was ahead of elapsed time at its beginning.
    """

    start_ns: int
    last_seen_ns: int
    ahead_ns: int


class WallTime:
    """Tells where moments that the clock showed would be on the clock as it is set now.

    So a time-out that counts from such a moment ends when it should, by elapsed time, although the
    clock was set in between. Of what happened before this process, the dates are believed, unless
    they are yet to come.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._eras: list[_Era] = []
        self._look()

    def now_ns(self) -> int:
        """Nanoseconds since 1970 as the clock shows them, having looked whether it was set."""
        self._look()
        return self._clock.now_ns()

    def present(self, moment_ns: int) -> int:
        """Return a moment of the past, in nanoseconds since 1970, by the clock of now."""
        now = self._look()
        era = self._era_of(moment_ns)
        if era is None:
            era = self._eras[0]
            # A clock that was ahead showed what is later than our start; it was before that.
            moment_ns = min(moment_ns, era.start_ns + era.ahead_ns)
        return moment_ns + now.ahead_ns - era.ahead_ns

    def _era_of(self, moment_ns: int) -> _Era | None:
        """Return the latest era in which the clock showed this; None for what is older than us."""
        for era in reversed(self._eras):
            elapsed_ns = moment_ns - era.ahead_ns
            if era.start_ns - STEP_NS < elapsed_ns < era.last_seen_ns + STEP_NS:
                return era
        return None

    def _look(self) -> _Era:
        elapsed_ns = int(self._clock.monotonic() * 1e9)
        ahead_ns = self._clock.now_ns() - elapsed_ns
        if self._eras and abs(ahead_ns - self._eras[-1].ahead_ns) < STEP_NS:
            self._eras[-1].last_seen_ns = elapsed_ns
            return self._eras[-1]
        # It was set at some time since the last look; until now, both may be true.
        start_ns = elapsed_ns
        if self._eras:
            start_ns, self._eras[-1].last_seen_ns = self._eras[-1].last_seen_ns, elapsed_ns
        self._eras.append(_Era(start_ns, elapsed_ns, ahead_ns))
        return self._eras[-1]
