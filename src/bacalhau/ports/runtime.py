"""Time, chance and names, injected everywhere so that a simulation controls them."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall time and elapsed time. Waiting goes through the event loop, which may be virtual."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. Never goes back."""
        ...


class Random(Protocol):
    """A source of chance; ``random.Random`` is one."""

    def random(self) -> float:
        """A number from 0 up to but not including 1."""
        ...


class Ids(Protocol):
    """A source of identifiers."""

    def uuid(self) -> str:
        """A fresh UUID, version 4, in lower-case hex with dashes."""
        ...
