"""The orchestrator's end of the line to each node: what is sent, and in which order it is taken.

A node opens a session with Hello. Within it, messages of the outbox go out in order, a window at
a time, until the node acknowledges them; what the node sends is taken in order, a batch at a time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError
from bacalhau.protocol.messages import FROM_NODE, ORCHESTRATOR, Ack, AnyMessage, Envelope
from bacalhau.protocol.sequence import Patience, Receiver, Sender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bacalhau.models import NodeID
    from bacalhau.ports import Endpoint, JobStore
    from bacalhau.protocol.messages import FromNode, StoredMessage

    Take = Callable[[NodeID, Sequence[FromNode]], Awaitable[None]]

WINDOW = 64
QUEUE_LIMIT = 1024
FORGET_AFTER = 64
"""Delivered messages that may stay in the outbox, so that not each costs a transaction."""
RESEND_SECONDS = 2.0
RESEND_SECONDS_MAX = 30.0

log = structlog.get_logger()


class Session:
    """One session with one node; ``run`` lives as long as the session."""

    def __init__(
        self,
        *,
        node_id: NodeID,
        name: str,
        floor: int,
        endpoint: Endpoint,
        store: JobStore,
        take: Take,
    ) -> None:
        self.node_id = node_id
        self.name = name
        self._endpoint = endpoint
        self._store = store
        self._take = take
        self.floor = store.outbox_floor(node_id)
        self._sender = Sender(self.floor)
        self._forgotten = self.floor
        self._receiver = Receiver(floor)
        self._arrived: asyncio.Queue[Envelope] = asyncio.Queue(QUEUE_LIMIT)
        self._something_to_send = asyncio.Event()
        self._something_to_send.set()
        self._progress = asyncio.Event()
        self._closed = asyncio.Event()
        self._taking = asyncio.Lock()

    async def run(self) -> None:
        """Send and take until closed."""
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._send_forever())
            taking = tasks.create_task(self._take_forever())
            await self._closed.wait()
            sending.cancel()
            async with self._taking:
                taking.cancel()

    def close(self) -> None:
        """End the session; a batch that is being taken is taken to its end."""
        self._closed.set()

    def wake(self) -> None:
        """Say that the outbox has something new."""
        self._something_to_send.set()

    def arrived(self, envelope: Envelope) -> None:
        """Queue a sequenced message; when the queue is full it is dropped, and will come again."""
        if not self._arrived.full():
            self._arrived.put_nowait(envelope)

    async def acknowledged(self, seq: int) -> None:
        """Note that the node has stored everything up to ``seq``."""
        if self._sender.acknowledge(seq):
            self._progress.set()
            self._something_to_send.set()
        if self._sender.acked - self._forgotten >= FORGET_AFTER:
            await self.forget_delivered()

    async def forget_delivered(self) -> None:
        """Take out of the outbox what has arrived; until then a restart would send it again."""
        delivered = self._sender.acked
        if delivered > self._forgotten:
            await self._store.outbox_delivered(self.node_id, up_to=delivered)
            self._forgotten = delivered

    async def signal(self, message: AnyMessage) -> None:
        """Send a signal within the session."""
        await self._endpoint.send(
            Envelope(source=ORCHESTRATOR, target=self.node_id, session=self.name, message=message)
        )

    async def _send_forever(self) -> None:
        patience = Patience(RESEND_SECONDS, RESEND_SECONDS_MAX)
        while True:
            self._something_to_send.clear()
            if self._progress.is_set():
                self._progress.clear()
                patience.renew()
            is_sent = await self._send_window()
            if is_sent and self._sender.sent == self._sender.acked:
                patience.renew()
                await self._something_to_send.wait()
                continue
            try:
                async with asyncio.timeout_at(patience.until(asyncio.get_running_loop().time())):
                    await self._something_to_send.wait()
            except TimeoutError:
                self._sender.rewind()
                patience.lengthen()

    async def _send_window(self) -> bool:
        """Send what may be sent; False when the store does not tell what that is."""
        try:
            waiting = await self._store.outbox(self.node_id, after=self._sender.acked, limit=WINDOW)
        except BacalhauError as exc:
            log.warning("outbox_not_read", node_id=self.node_id, error=exc.message)
            return False
        for stored, previous in self._sender.take(waiting, WINDOW):
            await self._endpoint.send(self._sequenced(stored, previous))
        return True

    def _sequenced(self, stored: StoredMessage, previous: int) -> Envelope:
        return Envelope(
            source=ORCHESTRATOR,
            target=self.node_id,
            session=self.name,
            message=stored.message,
            seq=stored.seq,
            previous=previous,
        )

    async def _take_forever(self) -> None:
        while True:
            arrived = await self._drain()
            async with self._taking:
                await self._take_batch(self._receiver.in_order(arrived))
            await self.signal(Ack(seq=self._receiver.received))

    async def _take_batch(self, batch: Sequence[Envelope]) -> None:
        try:
            if batch:
                await self._take(self.node_id, _messages(batch))
                self._receiver.take(batch[-1].seq)
        except BacalhauError as exc:
            # Not taken and not acknowledged: the node sends it again.
            log.warning("messages_not_taken", node_id=self.node_id, error=exc.message)

    async def _drain(self) -> list[Envelope]:
        envelopes = [await self._arrived.get()]
        while not self._arrived.empty():
            envelopes.append(self._arrived.get_nowait())
        return envelopes


def _messages(batch: Sequence[Envelope]) -> list[FromNode]:
    return [item.message for item in batch if isinstance(item.message, FROM_NODE)]
