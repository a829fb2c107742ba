"""Defaults of the orchestrator (spec api.md 2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.models import Job, JobType, ResourcesConfig, SpecConfig, Task, TimeoutConfig
from bacalhau.models.defaults import TaskDefaults, apply_defaults

_DEFAULTS = TaskDefaults(
    disk="10 GB",
    gpu="1",
    priority=5,
    publisher=SpecConfig(type="local"),
    execution_timeout=60,
    total_timeout=600,
)


def _job(job_type: JobType, priority: int = 0, **task: Any) -> Job:
    return Job(
        type=job_type,
        priority=priority,
        tasks=[Task(name="main", engine=SpecConfig(type="docker"), **task)],
    )


def test_the_built_in_defaults_are_half_a_core_and_a_gigabyte() -> None:
    task = apply_defaults(_job(JobType.BATCH), TaskDefaults()).task
    assert task.resources == ResourcesConfig(cpu="500m", memory="1gb")
    assert (task.publisher, task.timeouts) == (SpecConfig(), TimeoutConfig())


@pytest.mark.parametrize("job_type", [JobType.BATCH, JobType.OPS])
def test_jobs_that_end_get_everything(job_type: JobType) -> None:
    job = apply_defaults(_job(job_type), _DEFAULTS)
    assert job.priority == 5
    assert job.task.resources == ResourcesConfig(cpu="500m", memory="1gb", disk="10gb", gpu="1")
    assert job.task.publisher == SpecConfig(type="local")
    assert job.task.timeouts == TimeoutConfig(execution_timeout=60, total_timeout=600)


@pytest.mark.parametrize("job_type", [JobType.SERVICE, JobType.DAEMON])
def test_jobs_that_run_for_ever_get_neither_publisher_nor_timeouts(job_type: JobType) -> None:
    job = apply_defaults(_job(job_type), _DEFAULTS)
    assert (job.priority, job.task.resources.cpu) == (5, "500m")
    assert (job.task.publisher, job.task.timeouts) == (SpecConfig(), TimeoutConfig())


def test_what_the_job_says_stays() -> None:
    given = {
        "resources": ResourcesConfig(cpu="2", memory="3gb", disk="4gb", gpu="0"),
        "publisher": SpecConfig(type="s3"),
        "timeouts": TimeoutConfig(execution_timeout=1, queue_timeout=2, total_timeout=3),
    }
    job = _job(JobType.BATCH, priority=-1, **given)
    assert apply_defaults(job, _DEFAULTS) == job
