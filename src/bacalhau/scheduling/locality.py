"""Which nodes have a job's inputs, and how long it is worth waiting for one that has.

Delay scheduling (Zaharia and others, 2010): a job that would move much less data on a node that is
full waits for that node, but not for longer than moving the data would take.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from bacalhau.lib.units import format_bytes
from bacalhau.models import short_id
from bacalhau.models.fingerprint import fingerprint, is_divided
from bacalhau.scheduling.deadlines import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bacalhau.models import Job, NodeID
    from bacalhau.scheduling.cluster import NodeView

NEGLIGIBLE_BYTES = 1 << 20
"""Nodes that differ by no more than this are equally near."""

WORTH_WAITING_BYTES = 64 << 20
BYTES_PER_SECOND = 100_000_000
"""How fast data are assumed to come from their origin."""

LOCALITY_SECONDS = 10.0
"""How long a job waits at most, unless the operator says otherwise."""

SHARE_OF_TOTAL_TIMEOUT = 0.1


class Wait(NamedTuple):
    """A node without room, what it has of the inputs, and what that saves."""

    node: NodeView
    held_bytes: int
    saved_bytes: int


class Patience(NamedTuple):
    """How long a job may be kept waiting, from ``since_ns`` on, by the clock of ``now_ns``."""

    since_ns: int
    now_ns: int
    limit_seconds: float

    def until(self, saved_bytes: int) -> int:
        """Return when to give up waiting, in proportion to what would be saved."""
        seconds = min(self.limit_seconds, saved_bytes / BYTES_PER_SECOND)
        return self.since_ns + int(seconds * SECOND)

    def lasts(self, saved_bytes: int) -> bool:
        """Tell whether waiting is still worth it."""
        return saved_bytes >= WORTH_WAITING_BYTES and self.now_ns < self.until(saved_bytes)


def patience_of(
    job: Job, since_ns: int, now_ns: int, limit_seconds: float, queue_deadline_ns: int | None
) -> Patience:
    """Return how long a job may wait: never beyond its queue time-out, nor for most of its time."""
    if queue_deadline_ns is not None:
        limit_seconds = min(limit_seconds, (queue_deadline_ns - since_ns) / SECOND)
    total_seconds = 0 if job.type.is_long_running else job.task.timeouts.total_timeout
    if total_seconds > 0:
        limit_seconds = min(limit_seconds, SHARE_OF_TOTAL_TIMEOUT * total_seconds)
    return Patience(since_ns, now_ns, limit_seconds)


def wait_text(wait: Wait, seconds: float) -> str:
    """Say for which node a job waits, how long, and why."""
    return (
        f"waiting up to {max(1, round(seconds))} s for node {short_id(wait.node.node_id)} "
        f"which has {format_bytes(wait.held_bytes)} of the inputs"
    )


class Share(NamedTuple):
    """How nodes stand to the inputs of one execution, in bytes.

    Attributes:
        held: What each node has that has any.
        lacking: What those lack all the same.
        total: What every other node lacks; none of those above lacks more.
    """

    held: Mapping[NodeID, int]
    lacking: Mapping[NodeID, int]
    total: int

    def lacks(self, node_id: NodeID) -> int:
        """Return what any node would have to fetch."""
        return self.lacking.get(node_id, self.total)


class Stock:
    """What nodes have of one job's inputs."""

    def __init__(self, job: Job, nodes: Sequence[NodeView]) -> None:
        self._job = job
        self._sources = [each.source for each in job.task.input_sources]
        is_known = bool(self._sources) and any(node.held for node in nodes)
        self._nodes = nodes if is_known else ()
        self._is_divided = job.partition_count > 1 and any(
            is_divided(each) for each in self._sources
        )
        self._shares: dict[int, Share | None] = {}

    def share(self, partition_index: int) -> Share | None:
        """Return how nodes stand to one partition; None where no node has any of its inputs.

        What an input has in all is believed of the node that knows most of it; of an input that no
        node knows, every node lacks the same.
        """
        if not self._nodes:
            return None
        index = partition_index if self._is_divided else 0
        if index not in self._shares:
            self._shares[index] = self._share(index)
        return self._shares[index]

    def _share(self, partition_index: int) -> Share | None:
        held: Counter[NodeID] = Counter()
        spared: Counter[NodeID] = Counter()
        total = 0
        for source in self._sources:
            name = fingerprint(source, partition_index, self._job.partition_count)
            told = {node.node_id: node.held[name] for node in self._nodes if name in node.held}
            most = max((each.total_bytes for each in told.values()), default=0)
            total += most
            for node_id, known in told.items():
                held[node_id] += known.held_bytes
                spared[node_id] += most - known.lacking_bytes
        lacking = {node_id: total - spared[node_id] for node_id in held}
        return Share(held, lacking, total) if any(held.values()) else None
