"""A job that has run, with everything that belongs to it."""

from __future__ import annotations

from bacalhau.lifecycle.changes import HistoryDraft
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Event,
    Execution,
    ExecutionID,
    Job,
    JobID,
    JobState,
    JobType,
    NodeID,
    RunOutput,
    SpecConfig,
    State,
    Task,
    Topic,
)

SECOND_NS = 1_000_000_000
CREATED_NS = 1_728_475_262 * SECOND_NS
"""2024-10-09 12:01:02 UTC."""
ENDED_NS = CREATED_NS + 7 * SECOND_NS


def finished_job(number: int = 1, *, published: SpecConfig | None = None) -> Job:
    """Return a completed job; jobs of other numbers have other ids and later times."""
    later = number * 60 * SECOND_NS
    return Job(
        id=JobID(f"j-2b1e6c1{number:x}-0d0e-4a53-9a55-1f3a7b8c9d0e"),
        name=f"hello-{number}",
        namespace="default",
        type=JobType.BATCH,
        count=1,
        labels={"number": str(number)},
        tasks=[
            Task(
                name="main",
                engine=SpecConfig(type="docker", params={"Image": "ubuntu"}),
                publisher=SpecConfig(type="local") if published else SpecConfig(),
            )
        ],
        state=State[JobState](state_type=JobState.COMPLETED),
        revision=3,
        create_time=CREATED_NS + later,
        modify_time=ENDED_NS + later,
    )


def finished_execution(job: Job, *, published: SpecConfig | None = None) -> Execution:
    """Return the only execution of such a job."""
    return Execution(
        id=ExecutionID("e" + job.id[1:]),
        namespace=job.namespace,
        node_id=NodeID("n-5ac1b2d3-0d0e-4a53-9a55-1f3a7b8c9d0e"),
        job_id=job.id,
        desired_state=State[DesiredState](state_type=DesiredState.STOPPED),
        compute_state=State[ComputeState](state_type=ComputeState.COMPLETED),
        published_result=published or SpecConfig(),
        run_output=RunOutput(stdout="hello\n", stderr="oops\n"),
        revision=4,
        create_time=job.create_time,
        modify_time=job.modify_time,
    )


def finished_history(job: Job) -> list[HistoryDraft]:
    """Return what happened to such a job."""
    run = ExecutionID("e" + job.id[1:])
    story = [
        ("Job submitted", Topic.SUBMISSION, ""),
        ("Requested execution on n-5ac1b2d3", Topic.SCHEDULING, run),
        ("Running", Topic.STATE_UPDATE, ""),
        ("Running", Topic.EXECUTION, run),
        ("Completed successfully", Topic.EXECUTION, run),
        ("Completed", Topic.STATE_UPDATE, ""),
    ]
    return [
        HistoryDraft(
            event=Event(message=message, topic=topic, timestamp=f"2024-10-09T12:01:0{second}.5Z"),
            time_ns=job.create_time + second * SECOND_NS,
            execution_id=ExecutionID(execution_id),
        )
        for second, (message, topic, execution_id) in enumerate(story, start=2)
    ]
