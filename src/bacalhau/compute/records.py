"""The one door through which executions of this node change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from bacalhau.compute.moves import messages_of, moved
from bacalhau.errors import Code, StaleWriteError, TransientError
from bacalhau.lib.backoff import Backoff
from bacalhau.lifecycle.local import Refusal
from bacalhau.models import ComputeState
from bacalhau.ports import LocalChanges

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bacalhau.compute.moves import Move
    from bacalhau.models import ExecutionID
    from bacalhau.ports import Clock, ExecutionStore, LocalExecution
    from bacalhau.protocol.messages import FromNode

_STORE_RETRIES = Backoff(initial_seconds=1, maximum_seconds=30)

log = structlog.get_logger()


class Records:
    """Reads, decides and writes, and begins again when the record has changed in between.

    A disk that takes no write now is tried until it does: nothing could go on without it, and
    what is going on is not lost meanwhile.

    Attributes:
        outgoing: Set whenever the outbox may hold something new.
        completed: How many executions have completed since the process started.
        is_refused: True while the disk takes no write.
    """

    def __init__(self, store: ExecutionStore, clock: Clock) -> None:
        self.store = store
        self.outgoing = asyncio.Event()
        self.completed = 0
        self.is_refused = False
        self._clock = clock
        self._live: dict[ExecutionID, LocalExecution] = {}

    def read(self, execution_id: ExecutionID) -> LocalExecution | None:
        """Return the record of an execution."""
        known = self._live.get(execution_id)
        return self.store.execution(execution_id) if known is None else known

    async def advance(
        self,
        execution_id: ExecutionID,
        move: Move,
        make_room: Callable[[], Awaitable[None]] | None = None,
    ) -> LocalExecution | Refusal:
        """Apply a move durably and return the new record, or why it has no effect.

        ``make_room`` is called once if the disk is full, and then the move is tried again.

        Cancellation: the move may have been stored all the same.
        """
        while True:
            record = self.read(execution_id)
            if record is None:
                return Refusal.UNKNOWN
            after = moved(record, move, self._clock.now_ns())
            if isinstance(after, Refusal):
                return after
            try:
                await self.write([after], messages_of(move, after), make_room)
            except StaleWriteError:
                continue
            self.completed += after.state is ComputeState.COMPLETED
            return following(after)

    async def write(
        self,
        records: Sequence[LocalExecution],
        messages: Sequence[FromNode] = (),
        make_room: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Store changed records, which carry the revision they had when they were read.

        ``make_room`` is called once if the disk is full.

        Raises:
            StaleWriteError: one of them has changed since; nothing was stored.
        """
        changes = LocalChanges(
            executions=tuple(following(record) for record in records), messages=tuple(messages)
        )
        try:
            await self._apply(changes, make_room)
        except BaseException:
            for record in records:
                self._live.pop(record.id, None)  # who knows what is stored
            raise
        else:
            self._remember(changes.executions)
        finally:
            # Also when the wait was cancelled: the transaction may have been handed over.
            if messages:
                self.outgoing.set()

    async def delivered(self, up_to: int) -> None:
        """Forget messages that have arrived, up to and including this number."""
        try:
            await self.store.outbox_delivered(up_to=up_to)
        except TransientError as exc:
            # The next delivery makes up for it; until then, a restart would repeat the messages.
            log.warning("store_refuses", error=exc.message)

    async def _apply(
        self, changes: LocalChanges, make_room: Callable[[], Awaitable[None]] | None
    ) -> None:
        attempt = 0
        while True:
            try:
                await self.store.apply(changes)
            except TransientError as exc:
                self.is_refused = True
                log.warning("store_refuses", attempt=attempt, error=exc.message)
                if make_room is not None and exc.code == Code.DISK:
                    await make_room()
                    make_room = None
            except StaleWriteError:
                if attempt and self._is_stored(changes):
                    return
                raise
            else:
                self.is_refused = False
                return
            await asyncio.sleep(_STORE_RETRIES.delay(attempt, draw=0))
            attempt += 1

    def _is_stored(self, changes: LocalChanges) -> bool:
        """Tell whether an attempt that seemed to fail has been stored after all."""
        wanted = changes.executions
        return bool(wanted) and all(self.store.execution(each.id) == each for each in wanted)

    def _remember(self, stored: Sequence[LocalExecution]) -> None:
        """Keep what is stored of executions that have not ended: it is read at every step."""
        for record in stored:
            known = self._live.get(record.id)
            if record.state.is_terminal:
                self._live.pop(record.id, None)
            elif known is None or known.revision < record.revision:
                self._live[record.id] = record


def following(record: LocalExecution) -> LocalExecution:
    """Return a changed record with the revision that follows the one it was read with."""
    return msgspec.structs.replace(record, revision=record.revision + 1)
