"""How far inputs have been fetched and results published, for people who wait for it.

Progress is of interest while it lasts, and is written nowhere: the orchestrator keeps the latest
word of each execution in memory. See ``protocol.messages.Underway``.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bacalhau.lifecycle.events import event
from bacalhau.models import Topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from bacalhau.models import Event, ExecutionID
    from bacalhau.ports import InputPlan
    from bacalhau.ports.plugin import Progress

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


@dataclass(slots=True)
class _Amount:
    """How much there is of something, and is done. What grows meanwhile is never more than all."""

    noun: str
    size_bytes: int = 0
    objects: int = 0
    done_bytes: int = 0
    done_objects: int = 0

    def advance(self, size_bytes: int, objects: int) -> None:
        """Note what was done since the last call; a ``ports.plugin`` ``Progress``."""
        self.done_bytes += size_bytes
        self.done_objects += objects

    @property
    def text(self) -> str:
        """Both for people, with objects only where there are any to count."""
        sizes = _of(min(self.done_bytes, self.size_bytes), self.size_bytes)
        if not self.objects:
            return sizes
        noun = self.noun if self.objects == 1 else f"{self.noun}s"
        return f"{min(self.done_objects, self.objects)} of {self.objects} {noun}, {sizes}"


class InputWatch:
    """How far the inputs of one execution have come. ``advance`` is a ``Progress`` of the port."""

    topic = Topic.DOWNLOADING_INPUTS

    def __init__(self) -> None:
        self._amount = _Amount("object")
        self.advance = self._amount.advance

    def expect(self, plan: InputPlan) -> None:
        """Note what another input consists of."""
        self._amount.size_bytes += plan.size_bytes
        self._amount.objects += len(plan.objects)
        # Directories and their markers are not fetched.
        directories = [item for item in plan.objects if item.is_directory]
        self.advance(sum(item.size_bytes for item in directories), len(directories))

    @property
    def text(self) -> str:
        """How far it is, for people; empty as long as nothing is known."""
        return f"Fetching inputs: {self._amount.text}" if self._amount.objects else ""


class ResultWatch:
    """How far the results of one execution have come; it is a ``ports.PublishProgress``."""

    topic = Topic.PUBLISHING_RESULTS

    def __init__(self) -> None:
        self._step = "Publishing results", _Amount("file")

    def packing(self, size_bytes: int) -> Progress:
        """Note that results are being packed, and how much of them there is."""
        return self._begin("Packing results", _Amount("file", size_bytes))

    def publishing(self, size_bytes: int, files: int = 0) -> Progress:
        """Note that results are being stored, and how much there is of them."""
        return self._begin("Publishing results", _Amount("file", size_bytes, files))

    def _begin(self, doing: str, amount: _Amount) -> Progress:
        # In one piece: it may be read in another thread.
        self._step = doing, amount
        return amount.advance

    @property
    def text(self) -> str:
        """How far it is, for people; without figures as long as nothing is known."""
        doing, amount = self._step
        return f"{doing}: {amount.text}" if amount.size_bytes or amount.objects else doing


Watch = TypeVar("Watch", InputWatch, ResultWatch)


class Watches:
    """The executions whose inputs are being fetched, or whose results are being published."""

    def __init__(self) -> None:
        self._kept: dict[ExecutionID, InputWatch | ResultWatch] = {}
        self._begun = asyncio.Event()

    def inputs_of(self, execution_id: ExecutionID) -> AbstractContextManager[InputWatch]:
        """Tell of an execution's inputs for as long as the context is entered."""
        return self._keep(execution_id, InputWatch())

    def results_of(self, execution_id: ExecutionID) -> AbstractContextManager[ResultWatch]:
        """Tell of an execution's results for as long as the context is entered."""
        return self._keep(execution_id, ResultWatch())

    @contextmanager
    def _keep(self, execution_id: ExecutionID, watch: Watch) -> Iterator[Watch]:
        self._kept[execution_id] = watch
        self._begun.set()
        try:
            yield watch
        finally:
            del self._kept[execution_id]
            if not self._kept:
                self._begun.clear()

    async def wait_any(self) -> None:
        """Wait until something is being fetched or published."""
        await self._begun.wait()

    def events(self, now_ns: int) -> dict[ExecutionID, Event]:
        """Return one event for each execution of which there is something to tell."""
        return {
            execution_id: event(now_ns, watch.topic, watch.text)
            for execution_id, watch in self._kept.items()
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
