"""Long work in threads that ends early when nobody waits for it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Stopped = Callable[[], bool]


class StoppedError(Exception):
    """Nobody waits for the result any more."""


def never() -> bool:
    """Tell that somebody waits; for work that is not to be stopped."""
    return False
