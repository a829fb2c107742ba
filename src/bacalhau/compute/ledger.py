"""Who uses how much of this node, and whose turn it is (spec orchestration.md 6.1, 6.3)."""

from __future__ import annotations

import asyncio
import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from bacalhau.models import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models import ExecutionID


@dataclass(frozen=True, slots=True, order=True)
class _Waiting:
    """A queued execution; the fields in this order give its turn."""

    rank: int
    arrival: int
    execution_id: ExecutionID = field(compare=False)
    resources: Resources = field(compare=False)


class Ledger:
    """Capacity in use, and the queue for it.

    The queue is in order of priority, and of arrival among equals. The first that fits starts, so
    smaller work overtakes what has to wait for room.

    Invariants: what runs fits into the capacity in every dimension; nothing in the queue would fit
    into what is free.

    ``someone_waits`` is set for as long as the queue is not empty.
    """

    def __init__(self, capacity: Resources) -> None:
        self.capacity = capacity
        self._running: dict[ExecutionID, Resources] = {}
        self._used = Resources()
        self._waiting: dict[ExecutionID, _Waiting] = {}
        self._queue: list[_Waiting] = []
        self._arrivals = 0
        self.someone_waits = asyncio.Event()

    @property
    def running(self) -> Resources:
        """What the running executions hold."""
        return self._used

    @property
    def queued(self) -> Resources:
        """What the waiting executions ask for."""
        return sum((waiting.resources for waiting in self._queue), Resources())

    @property
    def running_count(self) -> int:
        """How many executions run."""
        return len(self._running)

    @property
    def queued_count(self) -> int:
        """How many executions wait."""
        return len(self._queue)

    def queue(self) -> Iterator[tuple[ExecutionID, Resources]]:
        """Yield who waits, and for what, in the order of their turns."""
        for waiting in self._queue:
            yield waiting.execution_id, waiting.resources

    def __contains__(self, execution_id: object) -> bool:
        """Tell whether an execution is queued or running."""
        return execution_id in self._running or execution_id in self._waiting

    def can_ever_hold(self, resources: Resources) -> bool:
        """Tell whether an empty node would have room for this much."""
        return resources.fits_into(self.capacity)

    def enter(self, execution_id: ExecutionID, resources: Resources, priority: int) -> bool:
        """Let an execution start now, or queue it; return whether it starts."""
        assert execution_id not in self, "an execution is queued or running once"
        assert self.can_ever_hold(resources), "what can never start is refused, not queued"
        if resources.fits_into(self.capacity - self._used):
            self._begin(execution_id, resources)
            return True
        self._arrivals += 1
        waiting = _Waiting(-priority, self._arrivals, execution_id, resources)
        self._waiting[execution_id] = waiting
        bisect.insort(self._queue, waiting)
        self.someone_waits.set()
        return False

    def withdraw(self, execution_id: ExecutionID) -> bool:
        """Take an execution out of the queue; return False when it is not there."""
        waiting = self._waiting.pop(execution_id, None)
        if waiting is None:
            return False
        del self._queue[bisect.bisect_left(self._queue, waiting)]
        self._note_emptiness()
        return True

    def held(self, execution_id: ExecutionID) -> Resources:
        """Return what a running execution holds, with the GPUs that were chosen for it."""
        return self._running[execution_id]

    def leave(self, execution_id: ExecutionID) -> list[ExecutionID]:
        """Free what an execution holds; return those that start in its place, in order."""
        self._used -= self._running.pop(execution_id)
        free = self.capacity - self._used
        started, still_waiting = [], []
        for waiting in self._queue:
            if waiting.resources.fits_into(free):
                free = free - waiting.resources
                started.append(waiting.execution_id)
                self._begin(waiting.execution_id, waiting.resources)
                del self._waiting[waiting.execution_id]
            else:
                still_waiting.append(waiting)
        self._queue = still_waiting
        self._note_emptiness()
        return started

    def _note_emptiness(self) -> None:
        if not self._queue:
            self.someone_waits.clear()

    def _begin(self, execution_id: ExecutionID, resources: Resources) -> None:
        """Choose GPUs that nobody uses; an execution that goes on after a restart has its own."""
        if resources.gpu and not resources.gpus:
            free = (self.capacity - self._used).gpus
            resources = msgspec.structs.replace(resources, gpus=free[: resources.gpu])
        self._running[execution_id] = resources
        self._used += resources
