"""Opening the node's cache of inputs as the operator wants it."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import structlog

from bacalhau.compute.cache.keeper import InputKeeper
from bacalhau.compute.cache.size import KEY, size_limit

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    from bacalhau.node.roles import Host

log = structlog.get_logger()


async def open_cache(directory: Path, host: Host, stack: AsyncExitStack) -> InputKeeper | None:
    """Open the cache within ``stack``; without room for anything, or a fit disk, there is none.

    What an earlier process kept is removed where nothing is to be kept any more.
    """
    held_bytes = await asyncio.to_thread(_held_bytes, directory)
    limit_bytes = size_limit(
        host.settings.text(KEY),
        free_bytes=shutil.disk_usage(directory.parent).free,
        held_bytes=held_bytes,
    )
    if not limit_bytes:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
        return None
    keeper = InputKeeper.open(
        directory,
        limit_bytes=limit_bytes,
        verify_seconds=host.settings.seconds("InputSources.Cache.VerifyInterval"),
        clock=host.clock,
        ids=host.ids,
    )
    try:
        return await stack.enter_async_context(keeper)
    except OSError as exc:
        log.warning("input_cache_unavailable", path=str(directory), error=str(exc))
        return None


def _held_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
