"""Moments at which a job needs a look (design: time, tasks, shutdown)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.models import JobID
    from bacalhau.ports import Clock


class Deadlines:
    """At most one moment for each job; kept as elapsed time, so that nobody can put it off."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: dict[JobID, asyncio.TimerHandle] = {}
        self._due: asyncio.Queue[JobID] = asyncio.Queue()

    def __contains__(self, job_id: JobID) -> bool:
        return job_id in self._timers

    def set(self, job_id: JobID, moment_ns: int | None) -> None:
        """Replace a job's moment, in nanoseconds since 1970 as the clock is now, or remove it."""
        timer = self._timers.pop(job_id, None)
        if timer is not None:
            timer.cancel()
        if moment_ns is not None:
            left_seconds = (moment_ns - self._clock.now_ns()) / 1e9
            loop = asyncio.get_running_loop()
            self._timers[job_id] = loop.call_later(left_seconds, self._has_come, job_id)

    def _has_come(self, job_id: JobID) -> None:
        del self._timers[job_id]
        self._due.put_nowait(job_id)

    async def run(self, fire: Callable[[JobID], None]) -> None:
        """Call ``fire`` once for each moment that has come, for ever.

        Cancellation: all moments are forgotten.
        """
        try:
            while True:
                fire(await self._due.get())
        finally:
            for job_id in tuple(self._timers):
                self.set(job_id, None)
