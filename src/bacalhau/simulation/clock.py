"""A machine's clock, which somebody sets now and then."""

from __future__ import annotations

from bacalhau.testing.loop import VirtualClock


class MachineClock(VirtualClock):
    """A wall clock that can be set; its monotonic time goes on as before."""

    def __init__(self, *, offset_ns: int = 0) -> None:
        super().__init__(offset_ns=offset_ns)
        self._set_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since 1970 as this machine believes."""
        return super().now_ns() + self._set_ns

    def put_forward(self, seconds: float) -> None:
        """Set the clock; a negative number sets it back."""
        self._set_ns += round(seconds * 1e9)
