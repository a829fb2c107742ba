"""The authors of the jobs in a scenario: they submit, and some of them stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bacalhau.errors import TransientError, UserError
from bacalhau.models import (
    InputSource,
    Job,
    ResourcesConfig,
    SpecConfig,
    Task,
    TimeoutConfig,
)
from bacalhau.simulation.engine import ENGINE_TYPE
from bacalhau.simulation.inputs import SOURCE_TYPE
from bacalhau.simulation.machine import MachineDownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.models import JobID
    from bacalhau.simulation.machine import Machine
    from bacalhau.simulation.oracle import Oracle
    from bacalhau.simulation.scenario import InputPlan, JobPlan

RETRY_SECONDS = 1.0


class Author:
    """Carries out one job plan against an orchestrator that may be down."""

    def __init__(
        self,
        plan: JobPlan,
        orchestrator: Machine[Any],
        oracle: Oracle,
        note: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._orchestrator = orchestrator
        self._oracle = oracle
        self._note = note

    async def work(self) -> None:
        """Submit the job in time and, if the plan says so, stop it."""
        await asyncio.sleep(self._plan.submit_at)
        job_id = await self._submit()
        if job_id is None or self._plan.stop_at is None:
            return
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._plan.stop_at - loop.time()))
        await self._stop(job_id)

    async def _submit(self) -> JobID | None:
        """Return the job's id; None when it was refused or nobody knows what became of it."""
        name = self._plan.name
        while True:
            try:
                response = await self._orchestrator.call(
                    lambda service: service.intake.submit(
                        _job(self._plan),
                        warnings=[],
                        client_meta={},
                        idempotency_token=name if self._plan.repeats else "",
                    )
                )
            except (MachineDownError, TransientError) as error:
                if isinstance(error, TransientError) or error.is_sent:
                    self._note(f"client: nobody knows whether {name} is submitted")
                    if not self._plan.repeats:
                        return None
                await asyncio.sleep(RETRY_SECONDS)
            except UserError as error:
                self._note(f"client: {name} is refused, {error.code}")
                self._oracle.submission_refused(name)
                return None
            else:
                job_id: JobID = response.job_id
                self._note(f"client: {name} is submitted as {job_id}")
                self._oracle.submission_acknowledged(job_id, name)
                return job_id

    async def _stop(self, job_id: JobID) -> None:
        """Ask until there is an answer: that the job is stopped, or that it has ended."""
        while True:
            try:
                await self._orchestrator.call(
                    lambda service: service.intake.stop(job_id, "stopped by its author")
                )
            except (MachineDownError, TransientError):
                await asyncio.sleep(RETRY_SECONDS)
            except UserError as error:
                self._note(f"client: {self._plan.name} is not stopped, {error.message}")
                return
            else:
                self._note(f"client: {self._plan.name} is stopped")
                self._oracle.stop_confirmed(job_id)
                return


def _input(plan: InputPlan) -> InputSource:
    params = {"name": plan.name, "bytes": plan.size_bytes}
    return InputSource(source=SpecConfig(type=SOURCE_TYPE, params=params), target="/inputs")


def _job(plan: JobPlan) -> Job:
    engine = SpecConfig(
        type=ENGINE_TYPE if plan.is_valid else "",
        params={
            "seconds": plan.duration_seconds,
            "failing_attempts": plan.failing_attempts,
            "retryable": plan.is_retryable,
        },
    )
    task = Task(
        name="main",
        engine=engine,
        input_sources=[_input(plan.input)] if plan.input else [],
        resources=ResourcesConfig(cpu=f"{plan.millicores}m", memory=f"{plan.memory_bytes}"),
        timeouts=TimeoutConfig(
            execution_timeout=plan.execution_timeout_seconds,
            queue_timeout=plan.queue_timeout_seconds,
            total_timeout=plan.total_timeout_seconds,
        ),
    )
    return Job(
        name=plan.name, type=plan.type, priority=plan.priority, count=plan.count, tasks=[task]
    )
