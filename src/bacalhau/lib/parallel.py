"""Several pieces of work at once, and the errors of such."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

T = TypeVar("T")


async def in_parallel(
    items: Sequence[T], at_once: int, work: Callable[[T], Awaitable[None]]
) -> None:
    """Work on all items, at most ``at_once`` at a time, beginning in their order.

    The first error stops the others and is raised as it is, without a group around it.
    """
    assert at_once > 0, "somebody has to work"
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:  # shared by all workers: each takes the next one
            await work(item)

    with ungrouped():
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(items))):
                group.create_task(worker())


@contextmanager
def ungrouped() -> Iterator[None]:
    """Raise the first error of a task group as it is, without the group around it."""
    try:
        yield
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
