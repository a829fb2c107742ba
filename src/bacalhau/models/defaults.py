"""Defaults of the orchestrator for what a job leaves open (spec api.md 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from bacalhau.lib.units import compact
from bacalhau.models.job import Job, SpecConfig, Task, TimeoutConfig
from bacalhau.models.resources import ResourcesConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefaults:
    """Defaults of one job type; empty and 0 mean that there is none. Timeouts in seconds."""

    cpu: str = "500m"
    memory: str = "1Gb"
    disk: str = ""
    gpu: str = ""
    priority: int = 0
    publisher: SpecConfig = field(default_factory=SpecConfig)
    execution_timeout: int = 0
    total_timeout: int = 0


def apply_defaults(job: Job, defaults: TaskDefaults) -> Job:
    """Fill what a normalised job leaves blank or 0.

    Publisher and timeouts are only filled for jobs that end: batch and ops.
    """
    return replace(
        job,
        priority=job.priority or defaults.priority,
        tasks=[_task(task, defaults, ends=not job.type.is_long_running) for task in job.tasks],
    )


def _task(task: Task, defaults: TaskDefaults, *, ends: bool) -> Task:
    resources = ResourcesConfig(
        cpu=task.resources.cpu or compact(defaults.cpu),
        memory=task.resources.memory or compact(defaults.memory),
        disk=task.resources.disk or compact(defaults.disk),
        gpu=task.resources.gpu or compact(defaults.gpu),
    )
    if not ends:
        return replace(task, resources=resources)
    timeouts = TimeoutConfig(
        execution_timeout=task.timeouts.execution_timeout or defaults.execution_timeout,
        queue_timeout=task.timeouts.queue_timeout,
        total_timeout=task.timeouts.total_timeout or defaults.total_timeout,
    )
    publisher = defaults.publisher if task.publisher.is_empty else task.publisher
    return replace(task, resources=resources, timeouts=timeouts, publisher=publisher)
