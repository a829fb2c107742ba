"""Who is inside the engines, and which tasks of an earlier process nobody has come back for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from bacalhau.compute.failures import defects_contained
from bacalhau.errors import BacalhauError
from bacalhau.models import ExecutionID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from bacalhau.compute.plugins import Plugins
    from bacalhau.ports import Engine

log = structlog.get_logger()


class EngineDoor:
    """Every task passes here on its way into an engine.

    After a crash, an engine may still run tasks of the earlier process. An execution that goes on
    joins its task. One that is ended before it does so has its task removed through the engine's
    sweep; nothing new may start meanwhile, because the sweep would not know it.
    """

    def __init__(self, plugins: Plugins, *, limit_seconds: float) -> None:
        self._engines = plugins.all_engines
        self._limit_seconds = limit_seconds
        self._lock = asyncio.Lock()
        self._inside: dict[ExecutionID, None] = {}
        self._left: dict[ExecutionID, None] = {}

    def expect_left(self, execution_id: ExecutionID) -> None:
        """Note that an earlier process may have left a task of this execution."""
        self._left[execution_id] = None

    def may_be_left(self, execution_id: ExecutionID) -> bool:
        """Tell whether there may be a task that was neither joined nor removed."""
        return execution_id in self._left

    @contextlib.asynccontextmanager
    async def inside(self, execution_id: ExecutionID) -> AsyncIterator[None]:
        """Be in an engine; from now on the engine's ``run`` answers for the task."""
        async with self._lock:
            self._left.pop(execution_id, None)
            self._inside[execution_id] = None
        try:
            yield
        finally:
            del self._inside[execution_id]

    async def remove_left(self, execution_id: ExecutionID) -> None:
        """Remove the task that an earlier process may have left of an ended execution."""
        if execution_id in self._left:
            async with self._lock:
                self._left.pop(execution_id, None)
                await self.sweep([*self._inside, *self._left])

    async def sweep(self, live: Collection[ExecutionID]) -> None:
        """Remove tasks of all executions that are not ``live``.

        An engine that is unwell keeps its leftovers until the next start.
        """
        async with asyncio.TaskGroup() as group:
            for engine in self._engines:
                group.create_task(self._sweep(engine, live))

    async def _sweep(self, engine: Engine, live: Collection[ExecutionID]) -> None:
        try:
            async with asyncio.timeout(self._limit_seconds):
                with defects_contained(ExecutionID("")):
                    await engine.sweep(live)
        except (BacalhauError, TimeoutError) as exc:
            log.warning("sweep_failed", engine=type(engine).__name__, error=str(exc))
