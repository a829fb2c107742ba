"""What the node's executions are doing right now, for people who wait for them.

See ``protocol.messages.Underway``: it is written nowhere, and told for as long as it is true.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

from bacalhau.lib.units import format_bytes
from bacalhau.lifecycle.events import event
from bacalhau.models import Topic

if TYPE_CHECKING:
    from bacalhau.compute.ledger import Ledger
    from bacalhau.compute.watches import Watches
    from bacalhau.models import Event, ExecutionID, Resources

TOLD_OF_QUEUE = 256
"""How many of those that wait are told of, in the order of their turns."""


class Doings:
    """What executions fetch and publish, and what those that wait in the node's queue lack."""

    def __init__(self, watches: Watches, ledger: Ledger) -> None:
        self._watches = watches
        self._ledger = ledger

    async def wait_any(self) -> None:
        """Wait until there is something to tell."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._watches.wait_any()),
                group.create_task(self._ledger.someone_waits.wait()),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()

    def events(self, now_ns: int) -> dict[ExecutionID, Event]:
        """Return one event for each execution of which there is something to tell."""
        free = self._ledger.capacity - self._ledger.running
        waiting = {
            execution_id: event(now_ns, Topic.QUEUEING, waiting_text(wanted, free))
            for execution_id, wanted in islice(self._ledger.queue(), TOLD_OF_QUEUE)
        }
        return waiting | self._watches.events(now_ns)


def waiting_text(wanted: Resources, free: Resources) -> str:
    """Say what an execution wants of which there is not enough."""
    lacking = [
        name
        for name in ("cpu", "memory", "disk", "gpu")
        if _amount(wanted, name) > _amount(free, name)
    ]
    wants = ", ".join(_shown(wanted, name) for name in lacking)
    free_now = ", ".join(_shown(free, name) for name in lacking)
    return f"Waiting for room on the node: wants {wants}; free {free_now}"


def _shown(resources: Resources, name: str) -> str:
    match name:
        case "cpu":
            return f"CPU {resources.cpu:g}"
        case "gpu":
            return f"GPU {resources.gpu}"
        case _:
            return f"{name} {format_bytes(int(_amount(resources, name)))}"


def _amount(resources: Resources, name: str) -> float:
    amount: float = getattr(resources, name)
    return amount
