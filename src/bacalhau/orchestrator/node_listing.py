"""Choosing and sorting nodes for a list (spec api.md 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.models import Connection, LabelSelectorRequirement, Membership, Resources
from bacalhau.models.selectors import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bacalhau.models import NodeState

    _Key = Callable[[NodeState], str | float]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeQuery:
    """Which nodes to list. None and empty mean all; ``limit`` 0 means all."""

    labels: tuple[LabelSelectorRequirement, ...] = ()
    membership: Membership | None = None
    connection: Connection | None = None
    order_by: str = "id"
    reverse: bool = False
    limit: int = 0


def select_nodes(nodes: Sequence[NodeState], query: NodeQuery) -> list[NodeState]:
    """Return the nodes that a query asks for, equal ones by id.

    ``query.order_by`` is one of ``NODE_ORDERS``.
    """
    chosen = [node for node in nodes if _is_wanted(node, query)]
    chosen.sort(key=lambda node: node.info.node_id)
    chosen.sort(key=_KEYS[query.order_by])
    if query.reverse:
        chosen.reverse()
    return chosen[: query.limit or None]


def _is_wanted(node: NodeState, query: NodeQuery) -> bool:
    return (
        query.membership in (None, node.membership)
        and query.connection in (None, node.connection)
        and matches(query.labels, node.info.labels)
    )


def _available(node: NodeState) -> Resources:
    compute = node.info.compute_node_info
    return Resources() if compute is None else compute.available_capacity


# The largest amount comes first; everything else goes up.
_KEYS: dict[str, _Key] = {
    "id": lambda node: node.info.node_id,
    "type": lambda node: node.info.node_type,
    "approval": lambda node: node.membership,
    "status": lambda node: node.membership,
    "available_cpu": lambda node: -_available(node).cpu,
    "available_memory": lambda node: -_available(node).memory,
    "available_disk": lambda node: -_available(node).disk,
    "available_gpu": lambda node: -_available(node).gpu,
}

NODE_ORDERS = tuple(_KEYS)
