"""Answers about one job that wait for each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bacalhau.errors import TransientError
from bacalhau.models import ExecutionID, JobID, RunOutput
from bacalhau.orchestrator.turns import Turns
from bacalhau.protocol.messages import BidResult, RunResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.protocol.messages import Answer

JOB, OTHER = JobID("j-1"), JobID("j-2")


class Taker:
    """Takes answers when it is told to."""

    def __init__(self) -> None:
        self.taken: list[list[str]] = []
        self.begun: asyncio.Queue[JobID] = asyncio.Queue()
        self.may_go_on = asyncio.Event()
        self.failures = 0

    async def take(self, job_id: JobID, answers: Sequence[Answer]) -> None:
        self.taken.append([each.execution_id for each in answers])
        self.begun.put_nowait(job_id)
        await self.may_go_on.wait()
        if self.failures:
            self.failures -= 1
            raise TransientError("the disk refuses")


def agreed(name: str) -> BidResult:
    return BidResult(execution_id=ExecutionID(name), accepted=True)


async def is_taken(turns: Turns, name: str) -> bool:
    try:
        await turns.take(JOB, [agreed(name)])
    except TransientError:
        return False
    return True


async def test_what_waits_is_taken_together() -> None:
    taker = Taker()
    turns = Turns(taker.take)
    async with asyncio.TaskGroup() as group:
        for name in ("e-1", "e-2", "e-3"):
            group.create_task(turns.take(JOB, [agreed(name)]))
        await taker.begun.get()
        taker.may_go_on.set()
    assert taker.taken == [["e-1"], ["e-2", "e-3"]]


async def test_jobs_do_not_wait_for_each_other() -> None:
    taker = Taker()
    turns = Turns(taker.take)
    async with asyncio.TaskGroup() as group:
        for job_id in (JOB, OTHER):
            group.create_task(turns.take(job_id, [agreed("e-1")]))
        assert {await taker.begun.get(), await taker.begun.get()} == {JOB, OTHER}
        taker.may_go_on.set()


async def test_two_answers_of_one_execution_are_taken_one_after_the_other() -> None:
    taker = Taker()
    turns = Turns(taker.take)
    ended = RunResult(execution_id=ExecutionID("e-2"), run_output=RunOutput())
    async with asyncio.TaskGroup() as group:
        for answer in (agreed("e-1"), agreed("e-2"), ended):
            group.create_task(turns.take(JOB, [answer]))
        await taker.begun.get()
        taker.may_go_on.set()
    assert taker.taken == [["e-1"], ["e-2"], ["e-2"]]


async def test_who_waits_tries_again_when_another_fails() -> None:
    taker = Taker()
    turns = Turns(taker.take)
    taker.failures = 1
    async with asyncio.TaskGroup() as group:
        first, second = [group.create_task(is_taken(turns, name)) for name in ("e-1", "e-2")]
        await taker.begun.get()
        taker.may_go_on.set()
    assert (first.result(), second.result()) == (False, True)
    assert taker.taken == [["e-1"], ["e-2"]]


async def test_who_gives_up_leaves_the_turn_to_others() -> None:
    taker = Taker()
    turns = Turns(taker.take)
    async with asyncio.TaskGroup() as group:
        first, second = [group.create_task(is_taken(turns, name)) for name in ("e-1", "e-2")]
        await taker.begun.get()
        first.cancel()
        taker.may_go_on.set()
    assert second.result()
    assert taker.taken == [["e-1"], ["e-2"]]
