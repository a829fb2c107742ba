"""One heap of moments at which a job needs a look (design: time, tasks, shutdown)."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.models import JobID
    from bacalhau.ports import Clock

LONGEST_NAP_SECONDS = 60.0


class Deadlines:
    """At most one moment for each job; kept as elapsed time, so that nobody can put it off."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moments: dict[JobID, float] = {}
        self._heap: list[tuple[float, JobID]] = []
        self._earlier = asyncio.Event()

    def __contains__(self, job_id: JobID) -> bool:
        return job_id in self._moments

    def set(self, job_id: JobID, moment_ns: int | None) -> None:
        """Replace a job's moment, in nanoseconds since 1970 as the clock is now, or remove it."""
        if moment_ns is None:
            self._moments.pop(job_id, None)
            return
        moment = self._clock.monotonic() + (moment_ns - self._clock.now_ns()) / 1e9
        self._moments[job_id] = moment
        heapq.heappush(self._heap, (moment, job_id))
        if self._heap[0] == (moment, job_id):
            self._earlier.set()

    async def run(self, fire: Callable[[JobID], None]) -> None:
        """Call ``fire`` once for each moment that has come, for ever."""
        while True:
            for job_id in self._due():
                fire(job_id)
            self._earlier.clear()
            try:
                async with asyncio.timeout(self._nap_seconds()):
                    await self._earlier.wait()
            except TimeoutError:
                continue

    def _due(self) -> list[JobID]:
        now = self._clock.monotonic()
        due = []
        while self._heap and self._heap[0][0] <= now:
            moment, job_id = heapq.heappop(self._heap)
            if self._moments.get(job_id) == moment:
                del self._moments[job_id]
                due.append(job_id)
        return due

    def _nap_seconds(self) -> float:
        if not self._heap:
            return LONGEST_NAP_SECONDS
        until = self._heap[0][0] - self._clock.monotonic()
        return min(max(until, 0.001), LONGEST_NAP_SECONDS)
