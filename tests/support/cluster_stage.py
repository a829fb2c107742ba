"""A whole cluster in virtual time: a real orchestrator and real compute nodes between fakes."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bacalhau.compute.options import ComputeOptions
from bacalhau.compute.service import ComputeNode
from bacalhau.lib.ids import SeededIds
from bacalhau.models import (
    ComputeNodeInfo,
    Connection,
    Execution,
    Job,
    JobID,
    JobState,
    NodeID,
    NodeInfo,
    NodeType,
    Resources,
)
from bacalhau.orchestrator.service import Orchestrator, OrchestratorOptions
from bacalhau.simulation.clock import MachineClock
from bacalhau.simulation.disk import CrashableExecutionStore, CrashableJobStore, DiskSpeed
from bacalhau.simulation.inputs import SOURCE_TYPE, SimulatedCache, SimulatedSource
from bacalhau.testing.engine_fake import FakeEngine, FakeMachine
from bacalhau.testing.network import SimulatedTransport
from bacalhau.testing.store_memory import MemoryExecutionStore, MemoryJobStore
from bacalhau.testing.workspace_fake import FakeDisk, FakeWorkspace
from tests.support.compute_node import task, until
from tests.support.records import make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bacalhau.models import ComputeState, Task

SPEED = DiskSpeed()


class _Process:
    """One life of a service, until it is killed or told to stop."""

    def __init__(self, service: Orchestrator | ComputeNode, kill: Callable[[], None]) -> None:
        self._service = service
        self._kill = kill
        self._ready, self._leaving = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, group: asyncio.TaskGroup) -> None:
        self._task = group.create_task(self._live())
        await self._ready.wait()

    async def _live(self) -> None:
        async with self._service.run():
            self._ready.set()
            await self._leaving.wait()

    async def stop(self) -> None:
        """End in good order."""
        assert self._task is not None
        self._leaving.set()
        await asyncio.wait([self._task])

    async def crash(self) -> None:
        """Die as by ``kill -9``."""
        assert self._task is not None
        self._kill()
        self._task.cancel()
        await asyncio.wait([self._task])


@dataclass
class StagedNode:
    """A compute node's machine; its process comes and goes."""

    stage: ClusterStage
    name: str
    cpu: float
    labels: dict[str, str]
    options: ComputeOptions
    engine: Callable[..., FakeEngine]
    store: MemoryExecutionStore = field(default_factory=MemoryExecutionStore)
    tasks: FakeMachine = field(default_factory=FakeMachine)
    files: FakeDisk = field(default_factory=FakeDisk)
    cache: SimulatedCache = field(default_factory=lambda: SimulatedCache(limit_bytes=10**12))
    process: _Process | None = None

    async def start(self) -> None:
        """Start a process, and wait until the orchestrator has heard of it."""
        engine = self.engine(self.stage.clock, self.tasks)
        workspace = FakeWorkspace(self.files)
        store = CrashableExecutionStore(self.store, speed=SPEED, random=random.Random(2))
        node = ComputeNode(
            info=NodeInfo(
                node_id=NodeID(self.name), node_type=NodeType.COMPUTE, labels=self.labels
            ),
            capacity=Resources(cpu=self.cpu, memory=8 * 10**9, disk=10**13),
            store=store,
            transport=self.stage.transport,
            engines={"fake": engine},
            sources={SOURCE_TYPE: SimulatedSource(self.cache)},
            publishers={},
            cache=self.cache,
            workspace=workspace,
            clock=self.stage.clock,
            random=random.Random(3),
            ids=self.stage.next_ids(),
            options=self.options,
        )

        def kill() -> None:
            for each in (store.kill, engine.crash, workspace.crash):
                each()
            self.stage.transport.disconnect_peer(self.name)

        self.process = _Process(node, kill)
        await self.process.start(self.stage.group)
        await until(lambda: self.stage.connection(self.name) is Connection.CONNECTED)

    def states(self) -> list[ComputeState]:
        """The states of its own records."""
        return [record.state for record in self.store._executions.values()]


