"""What executions are doing right now, as their nodes tell it; kept in memory, and not for long."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.models import Event, ExecutionID, NodeID
    from bacalhau.ports import Clock

FRESH_SECONDS = 10.0
"""How long a word is believed that is not followed by another: nodes speak every second."""

EVENTS_A_NODE = 1024


class UnderwayEvents:
    """The latest word of each node. A new one replaces all that it said before."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[NodeID, tuple[float, dict[ExecutionID, Event]]] = {}

    def tell(self, node_id: NodeID, events: Mapping[ExecutionID, Event]) -> None:
        """Remember what a node says of its executions."""
        now = self._clock.monotonic()
        fresh = {node: told for node, told in self._told.items() if now < told[0] + FRESH_SECONDS}
        fresh.pop(node_id, None)
        if events:
            fresh[node_id] = (now, dict(islice(events.items(), EVENTS_A_NODE)))
        self._told = fresh

    def find(self, node_id: NodeID, execution_id: ExecutionID) -> Event | None:
        """Return what the node of an execution says of it, if it did so a moment ago."""
        told_at, events = self._told.get(node_id, (0.0, {}))
        if self._clock.monotonic() >= told_at + FRESH_SECONDS:
            return None
        return events.get(execution_id)
