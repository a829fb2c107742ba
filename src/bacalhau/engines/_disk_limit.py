"""Ending a task that writes more than it has asked for (spec engines.md 2.5, security.md T-J4).

Few file systems can limit a directory, so what a task has written is measured: soon after its
start, then each second, and once more when it has ended. Only a task whose job says how much disk
it needs has a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bacalhau.errors import BacalhauError, Code, ExecutionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from bacalhau.ports import Clock, TaskRun

_FIRST_SECONDS = 0.1
_INTERVAL_SECONDS = 1.0
_REST = 20
"""How many times longer than a measurement the pause after it is at least."""

_BLOCK_BYTES = 512


@asynccontextmanager
async def disk_limit(
    run: TaskRun,
    clock: Clock,
    component: str,
    measure_more: Callable[[], Awaitable[int]] | None = None,
) -> AsyncIterator[None]:
    """Cancel what is done in the context when the task has written too much; fail if it had.

    ``measure_more`` returns what it has written beside its result paths, in bytes.

    Raises:
        ExecutionError: code ``DiskLimitExceeded``.
    """
    if not run.disk_bytes:
        yield
        return
    watch = _Watch(run, clock, measure_more)
    try:
        async with asyncio.timeout(None) as alarm, asyncio.TaskGroup() as group:
            watching = group.create_task(watch.until_exceeded(alarm))
            try:
                yield
            finally:
                watching.cancel()
        await watch.measure()
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    except TimeoutError:
        if not watch.excess_bytes:
            raise
    if watch.excess_bytes:
        raise ExecutionError(
            f"disk limit exceeded: the task has written {watch.excess_bytes / 1e6:.0f} MB, and"
            f" {run.disk_bytes / 1e6:.0f} MB are allowed",
            code=Code.DISK_EXCEEDED,
            hint="raise Resources.Disk of the task",
            component=component,
        )


class _Watch:
    """Measures again and again. ``excess_bytes`` is what was too much, 0 before that."""

    def __init__(
        self, run: TaskRun, clock: Clock, measure_more: Callable[[], Awaitable[int]] | None
    ) -> None:
        self.excess_bytes = 0
        self._paths = [volume.path for volume in run.outputs]
        self._limit_bytes = run.disk_bytes
        self._clock = clock
        self._measure_more = measure_more

    async def until_exceeded(self, alarm: asyncio.Timeout) -> None:
        interval = pause = _FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = self._clock.monotonic()
            await self.measure()
            if self.excess_bytes:
                alarm.reschedule(asyncio.get_running_loop().time())
                return
            interval = min(2 * interval, _INTERVAL_SECONDS)
            pause = max(interval, _REST * (self._clock.monotonic() - began))

    async def measure(self) -> None:
        """Look how much has been written by now."""
        written = await asyncio.to_thread(written_bytes, self._paths)
        if self._measure_more is not None:
            # Else the engine is unwell, or the task has just ended: measured again, if at all.
            with contextlib.suppress(BacalhauError):
                written += await self._measure_more()
        if written > self._limit_bytes:
            self.excess_bytes = written


def written_bytes(paths: Iterable[Path]) -> int:
    """Return the room that everything below some directories takes; what vanishes takes none."""
    total = 0
    waiting = [str(path) for path in paths]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue
    return total
