"""The compute node as one service."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import structlog

from bacalhau.compute.attempt import Surroundings
from bacalhau.compute.bidder import Bidder
from bacalhau.compute.bidding import BidPolicy
from bacalhau.compute.cache.holdings import Holdings
from bacalhau.compute.inbox import Inbox
from bacalhau.compute.ledger import Ledger
from bacalhau.compute.link import Link
from bacalhau.compute.log_streams import LogStreams
from bacalhau.compute.options import ComputeOptions
from bacalhau.compute.plugins import Plugins
from bacalhau.compute.portrait import Portrait
from bacalhau.compute.records import Records
from bacalhau.compute.recovery import Sweeper, take_up
from bacalhau.compute.runner import Runner
from bacalhau.compute.underway import Doings
from bacalhau.compute.watches import Watches
from bacalhau.errors import BacalhauError
from bacalhau.models.debug import ActiveExecution, ComputeDebug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bacalhau.models import ComputeNodeInfo, ExecutionID, NodeInfo, Resources
    from bacalhau.models.debug import InputCacheState
    from bacalhau.ports import (
        Clock,
        Endpoint,
        Engine,
        ExecutionStore,
        Ids,
        LocalExecution,
        Publisher,
        Random,
        Source,
        Transport,
    )
    from bacalhau.ports.workspace import Workspace


log = structlog.get_logger()


class KeptInputs(Protocol):
    """A cache of inputs, as far as a node tells of it."""

    @property
    def holdings(self) -> Holdings:
        """What is held of the inputs that were used lately."""
        ...

    def statistics(self) -> InputCacheState:
        """What is held in all."""
        ...


class ComputeNode:
    """Bids for executions, runs them and reports, for as long as ``run`` is entered, once.

    Args:
        info: Who the node is: id, type, labels, version. What it offers is filled in.
        capacity: What it offers to all executions together.
        engines: By type; so are ``sources`` and ``publishers``.
        cache: Of inputs, to tell of it.
    """

    def __init__(
        self,
        *,
        info: NodeInfo,
        capacity: Resources,
        store: ExecutionStore,
        transport: Transport,
        engines: Mapping[str, Engine],
        sources: Mapping[str, Source],
        publishers: Mapping[str, Publisher],
        workspace: Workspace,
        clock: Clock,
        random: Random,
        ids: Ids,
        cache: KeptInputs | None = None,
        options: ComputeOptions | None = None,
    ) -> None:
        self._options = options or ComputeOptions()
        self._node_id = info.node_id
        self._transport = transport
        self._workspace = workspace
        self._clock = clock
        self._random = random
        self._ids = ids
        self._cache = cache
        self._watches = Watches()
        self._records = Records(store, clock)
        self._ledger = Ledger(capacity)
        self._plugins = Plugins(
            engines=engines, sources=sources, publishers=publishers, clock=clock
        )
        self._portrait = Portrait(info=info, plugins=self._plugins, ledger=self._ledger)
        runner = Runner(ledger=self._ledger, around=self._surroundings())
        bidder = Bidder(
            records=self._records,
            policy=self._bid_policy(),
            clock=clock,
            run=runner.run,
            at_once=self._options.bids_at_once,
        )
        self._workforce = _Workforce(bidder, runner)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Be a compute node.

        What an earlier process had not finished goes on before the orchestrator is spoken to; what
        it left over is swept meanwhile. Leaving drains: see ``Runner.drain``; engines leave running
        what the next process can join. Cancelled or failing, the node ends at once, as when it is
        killed: that loses nothing either.
        """
        logs = LogStreams(self._records, self._workspace)
        async with (
            self._workforce.open(),
            self._transport.endpoint(self._node_id, logs=logs.stream) as endpoint,
        ):
            await take_up(self._records, self._workforce)
            async with asyncio.TaskGroup() as group:
                link = self._link(endpoint)
                tasks = [
                    group.create_task(link.run()),
                    group.create_task(self._sweeper().run(self._options.sweep_every_seconds)),
                ]
                try:
                    yield
                    await self._drain(link)
                finally:
                    for task in tasks:
                        task.cancel()

    async def _drain(self, link: Link) -> None:
        """Come to an end in good order; the orchestrator is still spoken to meanwhile."""
        if self._options.leaves_tasks:
            for engine in self._plugins.all_engines:
                engine.let_go()
        await self._workforce.drain(self._options.drain_seconds)
        try:
            async with asyncio.timeout(self._options.tell_seconds):
                await link.wait_told()
        except (TimeoutError, BacalhauError):
            log.info("messages_kept_for_next_start")

    async def load(self) -> ComputeNodeInfo:
        """Return what the node offers, and how much of it is free."""
        return await self._portrait.load()

    async def activity(self) -> ComputeDebug:
        """Return what has not ended, and how much has completed since the start."""
        live = await self._records.store.live()
        return ComputeDebug(
            active_jobs=[_active(record) for record in live],
            jobs_completed=self._records.completed,
            input_cache=self._cache.statistics() if self._cache is not None else None,
        )

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            records=self._records,
            plugins=self._plugins,
            workspace=self._workspace,
            clock=self._clock,
            watches=self._watches,
            read_timeout_seconds=self._options.read_timeout_seconds,
        )

    def _sweeper(self) -> Sweeper:
        return Sweeper(
            records=self._records,
            ledger=self._ledger,
            engines=self._plugins.all_engines,
            workspace=self._workspace,
            limit_seconds=self._options.sweep_seconds,
        )

    def _bid_policy(self) -> BidPolicy:
        return BidPolicy(
            plugins=self._plugins,
            capacity=self._ledger.capacity,
            options=self._options,
        )

    def _link(self, endpoint: Endpoint) -> Link:
        return Link(
            node_id=self._node_id,
            endpoint=endpoint,
            records=self._records,
            inbox=Inbox(self._records, self._workforce, self._clock),
            doings=Doings(self._watches, self._ledger),
            holdings=self._cache.holdings if self._cache is not None else Holdings(),
            portrait=self._portrait,
            clock=self._clock,
            random=self._random,
            ids=self._ids,
            options=self._options,
        )


def _active(record: LocalExecution) -> ActiveExecution:
    return ActiveExecution(
        execution_id=record.id,
        job_id=record.execution.job_id,
        state=record.state.name.title().replace("_", ""),
        allocated_resources=record.execution.allocated_resources,
    )


class _Workforce:
    """Bidder and runner as one (``compute.inbox.Work``)."""

    def __init__(self, bidder: Bidder, runner: Runner) -> None:
        self._bidder = bidder
        self._runner = runner
        self._is_open = True

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self._runner.open(), self._bidder.open():
            yield

    async def drain(self, limit_seconds: float) -> None:
        self._is_open = False
        await self._runner.drain(limit_seconds)

    def bid(self, execution_id: ExecutionID) -> None:
        if self._is_open:
            self._bidder.bid(execution_id)

    def run(self, record: LocalExecution) -> None:
        self._runner.run(record)

    def drop(self, execution_id: ExecutionID) -> None:
        self._bidder.drop(execution_id)
        self._runner.drop(execution_id)
