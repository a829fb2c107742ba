"""Nodes as the scheduler sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from bacalhau.lifecycle.connection import Presence
from bacalhau.models import Membership, NodeID, Resources
from bacalhau.protocol.messages import HeldInput

if TYPE_CHECKING:
    from collections.abc import Sequence


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One compute node: what it offers, and how much of it is booked by live executions.

    ``held`` is what it has of inputs, by their fingerprints.
    """

    node_id: NodeID
    presence: Presence
    membership: Membership
    labels: dict[str, str]
    engines: frozenset[str]
    sources: frozenset[str]
    publishers: frozenset[str]
    capacity: Resources
    booked: Resources
    held: Mapping[str, HeldInput] = {}


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """All known compute nodes at one moment."""

    nodes: tuple[NodeView, ...]

    def candidates(self) -> Sequence[NodeView]:
        """Nodes that the operator has approved and that are not lost."""
        return [
            node
            for node in self.nodes
            if node.membership is Membership.APPROVED and node.presence is not Presence.LOST
        ]

    def known(self) -> set[NodeID]:
        """Return the nodes that are not lost."""
        return {node.node_id for node in self.nodes if node.presence is not Presence.LOST}
