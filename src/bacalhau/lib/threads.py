"""Blocking work beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from bacalhau.lib.stopping import Stopped

T = TypeVar("T")


async def run_to_end(executor: Executor, step: Callable[[], T]) -> T:
    """Run a short step in a thread and return its result.

    Cancellation: the step cannot be interrupted, so its end is waited for; afterwards nothing
    writes any more to the files that the caller is about to remove.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, step)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.cancelled():
            await asyncio.wait([future])
            future.exception()  # seen, so that nobody complains that it was not
        raise


async def run_until_stopped(executor: Executor, step: Callable[[Stopped], T]) -> T:
    """Run a step that may take long in a thread and return its result.

    The step is given a function that tells whether it is to stop, and raises ``StoppedError`` then.

    Cancellation: a step that waits for a thread is not begun; one that runs is told, and its end is
    waited for.
    """
    stopped = threading.Event()
    work = executor.submit(step, stopped.is_set)
    future = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stopped.set()
        if not work.cancel():
            await asyncio.wait([future])
            future.exception()  # seen, so that nobody complains that it was not
        raise
