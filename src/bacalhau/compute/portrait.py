"""What the node says of itself (spec api.md 1.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.models import ComputeNodeInfo

if TYPE_CHECKING:
    from bacalhau.compute.ledger import Ledger
    from bacalhau.compute.plugins import Plugins
    from bacalhau.models import NodeInfo


class Portrait:
    """Draws the node as it is now. ``info`` is what does not change while it lives."""

    def __init__(self, *, info: NodeInfo, plugins: Plugins, ledger: Ledger) -> None:
        self._info = info
        self._plugins = plugins
        self._ledger = ledger

    async def node_info(self) -> NodeInfo:
        """Return who the node is and what it offers."""
        return msgspec.structs.replace(self._info, compute_node_info=await self.load())

    async def load(self) -> ComputeNodeInfo:
        """Return what the node offers, and how much of it is free."""
        ledger = self._ledger
        return ComputeNodeInfo(
            execution_engines=await self._plugins.engines.names(),
            publishers=await self._plugins.publishers.names(),
            storage_sources=await self._plugins.sources.names(),
            max_capacity=ledger.capacity,
            queue_capacity=ledger.queued,
            available_capacity=ledger.capacity - ledger.running,
            max_job_requirements=ledger.capacity,
            running_executions=ledger.running_count,
            enqueued_executions=ledger.queued_count,
        )
