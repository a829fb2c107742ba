"""What earlier processes left: going on with it, and removing what nobody owns (spec 6.7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bacalhau.compute.failures import defects_contained
from bacalhau.errors import BacalhauError
from bacalhau.models import ComputeState, ExecutionID

if TYPE_CHECKING:
    from collections.abc import Collection

    from bacalhau.compute.inbox import Work
    from bacalhau.compute.ledger import Ledger
    from bacalhau.compute.records import Records
    from bacalhau.ports import Engine
    from bacalhau.ports.workspace import Workspace

_OCCUPYING = (ComputeState.RUNNING, ComputeState.PUBLISHING)

log = structlog.get_logger()


class Sweeper:
    """Removes files and tasks of executions that have ended, at the start and from time to time.

    Most are removed when the execution ends. This is for the rest: what a process left that was
    killed, and what could not be removed because a disk or an engine was unwell.
    """

    def __init__(
        self,
        *,
        records: Records,
        ledger: Ledger,
        engines: Collection[Engine],
        workspace: Workspace,
        limit_seconds: float,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._engines = engines
        self._workspace = workspace
        self._limit_seconds = limit_seconds

    async def run(self, every_seconds: float) -> None:
        """Sweep now and from time to time until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(every_seconds)

    async def sweep(self) -> None:
        """Remove everything that belongs to no live execution.

        A disk or an engine that is unwell keeps its leftovers until the next time.
        """
        try:
            await self._workspace.sweep(self._is_live)
        except BacalhauError as exc:
            log.warning("sweep_failed", error=exc.message)
        async with asyncio.TaskGroup() as group:
            for engine in self._engines:
                group.create_task(self._sweep(engine))

    async def _sweep(self, engine: Engine) -> None:
        try:
            async with asyncio.timeout(self._limit_seconds):
                with defects_contained(ExecutionID("")):
                    await engine.sweep(self._is_live)
        except (BacalhauError, TimeoutError) as exc:
            log.warning("sweep_failed", engine=type(engine).__name__, error=str(exc))

    def _is_live(self, execution_id: ExecutionID) -> bool:
        """Tell whether an execution may own something. Once it does not, it never will again.

        One that has ended is still live while its task is being stopped.
        """
        record = self._records.read(execution_id)
        return execution_id in self._ledger or (record is not None and record.state.is_executing)


async def take_up(records: Records, work: Work) -> None:
    """Go on with every execution that has not ended, where it stood.

    Tasks that may still run come first, so that nothing new takes the room that they use.
    """
    live = await records.store.live()
    for record in sorted(live, key=lambda each: each.state not in _OCCUPYING):
        if record.state is ComputeState.NEW:
            work.bid(record.id)
        elif record.state.is_executing:
            work.run(record)
    if live:
        log.info("executions_taken_up", executions=len(live))
