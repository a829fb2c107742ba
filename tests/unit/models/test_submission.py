"""Normalising and sanitising (spec orchestration.md 2.1, api.md 1)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from bacalhau.models import (
    InputSource,
    Job,
    JobID,
    JobState,
    JobType,
    LabelSelectorRequirement,
    NetworkConfig,
    NetworkType,
    ResourcesConfig,
    ResultPath,
    SpecConfig,
    State,
    Task,
)
from bacalhau.models.submission import normalise, prepare, sanitise


def _task(**changes: Any) -> Task:
    return Task(**{"name": "main", "engine": SpecConfig(type="docker"), **changes})


def _job(**changes: Any) -> Job:
    return Job(**{"type": JobType.BATCH, "count": 1, "tasks": [_task()], **changes})


def test_what_is_empty_is_filled() -> None:
    job = normalise(_job(id=JobID("j-1")))
    assert (job.namespace, job.name) == ("default", "j-1")


def test_blanks_are_left_for_validation() -> None:
    job = normalise(_job(namespace=" ", name="  "))
    assert (job.namespace, job.name) == (" ", "  ")


@pytest.mark.parametrize(
    ("job_type", "count", "expected"),
    [
        (JobType.DAEMON, 0, 1),
        (JobType.OPS, 0, 1),
        (JobType.OPS, 3, 3),
        (JobType.BATCH, 0, 0),
        (JobType.SERVICE, 0, 0),
    ],
)
def test_a_count_of_zero_is_meant_only_where_there_is_a_choice(
    job_type: JobType, count: int, expected: int
) -> None:
    assert normalise(_job(type=job_type, count=count)).count == expected


def test_texts_are_trimmed_and_amounts_get_their_stored_form() -> None:
    task = _task(
        engine=SpecConfig(type=" Docker ", params={"Image": " kept "}),
        publisher=SpecConfig(type="  "),
        input_sources=[InputSource(source=SpecConfig(type=" s3 "), alias=" a ", target=" /in \n")],
        result_paths=[ResultPath(name=" /outputs ", path=" /outputs ")],
        resources=ResourcesConfig(cpu=" 500 M", memory="1 Gb\n", disk="", gpu=" 1"),
        network=NetworkConfig(type=NetworkType.HTTP, domains=[" Example.COM "]),
    )
    constraint = LabelSelectorRequirement(key=" a ", operator=" = ", values=["b"])
    job = normalise(_job(tasks=[task], constraints=[constraint]))
    assert job.task.engine == SpecConfig(type="Docker", params={"Image": " kept "})
    assert job.task.publisher == SpecConfig(type="")
    assert job.task.input_sources == [
        InputSource(source=SpecConfig(type="s3"), alias="a", target="/in")
    ]
    assert job.task.result_paths == [ResultPath(name="outputs", path="/outputs")]
    assert job.task.resources == ResourcesConfig(cpu="500m", memory="1gb", gpu="1")
    assert job.task.network.domains == ["example.com"]
    assert job.constraints == [LabelSelectorRequirement(key="a", operator="=", values=["b"])]
    assert normalise(job) == job


def test_nothing_is_said_about_a_job_without_system_fields() -> None:
    job = normalise(_job())
    assert sanitise(job) == (job, [])


def test_everything_that_users_may_not_set_is_dropped_with_a_warning() -> None:
    job = _job(
        id=JobID("j-mine"),
        state=State[JobState](state_type=JobState.RUNNING),
        revision=7,
        version=8,
        create_time=5,
        modify_time=6,
        meta={"bacalhau.org/requester.id": "x", "mine": "y"},
    )
    clean, warnings = prepare(job)
    assert clean == normalise(_job(meta={"mine": "y"}))
    assert warnings == [
        "job state is ignored when submitting a job",
        "job revision is ignored when submitting a job",
        "job version is ignored when submitting a job",
        "job create time is ignored when submitting a job",
        "job modify time is ignored when submitting a job",
        "job ID is ignored when submitting a batch job",
        'job meta key "bacalhau.org/requester.id" is reserved and will be ignored',
    ]


def test_a_state_with_nothing_but_a_message_is_dropped_too() -> None:
    state = State[JobState](state_type=JobState.UNDEFINED, message="m")
    assert sanitise(_job(state=state))[1] == ["job state is ignored when submitting a job"]


@pytest.mark.parametrize("job_type", [JobType.SERVICE, JobType.DAEMON])
def test_long_running_jobs_keep_their_id(job_type: JobType) -> None:
    job, warnings = prepare(_job(type=job_type, id=JobID("web")))
    assert (job.id, job.name, warnings) == ("web", "web", [])


def test_a_dropped_id_does_not_live_on_as_name() -> None:
    job, _ = prepare(_job(type=JobType.OPS, id=JobID("j-1")))
    assert (job.id, job.name) == ("", "")
    assert prepare(replace(_job(), id=JobID("j-1"), name="mine"))[0].name == "mine"
