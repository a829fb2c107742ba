"""Filters and orders of the node list."""

from __future__ import annotations

import pytest

from bacalhau.models import ComputeNodeInfo, Connection, Membership, NodeState, NodeType, Resources
from bacalhau.models.selectors import parse_selector
from bacalhau.orchestrator.node_listing import NODE_ORDERS, NodeQuery, select_nodes
from tests.support.api_server import make_node_state


def _free(cpu: float, memory: int = 0, disk: int = 0, gpu: int = 0) -> ComputeNodeInfo:
    return ComputeNodeInfo(available_capacity=Resources(cpu=cpu, memory=memory, disk=disk, gpu=gpu))


_NODES = [
    make_node_state("n-c", compute_node_info=_free(1, 30, 2, 1), membership=Membership.REJECTED),
    make_node_state("n-a", compute_node_info=_free(2, 10, 3), labels={"zone": "east"}),
    make_node_state(
        "n-b",
        compute_node_info=None,
        node_type=NodeType.REQUESTER,
        connection=Connection.DISCONNECTED,
    ),
]


def _ids(query: NodeQuery, nodes: list[NodeState] = _NODES) -> str:
    return " ".join(node.info.node_id for node in select_nodes(nodes, query))


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("id", "n-a n-b n-c"),
        ("type", "n-a n-c n-b"),
        ("approval", "n-a n-b n-c"),
        ("status", "n-a n-b n-c"),
        ("available_cpu", "n-a n-c n-b"),
        ("available_memory", "n-c n-a n-b"),
        ("available_disk", "n-a n-c n-b"),
        ("available_gpu", "n-c n-a n-b"),
    ],
)
def test_orders_put_the_largest_amount_first_and_the_rest_upwards(
    order_by: str, expected: str
) -> None:
    assert order_by in NODE_ORDERS
    assert _ids(NodeQuery(order_by=order_by)) == expected
    assert _ids(NodeQuery(order_by=order_by, reverse=True)).split() == expected.split()[::-1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (NodeQuery(membership=Membership.APPROVED), "n-a n-b"),
        (NodeQuery(connection=Connection.DISCONNECTED), "n-b"),
        (NodeQuery(labels=tuple(parse_selector("zone=east"))), "n-a"),
        (NodeQuery(limit=2), "n-a n-b"),
        (NodeQuery(limit=1, reverse=True), "n-c"),
        (NodeQuery(membership=Membership.PENDING), ""),
    ],
)
def test_filters_and_limit(query: NodeQuery, expected: str) -> None:
    assert _ids(query) == expected
