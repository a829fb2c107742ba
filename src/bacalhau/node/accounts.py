"""Regular accounts of what a compute node does, for its log (spec config.md 3.9)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.compute.service import ComputeNode

log = structlog.get_logger()


@asynccontextmanager
async def regular_accounts(node: ComputeNode, node_id: str, seconds: float) -> AsyncIterator[None]:
    """Log what runs every ``seconds``, and never where that is not more than 0."""
    if seconds <= 0:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(_tell_forever(node, node_id, seconds))
        try:
            yield
        finally:
            telling.cancel()


async def _tell_forever(node: ComputeNode, node_id: str, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            activity = await node.activity()
        except BacalhauError as exc:
            log.warning("activity_unknown", node_id=node_id, error=exc.message)
            continue
        log.debug(
            "node_activity",
            node_id=node_id,
            executions=[execution.execution_id for execution in activity.active_jobs],
            completed=activity.jobs_completed,
        )
