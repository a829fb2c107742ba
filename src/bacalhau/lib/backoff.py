"""How long to wait before trying again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow by ``factor`` up to a maximum, spread by chance so that peers fall apart."""

    initial_seconds: float
    maximum_seconds: float
    factor: float = 2.0

    def delay(self, attempt: int, draw: float) -> float:
        """Return seconds to wait after failed attempt number ``attempt``, counted from 0.

        ``draw`` is a random number from 0 up to but not including 1; the delay lies between half
        and all of the bound.
        """
        bound = self.initial_seconds
        for _ in range(attempt):
            if bound >= self.maximum_seconds or self.factor <= 1:
                break
            bound *= self.factor
        bound = min(bound, self.maximum_seconds)
        return bound * (0.5 + draw / 2)
