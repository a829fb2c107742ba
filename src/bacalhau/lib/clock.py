"""The real clock."""

from __future__ import annotations

import time


class SystemClock:
    """Time of the machine; implements ``bacalhau.ports.Clock``."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC. May jump."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. Never goes back."""
        return time.monotonic()  # noqa: TID251 - this is the one place
