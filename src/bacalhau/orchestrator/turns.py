"""Answers about one job that come from many nodes at once.

Each is decided on the whole job, so of those that are decided at the same time only one can be
stored, and the others are decided again: a thousand answers would be half a million decisions. So a
job's answers take turns, and whoever has the turn takes along all that wait for it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from bacalhau.models import ExecutionID, JobID
    from bacalhau.protocol.messages import Answer

    Take = Callable[[JobID, Sequence[Answer]], Awaitable[None]]


@dataclass(eq=False, slots=True)
class _Waiting:
    answers: Sequence[Answer]
    is_taken: bool = False


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Waiting] = field(default_factory=list)


class Turns:
    """Hands answers on, those about one job together, in the order of their arrival.

    Args:
        take: Takes answers about a job, at most one of each execution, all of them or none.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._turns: dict[JobID, _Turn] = {}

    async def take(self, job_id: JobID, answers: Sequence[Answer]) -> None:
        """Wait until these answers, at most one of each execution, have been taken.

        Raises:
            BacalhauError: they could not be, with those that waited at the same time; each of their
                authors is told, or tries again.
        """
        entry = _Waiting(answers)
        async with self._in_line(job_id, entry) as turn, turn.lock:
            while not entry.is_taken:
                some = _one_of_each(turn.waiting)
                await self._take(job_id, [answer for each in some for answer in each.answers])
                for each in some:
                    each.is_taken = True
                    turn.waiting.remove(each)

    @asynccontextmanager
    async def _in_line(self, job_id: JobID, entry: _Waiting) -> AsyncIterator[_Turn]:
        turn = self._turns.setdefault(job_id, _Turn())
        turn.waiting.append(entry)
        try:
            yield turn
        finally:
            if not entry.is_taken:
                turn.waiting.remove(entry)
            if not turn.waiting and self._turns.get(job_id) is turn:
                del self._turns[job_id]


def _one_of_each(waiting: Sequence[_Waiting]) -> list[_Waiting]:
    """Return the first that wait, up to one that has another answer of the same execution."""
    found: list[_Waiting] = []
    executions: set[ExecutionID] = set()
    for each in waiting:
        named = {answer.execution_id for answer in each.answers}
        if named & executions:
            break
        executions |= named
        found.append(each)
    return found
