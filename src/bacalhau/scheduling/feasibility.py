"""Which nodes can run a job, and for each that cannot, why (spec orchestration.md 3.2)."""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bacalhau.lib.nearest import did_you_mean
from bacalhau.lib.units import format_bytes
from bacalhau.lifecycle.connection import Presence
from bacalhau.lifecycle.execution import is_lost
from bacalhau.models import ComputeState, NodeID, Resources
from bacalhau.models.selectors import format_requirement, matches
from bacalhau.models.specs.known import ENGINE_TYPES, PUBLISHER_TYPES, SOURCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bacalhau.lifecycle.completed import Completed
    from bacalhau.models import Execution
    from bacalhau.scheduling.cluster import NodeView
    from bacalhau.scheduling.requirements import Requirements

OVERSUBSCRIPTION = 1.5
ATTEMPTS_PER_NODE = 2
REJECTED = "job rejected"


class Verdict(NamedTuple):
    """What one node is worth. ``reason`` is empty for nodes that can take the job now.

    ``is_busy``: the node could take the job, only not now.
    """

    node: NodeView
    reason: str = ""
    is_busy: bool = False

    @property
    def may_queue(self) -> bool:
        """True when the node is there and would take the job, now or from its own queue."""
        return self.node.presence is Presence.CONNECTED and (self.is_busy or not self.reason)


class Lack(enum.Enum):
    """What keeps a node from ever taking a job, in the order in which it is looked for."""

    ENGINE = enum.auto()
    PUBLISHER = enum.auto()
    SOURCE = enum.auto()
    LABELS = enum.auto()
    SIZE = enum.auto()


class Attempts(NamedTuple):
    """What became of a job on one node so far."""

    live: int = 0
    completed: int = 0
    discarded: int = 0
    refused: int = 0


def judge(
    nodes: Iterable[NodeView], wanted: Requirements, attempts: Mapping[NodeID, Attempts]
) -> list[Verdict]:
    """Judge every node, in the given order."""
    return [_judge_one(node, wanted, attempts.get(node.node_id, Attempts())) for node in nodes]


def lack_of(node: NodeView, wanted: Requirements) -> Lack | None:
    """Return what a node lacks for good, the first thing of several; None when it could serve."""
    found = (kind for kind, rule in zip(Lack, _LASTING, strict=True) if rule(node, wanted))
    return next(found, None)


def count_attempts(executions: Iterable[Execution], completed: Completed) -> dict[NodeID, Attempts]:
    """Count what became of a job on each node; a node's own absence is not held against the job."""
    counted = {node_id: Attempts(completed=number) for node_id, number in completed.by_node.items()}
    for execution in executions:
        if execution.is_completed or is_lost(execution):
            continue
        before = counted.get(execution.node_id, Attempts())
        counted[execution.node_id] = _count(before, execution)
    return counted


def closed_nodes(attempts: Mapping[NodeID, Attempts]) -> tuple[NodeID, ...]:
    """Return the nodes that a job has used up, sorted: none of them will take it again."""
    return tuple(sorted(node_id for node_id in attempts if _attempts_reason(attempts[node_id])))


def _count(before: Attempts, execution: Execution) -> Attempts:
    state = execution.compute_state.state_type
    if state is ComputeState.ASK_FOR_BID_REJECTED:
        return before._replace(refused=before.refused + 1)
    if execution.is_terminal:
        return before._replace(discarded=before.discarded + 1)
    return before._replace(live=before.live + 1)


def _judge_one(node: NodeView, wanted: Requirements, attempts: Attempts) -> Verdict:
    reason = next(filter(None, (rule(node, wanted) for rule in _LASTING)), "")
    reason = reason or _attempts_reason(attempts)
    if reason:
        return Verdict(node, reason)
    if node.presence is not Presence.CONNECTED:
        return Verdict(node, "node is not connected", is_busy=True)
    if not (node.booked + wanted.resources).fits_into(node.capacity.scaled(OVERSUBSCRIPTION)):
        free = format_resources(node.capacity - node.booked)
        return Verdict(node, f"node busy with available capacity {free}", is_busy=True)
    return Verdict(node)


def _offer_reason(kind: str, offered: frozenset[str], known: frozenset[str]) -> str:
    return "" if not kind or kind in offered else _lacking(kind, offered, known)


@lru_cache(maxsize=256)
def _lacking(kind: str, offered: frozenset[str], known: frozenset[str]) -> str:
    """Say what a node lacks; the same for many nodes, and guessing takes time."""
    guess = "" if kind in known else did_you_mean(kind, offered | known)
    text = f"does not support {kind}, only {', '.join(sorted(offered)) or 'nothing'}"
    return f"{text}; {guess}" if guess else text


def _engine_reason(node: NodeView, wanted: Requirements) -> str:
    return _offer_reason(wanted.engine, node.engines, ENGINE_TYPES)


def _publisher_reason(node: NodeView, wanted: Requirements) -> str:
    return _offer_reason(wanted.publisher, node.publishers, PUBLISHER_TYPES)


def _source_reason(node: NodeView, wanted: Requirements) -> str:
    reasons = (_offer_reason(kind, node.sources, SOURCE_TYPES) for kind in wanted.sources)
    return next(filter(None, reasons), "")


def _label_reason(node: NodeView, wanted: Requirements) -> str:
    if matches(wanted.constraints, node.labels):
        return ""
    # Only what is asked for, so that nodes that differ elsewhere count as one reason.
    labels = ", ".join(
        f"{key}={node.labels[key]}" if key in node.labels else f"{key} (not set)"
        for key in sorted({item.key for item in wanted.constraints})
    )
    required = ", ".join(format_requirement(item) for item in wanted.constraints)
    return f"labels [{labels}] don't match required selectors [{required}]"


def _size_reason(node: NodeView, wanted: Requirements) -> str:
    ask, most = wanted.resources, node.capacity
    if ask.fits_into(most):
        return ""
    excess = [
        (ask.cpu > most.cpu, f"more CPU ({ask.cpu:g}) than the maximum available ({most.cpu:g})"),
        (ask.memory > most.memory, _bytes_excess("memory", ask.memory, most.memory)),
        (ask.disk > most.disk, _bytes_excess("disk", ask.disk, most.disk)),
        (ask.gpu > most.gpu, f"more GPUs ({ask.gpu}) than the maximum available ({most.gpu})"),
    ]
    return f"job requires {' and '.join(text for exceeds, text in excess if exceeds)}"


def _bytes_excess(name: str, ask: int, most: int) -> str:
    return f"more {name} ({format_bytes(ask)}) than the maximum available ({format_bytes(most)})"


def _attempts_reason(attempts: Attempts) -> str:
    if attempts.refused:
        return REJECTED
    if attempts.discarded >= ATTEMPTS_PER_NODE:
        return "job already executed on this node more than once"
    return ""


_LASTING: tuple[Callable[[NodeView, Requirements], str], ...] = (
    _engine_reason,
    _publisher_reason,
    _source_reason,
    _label_reason,
    _size_reason,
)


def format_resources(amount: Resources) -> str:
    """Show an amount as in ``{CPU: 0.20, Memory: 12 GB, Disk: 79 GB, GPU: 0}``."""
    return (
        f"{{CPU: {amount.cpu:.2f}, Memory: {format_bytes(amount.memory)}, "
        f"Disk: {format_bytes(amount.disk)}, GPU: {amount.gpu}}}"
    )