class ClusterStage:
    """An orchestrator and its nodes, over stores that outlive them."""

    def __init__(self) -> None:
        self.clock = MachineClock()
        self.transport = SimulatedTransport(random.Random(4))
        self.store = MemoryJobStore()
        self.group = asyncio.TaskGroup()
        self.orchestrator: Orchestrator
        self.nodes: dict[str, StagedNode] = {}
        self._process: _Process | None = None
        self._starts = 0

    def next_ids(self) -> SeededIds:
        self._starts += 1
        return SeededIds(random.Random(self._starts))

    async def start(self, **options: Any) -> None:
        """Start an orchestrator."""
        store = CrashableJobStore(self.store, speed=SPEED, random=random.Random(5))
        self.orchestrator = Orchestrator(
            node_id=NodeID("orchestrator"),
            store=store,
            transport=self.transport,
            clock=self.clock,
            random=random.Random(6),
            ids=self.next_ids(),
            options=OrchestratorOptions(**options),
        )

        def kill() -> None:
            store.kill()
            self.transport.disconnect_peer("orchestrator")

        self._process = _Process(self.orchestrator, kill)
        await self._process.start(self.group)

    async def crash(self) -> None:
        """Kill the orchestrator."""
        assert self._process is not None
        await self._process.crash()

    async def node(
        self,
        name: str = "n-1",
        *,
        cpu: float = 4,
        labels: dict[str, str] | None = None,
        engine: Callable[..., FakeEngine] = FakeEngine,
        **options: Any,
    ) -> StagedNode:
        """Let a node join."""
        node = StagedNode(self, name, cpu, labels or {}, ComputeOptions(**options), engine)
        self.nodes[name] = node
        await node.start()
        return node

    async def close(self) -> None:
        for node in self.nodes.values():
            if node.process is not None:
                await node.process.crash()
        if self._process is not None:
            await self._process.crash()

    def connection(self, name: str) -> Connection | None:
        """What the orchestrator says of a node."""
        states = {each.info.node_id: each for each in self.orchestrator.registry.states()}
        return states[NodeID(name)].connection if NodeID(name) in states else None

    async def submit(self, of: Task | None = None, **job: Any) -> JobID:
        submitted = make_job(
            id="", name="", namespace="", revision=0, create_time=0, task=of or task(), **job
        )
        response = await self.orchestrator.intake.submit(submitted, warnings=[], client_meta={})
        return response.job_id

    def job(self, job_id: JobID) -> Job:
        job = self.store.job(job_id)
        assert job is not None
        return job

    def executions(self, job_id: JobID) -> tuple[Execution, ...]:
        return self.store.executions_of(job_id)

    def where(self, job_id: JobID) -> list[str]:
        """The nodes of a job's executions, in the order in which these were made."""
        return [run.node_id for run in self.executions(job_id)]

    def observed(self, job_id: JobID) -> list[ComputeState]:
        """The states of a job's executions."""
        return [run.compute_state.state_type for run in self.executions(job_id)]

    async def until_state(self, job_id: JobID, state: JobState) -> Job:
        await until(lambda: self.job(job_id).state.state_type is state)
        return self.job(job_id)

    async def until_observed(self, job_id: JobID, *states: ComputeState) -> None:
        await until(lambda: self.observed(job_id) == list(states))

    async def history(self, job_id: JobID) -> list[str]:
        return [item.event.message for item in await self.store.history(job_id)]

    def load(self, name: str) -> ComputeNodeInfo:
        states = {each.info.node_id: each for each in self.orchestrator.registry.states()}
        info = states[NodeID(name)].info.compute_node_info
        assert info is not None
        return info


@asynccontextmanager
async def cluster(**options: Any) -> AsyncIterator[ClusterStage]:
    """A cluster without nodes, which ends with the block."""
    stage = ClusterStage()
    async with stage.group:
        await stage.start(**options)
        try:
            yield stage
        finally:
            await stage.close()
