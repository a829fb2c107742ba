"""What this node is fetching at the moment, for people who wait for it.

Progress is of interest while it lasts, and is written nowhere: the orchestrator keeps the latest
word of each execution in memory. See ``protocol.messages.Underway``.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bacalhau.lifecycle.events import event
from bacalhau.models import Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models import Event, ExecutionID
    from bacalhau.ports import InputPlan

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


class InputWatch:
    """How far the inputs of one execution have come. ``advance`` is a ``ports`` ``Progress``."""

    def __init__(self) -> None:
        self._size_bytes = 0
        self._objects = 0
        self._fetched_bytes = 0
        self._fetched_objects = 0

    def expect(self, plan: InputPlan) -> None:
        """Note what another input consists of."""
        self._size_bytes += plan.size_bytes
        self._objects += len(plan.objects)
        # Directories and their markers are not fetched.
        directories = [item for item in plan.objects if item.is_directory]
        self.advance(sum(item.size_bytes for item in directories), len(directories))

    def advance(self, size_bytes: int, objects: int) -> None:
        """Note what has arrived since the last call."""
        self._fetched_bytes += size_bytes
        self._fetched_objects += objects

    @property
    def text(self) -> str:
        """How far it is, for people; empty as long as nothing is known."""
        if not self._objects:
            return ""
        objects = f"{min(self._fetched_objects, self._objects)} of {self._objects}"
        noun = "object" if self._objects == 1 else "objects"
        sizes = _of(min(self._fetched_bytes, self._size_bytes), self._size_bytes)
        return f"Fetching inputs: {objects} {noun}, {sizes}"


class Fetching:
    """The executions whose inputs are being fetched."""

    def __init__(self) -> None:
        self._watches: dict[ExecutionID, InputWatch] = {}
        self._begun = asyncio.Event()

    @contextmanager
    def watch(self, execution_id: ExecutionID) -> Iterator[InputWatch]:
        """Tell of an execution for as long as the context is entered."""
        watch = self._watches[execution_id] = InputWatch()
        self._begun.set()
        try:
            yield watch
        finally:
            del self._watches[execution_id]
            if not self._watches:
                self._begun.clear()

    async def wait_any(self) -> None:
        """Wait until something is being fetched."""
        await self._begun.wait()

    def events(self, now_ns: int) -> dict[ExecutionID, Event]:
        """Return one event for each execution of which there is something to tell."""
        return {
            execution_id: event(now_ns, Topic.DOWNLOADING_INPUTS, watch.text)
            for execution_id, watch in self._watches.items()
            if watch.text
        }


def _of(done_bytes: int, total_bytes: int) -> str:
    """Write two sizes in the unit that suits the larger one."""
    power = 0
    while power < len(_UNITS) - 1 and total_bytes >= 1000 ** (power + 1):
        power += 1
    if power == 0:
        return f"{done_bytes} of {total_bytes} {_UNITS[0]}"
    size = 1000**power
    return f"{done_bytes / size:.1f} of {total_bytes / size:.1f} {_UNITS[power]}"
