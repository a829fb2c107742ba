"""The orchestrator as a whole: its parts, and the tasks that keep them going."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError
from bacalhau.models import JobType, NodeID, Trigger
from bacalhau.orchestrator.admission import Admission
from bacalhau.orchestrator.answers import Answers
from bacalhau.orchestrator.broker import Broker
from bacalhau.orchestrator.checks import Checks
from bacalhau.orchestrator.deadlines import Deadlines
from bacalhau.orchestrator.intake import Intake
from bacalhau.orchestrator.planner import Planner
from bacalhau.orchestrator.registry import NodeRegistry
from bacalhau.orchestrator.sessions import Session
from bacalhau.orchestrator.underway import UnderwayEvents
from bacalhau.orchestrator.wall_time import WallTime
from bacalhau.protocol.messages import (
    ORCHESTRATOR,
    Ack,
    Envelope,
    Heartbeat,
    Hello,
    Rejoin,
    Report,
    Underway,
    Welcome,
)
from bacalhau.scheduling.deadlines import BACKSTOP_SECONDS, next_deadline
from bacalhau.scheduling.locality import LOCALITY_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bacalhau.models import Job, JobID
    from bacalhau.models.defaults import TaskDefaults
    from bacalhau.ports import Clock, Endpoint, Ids, JobStore, Random, Transport

DAEMONS_AGAIN_SECONDS = 5.0
"""How long after the store has failed daemons are looked at again for nodes that came."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class OrchestratorOptions:
    """Settings of the orchestrator. ``meta`` is noted in every job that it takes."""

    workers: int = 16
    disconnect_timeout_seconds: float = 60.0
    is_approval_manual: bool = False
    sweep_seconds: float = 30.0
    backstop_seconds: float = BACKSTOP_SECONDS
    locality_seconds: float = LOCALITY_SECONDS
    defaults: Mapping[JobType, TaskDefaults] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)


