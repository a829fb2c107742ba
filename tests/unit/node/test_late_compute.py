"""While a node starts, its API answers, and jobs wait until they can run."""

from __future__ import annotations

import asyncio
from typing import Any

from bacalhau.models.api import PutJobResponse, StopJobResponse
from bacalhau.models.ids import EvaluationID, JobID
from bacalhau.node.late_compute import PatientIntake


class Recorder:
    """An intake that notes what reaches it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def submit(self, job: Any, **options: Any) -> PutJobResponse:
        self.seen.append(f"submit {job} {options['idempotency_token']}")
        return PutJobResponse(job_id=JobID("j-1"))

    async def stop(self, reference: str, reason: str) -> StopJobResponse:
        self.seen.append(f"stop {reference} {reason}")
        return StopJobResponse(evaluation_id=EvaluationID("e-2"))


async def test_jobs_wait_and_stops_do_not() -> None:
    inner, is_open = Recorder(), asyncio.Event()
    intake = PatientIntake(inner, is_open)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(intake.submit("job", idempotency_token="once"))
        await intake.stop("j-0", "enough")
        assert inner.seen == ["stop j-0 enough"]
        assert not waiting.done()
        is_open.set()
    assert waiting.result().job_id == "j-1"
    assert inner.seen == ["stop j-0 enough", "submit job once"]
    await intake.submit("next", idempotency_token="")
    assert inner.seen[-1] == "submit next "
