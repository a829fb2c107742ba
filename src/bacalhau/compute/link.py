"""The line to the orchestrator: says who we are, what we do, and that we live."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog

from bacalhau.compute.session import Session
from bacalhau.lib.backoff import Backoff
from bacalhau.protocol.messages import (
    FROM_NODE,
    ORCHESTRATOR,
    TO_NODE,
    Ack,
    Envelope,
    Heartbeat,
    Hello,
    Rejoin,
    Report,
    Underway,
    Welcome,
)
from bacalhau.protocol.sequence import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bacalhau.compute.cache.holdings import Holdings
    from bacalhau.compute.inbox import Inbox
    from bacalhau.compute.options import ComputeOptions
    from bacalhau.compute.records import Records
    from bacalhau.compute.underway import Doings
    from bacalhau.models import ComputeNodeInfo, ComputeState, ExecutionID, NodeID, NodeInfo
    from bacalhau.ports import Clock, Endpoint, Ids, Random
    from bacalhau.protocol.messages import AnyMessage, ToNode

NEWS_SECONDS = 0.5
"""The shortest time between two signs of life, when there is news of inputs."""

FORGET_AFTER = 64
"""Delivered messages that may stay in the outbox, so that not each costs a transaction."""

log = structlog.get_logger()


class SelfPortrait(Protocol):
    """What the node says of itself."""

    async def node_info(self) -> NodeInfo:
        """Who it is and what it offers."""
        ...

    async def load(self) -> ComputeNodeInfo:
        """What it offers, and how much of it is free."""
        ...


class Link:
    """Keeps a session with the orchestrator for as long as the node lives.

    A session is lost when the orchestrator says that it does not know it. Then a new one is opened;
    nothing that was to be delivered is lost with it.
    """

    def __init__(
        self,
        *,
        node_id: NodeID,
        endpoint: Endpoint,
        records: Records,
        inbox: Inbox,
        doings: Doings,
        holdings: Holdings,
        portrait: SelfPortrait,
        clock: Clock,
        random: Random,
        ids: Ids,
        options: ComputeOptions,
    ) -> None:
        self._node_id = node_id
        self._endpoint = endpoint
        self._records = records
        self._store = records.store
        self._inbox = inbox
        self._doings = doings
        self._holdings = holdings
        self._portrait = portrait
        self._clock = clock
        self._random = random
        self._ids = ids
        self._options = options
        self._introductions = Backoff(options.hello_seconds, options.hello_limit_seconds)
        self._arrived = asyncio.Event()
        self._told = asyncio.Event()
        self._session = self._new_session()

    async def run(self) -> None:
        """Talk until cancelled."""
        async with asyncio.TaskGroup() as group:
            # These two outlive sessions: what is being stored must also be acted upon.
            group.create_task(self._listen())
            group.create_task(self._take_messages())
            while True:
                await self._keep(self._session)
                await asyncio.sleep(self._random.random() * self._options.hello_seconds)
                self._session = self._new_session()

    async def wait_told(self) -> None:
        """Wait until the orchestrator has everything that it was to be told, and note that."""
        while True:
            self._told.clear()
            if not await self._store.outbox(after=self._session.sender.acked, limit=1):
                break
            await self._told.wait()
        await self._forget_delivered(self._session)

    def _new_session(self) -> Session:
        return Session(self._ids.uuid(), self._store.outbox_floor(), self._clock.monotonic())

    async def _keep(self, session: Session) -> None:
        """Do all that belongs to one session, until it is lost."""
        async with asyncio.TaskGroup() as group:
            talk = group.create_task(self._talk(session))
            await session.lost.wait()
            talk.cancel()
        log.info("session_lost", node_id=self._node_id)

    async def _talk(self, session: Session) -> None:
        await self._introduce(session)
        log.info("session_opened", node_id=self._node_id)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_outbox(session))
            group.create_task(self._acknowledge(session))
            group.create_task(self._beat(session))
            group.create_task(self._report(session))
            group.create_task(self._tell_underway(session))

    # -- what we say --------------------------------------------------------------------

    async def _send(
        self, session: Session, message: AnyMessage, seq: int = 0, previous: int = 0
    ) -> None:
        await self._endpoint.send(
            Envelope(
                source=self._node_id,
                target=ORCHESTRATOR,
                session=session.name,
                message=message,
                seq=seq,
                previous=previous,
            )
        )

    async def _introduce(self, session: Session) -> None:
        attempt = 0
        while not session.welcomed.is_set():
            await self._say_hello(session)
            patience = self._introductions.delay(attempt, self._random.random())
            attempt += 1
            try:
                async with asyncio.timeout(patience):
                    await session.welcomed.wait()
            except TimeoutError:
                continue

    async def _say_hello(self, session: Session) -> None:
        info = await self._portrait.node_info()
        await self._send(session, Hello(info=info, floor=session.sender.acked))

    async def _beat(self, session: Session) -> None:
        """Send signs of life; Hello, which is always answered, when nothing was heard for long.

        A sign of life is sent soon when it has news of inputs: the next job may be about the same.
        """
        told = 0
        silence_limit = self._options.heartbeat_seconds * self._options.silent_heartbeats
        while True:
            await self._pause(told)
            if self._clock.monotonic() - session.heard < silence_limit:
                load = await self._portrait.load()
                told = self._holdings.version
                await self._send(session, Heartbeat(load=load, held=self._holdings.told()))
            else:
                await self._say_hello(session)

    async def _pause(self, told: int) -> None:
        """Wait until the next sign of life is due, or for news of inputs, but not too often."""
        beat = self._options.heartbeat_seconds
        shortest = min(NEWS_SECONDS, beat)
        await asyncio.sleep(shortest)
        with suppress(TimeoutError):
            async with asyncio.timeout(beat - shortest):
                await self._holdings.wait_news(told)

    async def _report(self, session: Session) -> None:
        assert session.receiver is not None, "reports follow the Welcome"
        while True:
            # Read in this order: what is taken in between is in the report, though it is not
            # counted, and does no harm.
            received = session.receiver.received
            await self._forget_delivered(session)
            live = await self._live()
            untold = await self._untold(session, live)
            await self._send(session, Report(executions=live, received=received, untold=untold))
            await asyncio.sleep(self._options.report_seconds)

    async def _tell_underway(self, session: Session) -> None:
        """Say what executions are doing, and once that there is nothing to say any more."""
        while True:
            await self._doings.wait_any()
            has_told = False
            while True:
                await asyncio.sleep(self._options.underway_seconds)
                events = self._doings.events(self._clock.now_ns())
                if events or has_told:
                    await self._send(session, Underway(events=events))
                has_told = bool(events)
                if not events:
                    break

    async def _acknowledge(self, session: Session) -> None:
        assert session.receiver is not None, "acknowledgements follow the Welcome"
        while True:
            await session.to_acknowledge.wait()
            session.to_acknowledge.clear()
            await self._send(session, Ack(seq=session.receiver.received))

    async def _live(self) -> dict[ExecutionID, ComputeState]:
        return {record.id: record.state for record in await self._store.live()}

    async def _untold(
        self, session: Session, live: Mapping[ExecutionID, ComputeState]
    ) -> tuple[ExecutionID, ...]:
        """Return what has ended and is still told of; read after what has not ended."""
        waiting = await self._store.outbox(after=session.sender.acked, limit=0)
        messages = [stored.message for stored in waiting]
        told = dict.fromkeys(each.execution_id for each in messages if isinstance(each, FROM_NODE))
        return tuple(each for each in told if each not in live)

    # -- our outbox ---------------------------------------------------------------------

    async def _send_outbox(self, session: Session) -> None:
        sender, options = session.sender, self._options
        patience = Patience(options.resend_seconds, options.resend_limit_seconds)
        delivered = sender.acked
        while True:
            self._records.outgoing.clear()
            if sender.acked > delivered:
                patience.renew()
                delivered = sender.acked
                if delivered - session.forgotten >= FORGET_AFTER:
                    await self._forget_delivered(session)
            await self._send_window(session)
            if sender.sent == sender.acked:
                await self._records.outgoing.wait()
                continue
            now = self._clock.monotonic()
            woken = await self._woken_within(patience.until(now) - now)
            if not woken and sender.acked == delivered:
                sender.rewind()
                patience.lengthen()

    async def _forget_delivered(self, session: Session) -> None:
        """Take out of the outbox what has arrived; until then a restart would send it again."""
        delivered = session.sender.acked
        if delivered > session.forgotten:
            await self._records.delivered(delivered)
            session.forgotten = delivered

    async def _send_window(self, session: Session) -> None:
        sender, window = session.sender, self._options.window
        waiting = await self._store.outbox(after=sender.acked, limit=window)
        for stored, previous in sender.take(waiting, window):
            await self._send(session, stored.message, stored.seq, previous)

    async def _woken_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._records.outgoing.wait()
        except TimeoutError:
            return False
        return True

    # -- what we hear -------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            self._hear(await self._endpoint.receive())

    def _hear(self, envelope: Envelope) -> None:
        session = self._session
        if envelope.session != session.name:
            return
        session.heard = self._clock.monotonic()
        match envelope.message:
            case Welcome(floor=floor):
                session.welcome(floor)
            case Rejoin():
                session.lost.set()
            case Ack(seq=seq):
                if session.sender.acknowledge(seq):
                    self._records.outgoing.set()
                    self._told.set()
            case _ if envelope.seq:
                session.arrived(envelope)
                self._arrived.set()
            case _:
                log.debug("message_ignored", message=type(envelope.message).__name__)

    async def _take_messages(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            session = self._session
            if session.receiver is None:
                continue
            batch = session.in_order()
            await self._inbox.take(_messages(batch))
            session.take(batch)


def _messages(batch: Sequence[Envelope]) -> list[ToNode]:
    return [item.message for item in batch if isinstance(item.message, TO_NODE)]
