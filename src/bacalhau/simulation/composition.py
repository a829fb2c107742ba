"""The code under test, put together: the only module here that knows concrete services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.compute.service import ComputeNode
from bacalhau.models import NodeID, NodeInfo, NodeType
from bacalhau.orchestrator.service import Orchestrator
from bacalhau.simulation.engine import ENGINE_TYPE
from bacalhau.simulation.inputs import SOURCE_TYPE, SimulatedCache, SimulatedSource
from bacalhau.simulation.workspace import SimulatedWorkspace
from bacalhau.testing.store_memory import MemoryExecutionStore, MemoryJobStore

if TYPE_CHECKING:
    import random

    from bacalhau.ports import Clock, ExecutionStore, Ids, JobStore, Transport
    from bacalhau.simulation.engine import SimulatedEngine
    from bacalhau.simulation.scenario import NodePlan


class RealComposition:
    """Real orchestrators and compute nodes over simulated surroundings (``Composition``).

    Subclass it to plant a fault and see that the oracle finds it.
    """

    def job_disk(self) -> JobStore:
        """Make an empty store for an orchestrator."""
        return MemoryJobStore()

    def execution_disk(self) -> ExecutionStore:
        """Make an empty store for a compute node."""
        return MemoryExecutionStore()

    def orchestrator(
        self,
        *,
        store: JobStore,
        transport: Transport,
        clock: Clock,
        chance: random.Random,
        ids: Ids,
    ) -> Orchestrator:
        """Make an orchestrator with the options of production."""
        return Orchestrator(
            node_id=NodeID("orchestrator"),
            store=store,
            transport=transport,
            clock=clock,
            random=chance,
            ids=ids,
        )

    def compute_node(
        self,
        plan: NodePlan,
        *,
        store: ExecutionStore,
        transport: Transport,
        engine: SimulatedEngine,
        clock: Clock,
        chance: random.Random,
        ids: Ids,
    ) -> ComputeNode:
        """Make a compute node with the options of production."""
        cache = SimulatedCache(plan.cache_bytes)
        return ComputeNode(
            info=NodeInfo(node_id=plan.node_id, node_type=NodeType.COMPUTE),
            capacity=plan.capacity,
            store=store,
            transport=transport,
            engines={ENGINE_TYPE: engine},
            sources={SOURCE_TYPE: SimulatedSource(cache)},
            publishers={},
            cache=cache,
            workspace=SimulatedWorkspace(),
            clock=clock,
            random=chance,
            ids=ids,
        )