class Orchestrator:
    """Keeps jobs and decides where their executions run. Alive inside ``run``."""

    def __init__(
        self,
        *,
        node_id: NodeID,
        store: JobStore,
        transport: Transport,
        clock: Clock,
        random: Random,
        ids: Ids,
        checks: Checks | None = None,
        options: OrchestratorOptions | None = None,
    ) -> None:
        self._options = options or OrchestratorOptions()
        self._store = store
        self._transport = transport
        self._clock = clock = WallTime(clock)
        self._sessions: dict[NodeID, tuple[Session, asyncio.Task[None]]] = {}
        self._came = asyncio.Event()
        self.broker = Broker()
        self.underway = UnderwayEvents(clock)
        self.deadlines = Deadlines(clock)
        self.registry = NodeRegistry(
            store=store,
            clock=clock,
            disconnect_timeout_seconds=self._options.disconnect_timeout_seconds,
            own_id=node_id,
            is_approval_manual=self._options.is_approval_manual,
        )
        self.admission = self._new_admission()
        self.planner = Planner(
            store=store,
            broker=self.broker,
            registry=self.registry,
            deadlines=self.deadlines,
            clock=clock,
            random=random,
            ids=ids,
            wake=self._wake,
            backstop_seconds=self._options.backstop_seconds,
            locality_seconds=self._options.locality_seconds,
        )
        self.intake = Intake(
            node_id=node_id,
            store=store,
            broker=self.broker,
            planner=self.planner,
            checks=checks or Checks({}, {}, {}),
            defaults=self._options.defaults,
            meta=self._options.meta,
            clock=clock,
            ids=ids,
        )
        self.answers = Answers(
            store=store,
            broker=self.broker,
            deadlines=self.deadlines,
            planner=self.planner,
            clock=clock,
            wake=self._wake,
        )

    def _new_admission(self) -> Admission:
        return Admission(
            registry=self.registry,
            on_approved=self.node_came,
            on_rejected=self.broker.capacity_lost,
            on_deleted=self._node_deleted,
        )

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Orchestrator]:
        """Rebuild what is kept in memory, then work until the context is left."""
        await self.registry.load()
        await self._rebuild()
        async with (
            self._transport.endpoint(ORCHESTRATOR) as endpoint,
            asyncio.TaskGroup() as tasks,
        ):
            running = [
                tasks.create_task(self.registry.watch(self._node_lost)),
                tasks.create_task(self.deadlines.run(self._deadline)),
                tasks.create_task(self._sweep_forever()),
                tasks.create_task(self._look_at_daemons_forever()),
                tasks.create_task(self._receive_forever(endpoint, tasks)),
                *(tasks.create_task(self.planner.work()) for _ in range(self._options.workers)),
            ]
            try:
                yield self
            finally:
                for task in [*running, *(task for _, task in self._sessions.values())]:
                    task.cancel()

    # -- nodes -------------------------------------------------------------------------

    async def _receive_forever(self, endpoint: Endpoint, tasks: asyncio.TaskGroup) -> None:
        while True:
            envelope = await endpoint.receive()
            try:
                await self._handle(envelope, endpoint, tasks)
            except BacalhauError as exc:
                # The store failed. Nothing was acknowledged, so the node tells it again.
                log.warning("message_not_handled", node_id=envelope.source, error=exc.message)

    async def _handle(
        self, envelope: Envelope, endpoint: Endpoint, tasks: asyncio.TaskGroup
    ) -> None:
        hello = envelope.message
        if isinstance(hello, Hello):
            if hello.info.node_id == envelope.source:
                await self._welcome(envelope, hello, endpoint, tasks)
            return
        session = self._session_of(envelope)
        if session is None:
            await endpoint.send(_rejoin(envelope))
        else:
            await self._dispatch(session, envelope)

    async def _welcome(
        self, envelope: Envelope, hello: Hello, endpoint: Endpoint, tasks: asyncio.TaskGroup
    ) -> None:
        node_id = hello.info.node_id
        await self.registry.join(hello.info)
        known = self._session_of(envelope)
        if known is not None:
            await known.signal(Welcome(floor=known.floor))
            return
        if node_id in self._sessions:
            self._sessions.pop(node_id)[0].close()
        session = Session(
            node_id=node_id,
            name=envelope.session,
            floor=hello.floor,
            endpoint=endpoint,
            store=self._store,
            take=self.answers.take,
        )
        await session.signal(Welcome(floor=session.floor))
        self._sessions[node_id] = (session, tasks.create_task(session.run()))
        log.info("node_joined", node_id=node_id)
        self.node_came()

    def node_came(self) -> None:
        """Look at what may have waited for a node: jobs without room, and soon every daemon."""
        self.broker.capacity_freed()
        self._came.set()

    async def _look_at_daemons_forever(self) -> None:
        """One look serves all nodes that came meanwhile: after a start they come all at once."""
        while True:
            await self._came.wait()
            self._came.clear()
            try:
                unfinished = await self._store.unfinished_jobs()
            except BacalhauError as exc:
                log.warning("daemons_not_looked_at", error=exc.message)
                await asyncio.sleep(DAEMONS_AGAIN_SECONDS)
                self._came.set()
                continue
            for job in unfinished:
                if job.type is JobType.DAEMON:
                    self.planner.look_again(job, Trigger.NODE_JOIN)

    async def _dispatch(self, session: Session, envelope: Envelope) -> None:
        message = envelope.message
        beat = message if isinstance(message, Heartbeat) else None
        if self.registry.heard(session.node_id, beat):
            self.node_came()
        match message:
            case Heartbeat():
                pass
            case Underway(events=events):
                self.underway.tell(session.node_id, events)
            case Ack(seq=seq):
                await session.acknowledged(seq)
            case Report():
                await session.forget_delivered()
                await self.answers.compare(session.node_id, message)
            case _ if envelope.seq:
                session.arrived(envelope)
            case _:
                log.warning("unexpected_message", node_id=session.node_id)

    def _session_of(self, envelope: Envelope) -> Session | None:
        node_id = NodeID(envelope.source)
        # A node may have been deleted while it was welcomed.
        found = self._sessions.get(node_id) if self.registry.knows(node_id) else None
        return found[0] if found is not None and found[0].name == envelope.session else None

    def _wake(self, node_id: NodeID) -> None:
        if node_id in self._sessions:
            self._sessions[node_id][0].wake()

    def _node_lost(self, node_id: NodeID) -> None:
        log.warning("node_lost", node_id=node_id)
        self._give_up(node_id)

    def _give_up(self, node_id: NodeID) -> None:
        for job_id in self.registry.jobs_on(node_id):
            self._look(job_id, Trigger.NODE_LEAVE)
        self.broker.capacity_lost()

    def _node_deleted(self, node_id: NodeID) -> None:
        """Give up what runs there. A node that lives on says Hello again, and is a new one."""
        session = self._sessions.pop(node_id, None)
        if session is not None:
            session[0].close()
        self._give_up(node_id)

    # -- time --------------------------------------------------------------------------

    def _deadline(self, job_id: JobID) -> None:
        self._look(job_id, Trigger.JOB_TIMEOUT)

    def _look(self, job_id: JobID, trigger: Trigger) -> None:
        job = self._store.job(job_id)
        if job is not None:
            self.planner.look_again(job, trigger)

    async def _rebuild(self) -> None:
        """Queue every open evaluation, and set the deadline of every unfinished job."""
        for evaluation in await self._store.open_evaluations():
            self.broker.enqueue(evaluation, stored=True)
        for job in await self._store.unfinished_jobs():
            snapshot = self._store.snapshot(job.id)
            if snapshot is not None:
                moment = next_deadline(
                    snapshot.job,
                    snapshot.executions,
                    snapshot.completed.count,
                    self._options.backstop_seconds,
                    self._clock.present,
                )
                self.deadlines.set(job.id, moment)

    async def _sweep_forever(self) -> None:
        """Repair: a job that has not ended and that nothing will touch is looked at."""
        while True:
            await asyncio.sleep(self._options.sweep_seconds)
            try:
                await self._sweep()
            except BacalhauError as exc:
                log.warning("sweep_failed", error=exc.message)

    async def _sweep(self) -> None:
        for evaluation in await self._store.open_evaluations():
            # Its author was cancelled, or failed, between the write and the queue.
            if evaluation.job_id not in self.broker:
                self.broker.enqueue(evaluation, stored=True)
        live = {execution.job_id for execution in await self._store.live_executions()}
        for job in await self._store.unfinished_jobs():
            if job.id not in live and self._is_forgotten(job.id):
                log.warning("job_was_forgotten", job_id=job.id)
                self.planner.look_again(job, Trigger.JOB_QUEUE)

    def _is_forgotten(self, job_id: JobID) -> bool:
        """Judge by what is true now: lists are older, and the job may have moved on since."""
        if job_id in self.broker or job_id in self.deadlines:
            return False
        snapshot = self._store.snapshot(job_id)
        if snapshot is None or snapshot.job.is_terminal or _may_idle(snapshot.job):
            return False
        return all(execution.is_terminal for execution in snapshot.executions)


def _may_idle(job: Job) -> bool:
    """True for jobs that rightly do nothing: daemons without a node, services of count 0."""
    return job.type is JobType.DAEMON or (job.type is JobType.SERVICE and job.count == 0)


def _rejoin(envelope: Envelope) -> Envelope:
    return Envelope(
        source=ORCHESTRATOR,
        target=envelope.source,
        session=envelope.session,
        message=Rejoin(),
    )
