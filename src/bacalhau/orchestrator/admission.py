"""The operator's decisions on nodes (spec api.md 3.3, orchestration.md 5.3).

No decision touches executions: what runs on a node that is rejected goes on, and its results are
taken. The executions of a deleted node are given up, as those of a node that is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import Code, ConflictError, UserError
from bacalhau.models import Membership, NodeID
from bacalhau.orchestrator.references import find_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.orchestrator.registry import NodeRegistry

_COMPONENT = "NodesManager"
ACTIONS = ("approve", "reject", "delete")

log = structlog.get_logger()


class Admission:
    """Says which nodes take part.

    Args:
        registry: The nodes.
        on_approved: Called when there is a node more to place work on.
        on_rejected: Called when there is one less.
        on_deleted: Called after a node has been forgotten.
    """

    def __init__(
        self,
        *,
        registry: NodeRegistry,
        on_approved: Callable[[], None],
        on_rejected: Callable[[], None],
        on_deleted: Callable[[NodeID], None],
    ) -> None:
        self._registry = registry
        self._on_approved = on_approved
        self._on_rejected = on_rejected
        self._on_deleted = on_deleted

    async def decide(self, reference: str, action: str, reason: str) -> None:
        """Do one of ``ACTIONS``; it is durable when this returns.

        ``reference`` is the id of a node, or the beginning of one.

        Raises:
            UserError: there is no such action.
            NotFoundError: there is no such node.
            AmbiguousError: several nodes are meant.
            ConflictError: code ``ConflictNodeState``: it is approved, or rejected, already.
        """
        if action not in ACTIONS:
            raise UserError(
                "unsupported action",
                hint=f"the actions are {', '.join(ACTIONS)}",
                component=_COMPONENT,
                fields=["Action"],
            )
        node_id = find_node(self._registry.states(), reference).info.node_id
        match action:
            case "approve":
                await self._admit(node_id, Membership.APPROVED)
                self._on_approved()
            case "reject":
                await self._admit(node_id, Membership.REJECTED)
                self._on_rejected()
            case _:
                await self._registry.forget(node_id)
                self._on_deleted(node_id)
        log.info("node_decided", node_id=node_id, action=action, reason=reason)

    async def _admit(self, node_id: NodeID, membership: Membership) -> None:
        if not await self._registry.admit(node_id, membership):
            raise ConflictError(
                f"node already {membership.lower()}",
                code=Code.NODE_STATE,
                hint="nothing was changed",
                component=_COMPONENT,
            )
