"""The broker: order, one worker a job, and waking those that wait for capacity."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bacalhau.models import Evaluation, EvaluationID, JobID
from bacalhau.orchestrator.broker import Broker
from tests.support.records import make_evaluation

SHAPE, OTHER_SHAPE = b"one", b"other"


def ask(broker: Broker, job: str, **changes: Any) -> Evaluation:
    evaluation = make_evaluation(id=EvaluationID(f"v-{job}"), job_id=JobID(job), **changes)
    broker.enqueue(evaluation, stored=True)
    return evaluation


async def next_job(broker: Broker) -> str:
    async with asyncio.timeout(1):
        return (await broker.claim()).evaluation.job_id


async def block(broker: Broker, shape: bytes) -> str:
    claim = await broker.claim()
    broker.done(claim, kept=claim.evaluation, shape=shape)
    return claim.evaluation.job_id


async def is_idle(broker: Broker) -> bool:
    try:
        async with asyncio.timeout(0):
            await broker.claim()
    except TimeoutError:
        return True
    return False


async def test_higher_priority_first_then_who_asked_first_whatever_the_clock_showed() -> None:
    broker = Broker()
    ask(broker, "first", create_time=20)
    ask(broker, "second", create_time=10)
    ask(broker, "urgent", priority=5, create_time=30)

    assert [await next_job(broker) for _ in range(3)] == ["urgent", "first", "second"]


async def test_a_job_is_never_with_two_workers() -> None:
    broker = Broker()
    ask(broker, "a")
    claim = await broker.claim()
    ask(broker, "a")

    assert await is_idle(broker)
    broker.done(claim, kept=None, shape=None)
    assert await next_job(broker) == "a"


async def test_a_look_settles_every_evaluation_that_asked_for_it() -> None:
    broker = Broker()
    for name in ("v-1", "v-2"):
        evaluation = make_evaluation(id=EvaluationID(name), job_id=JobID("a"))
        broker.enqueue(evaluation, stored=True)

    claim = await broker.claim()

    assert [item.id for item in claim.stored] == ["v-1", "v-2"]
    broker.done(claim, kept=None, shape=None)
    assert JobID("a") not in broker


async def test_what_was_not_answered_is_settled_by_the_next_look() -> None:
    broker = Broker()
    first = ask(broker, "a")
    broker.put_back(await broker.claim())
    assert await is_idle(broker)

    broker.enqueue(make_evaluation(id=EvaluationID("v-9"), job_id=JobID("a")), stored=False)

    assert (await broker.claim()).stored == (first,)


async def test_freed_capacity_wakes_one_job_of_each_shape() -> None:
    broker = Broker()
    for job in ("a1", "a2"):
        ask(broker, job)
        await block(broker, SHAPE)
    ask(broker, "b1")
    await block(broker, OTHER_SHAPE)

    broker.capacity_freed()

    assert {await next_job(broker), await next_job(broker)} == {"a1", "b1"}
    assert await is_idle(broker)


async def test_a_placed_job_wakes_the_next_of_its_shape_and_a_blocked_one_does_not() -> None:
    broker = Broker()
    for job in ("a1", "a2", "a3"):
        ask(broker, job)
        await block(broker, SHAPE)
    broker.capacity_freed()

    placed = await broker.claim()
    broker.done(placed, kept=None, shape=None)
    assert await block(broker, SHAPE) == "a2"

    assert await is_idle(broker)


async def test_capacity_freed_during_a_look_is_not_missed() -> None:
    broker = Broker()
    ask(broker, "a")
    claim = await broker.claim()
    broker.capacity_freed()
    broker.done(claim, kept=claim.evaluation, shape=SHAPE)

    assert await next_job(broker) == "a"


@pytest.mark.parametrize("woken", [False, True])
async def test_a_waiting_job_that_is_asked_for_is_looked_at_once(woken: bool) -> None:
    broker = Broker()
    ask(broker, "a")
    await block(broker, SHAPE)
    if woken:
        broker.capacity_freed()

    ask(broker, "a")

    claim = await broker.claim()
    assert claim.evaluation.job_id == "a"
    broker.done(claim, kept=None, shape=None)
    assert await is_idle(broker)


async def test_a_job_looked_at_twice_still_wakes_the_next_of_its_shape() -> None:
    broker = Broker()
    for job in ("a1", "a2"):
        ask(broker, job)
        await block(broker, SHAPE)
    broker.capacity_freed()
    claim = await broker.claim()
    broker.capacity_freed()
    broker.done(claim, kept=claim.evaluation, shape=SHAPE)

    again = await broker.claim()
    assert again.evaluation.job_id == "a1"
    broker.done(again, kept=None, shape=None)

    assert await next_job(broker) == "a2"


async def test_a_job_that_could_not_be_decided_does_not_stand_in_the_way() -> None:
    broker = Broker()
    for job in ("a1", "a2"):
        ask(broker, job)
        await block(broker, SHAPE)
    broker.capacity_freed()

    broker.put_back(await broker.claim())

    assert await next_job(broker) == "a2"


async def test_lost_capacity_wakes_all_because_some_may_wait_longer_than_others() -> None:
    broker = Broker()
    for job, shape in (("a1", SHAPE), ("a2", SHAPE), ("b1", OTHER_SHAPE)):
        ask(broker, job)
        await block(broker, shape)

    broker.capacity_lost()

    assert {await next_job(broker) for _ in range(3)} == {"a1", "a2", "b1"}
    assert await is_idle(broker)
