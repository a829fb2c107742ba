"""A submission with a token may be repeated, and has one effect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import ConflictError
from tests.support.orchestrator_stage import Stage
from tests.support.records import make_job

if TYPE_CHECKING:
    from bacalhau.models.api import PutJobResponse
    from bacalhau.orchestrator.service import Orchestrator


async def put(orchestrator: Orchestrator, token: str, **changes: Any) -> PutJobResponse:
    job = make_job(**{"id": "", "name": "", "revision": 0, "create_time": 0, **changes})
    return await orchestrator.intake.submit(
        job, warnings=[], client_meta={}, idempotency_token=token
    )


async def test_the_same_token_gives_the_same_job_also_after_a_restart() -> None:
    stage = Stage()
    async with stage.orchestrator().run() as orchestrator:
        first = await put(orchestrator, "t-1")
        assert await put(orchestrator, "t-1") == first
    async with stage.orchestrator().run() as orchestrator:
        assert await put(orchestrator, "t-1") == first
    assert [job.id for job in await stage.store.unfinished_jobs()] in ([first.job_id], [])
    submissions = [
        item
        for item in await stage.store.history(first.job_id)
        if item.event.message == "Job submitted"
    ]
    assert len(submissions) == 1


async def test_the_same_token_at_the_same_time_gives_one_job() -> None:
    async with Stage().orchestrator().run() as orchestrator:
        answers = await asyncio.gather(*(put(orchestrator, "t-1") for _ in range(5)))
    assert len({answer.job_id for answer in answers}) == 1
    assert len({answer.evaluation_id for answer in answers}) == 1


async def test_other_tokens_namespaces_and_none_give_other_jobs() -> None:
    async with Stage().orchestrator().run() as orchestrator:
        answers = [
            await put(orchestrator, "t-1"),
            await put(orchestrator, "t-2"),
            await put(orchestrator, "t-1", namespace="other"),
            await put(orchestrator, ""),
            await put(orchestrator, ""),
        ]
    assert len({answer.job_id for answer in answers}) == 5


async def test_a_token_cannot_be_used_for_another_job() -> None:
    async with Stage().orchestrator().run() as orchestrator:
        await put(orchestrator, "t-1")
        with pytest.raises(ConflictError, match="the idempotency token was used for another job"):
            await put(orchestrator, "t-1", priority=7)
