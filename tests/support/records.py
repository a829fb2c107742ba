"""Small records for tests of decisions."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from bacalhau.lifecycle.changes import JobDraft, JobSnapshot
from bacalhau.lifecycle.connection import Presence
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Evaluation,
    EvaluationID,
    Execution,
    ExecutionID,
    Job,
    JobID,
    JobState,
    JobType,
    Membership,
    NodeID,
    Resources,
    ResourcesConfig,
    SpecConfig,
    State,
    Task,
    TimeoutConfig,
    Trigger,
)
from bacalhau.scheduling.cluster import Cluster, NodeView
from bacalhau.scheduling.plan import Claim, Context, Plan, Scheduler

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
MODULE = {"Source": {"Type": "inline", "Params": {"URL": "data:,"}}}


def make_task(**changes: Any) -> Task:
    defaults: dict[str, Any] = {
        "name": "main",
        "engine": SpecConfig(type="wasm", params={"EntryModule": MODULE}),
        "resources": ResourcesConfig(cpu="1", memory="1gb"),
    }
    return Task(**{**defaults, **changes})


def make_job(
    *, task: Task | None = None, timeouts: TimeoutConfig | None = None, **changes: Any
) -> Job:
    task = task or make_task()
    if timeouts is not None:
        task = msgspec.structs.replace(task, timeouts=timeouts)
    defaults: dict[str, Any] = {
        "id": JobID("j-1"),
        "name": "j-1",
        "namespace": "default",
        "type": JobType.BATCH,
        "count": 1,
        "tasks": [task],
        "state": State[JobState](state_type=JobState.PENDING),
        "revision": 1,
        "create_time": START_NS,
        "modify_time": START_NS,
    }
    return Job(**{**defaults, **changes})


def make_execution(
    compute: ComputeState = ComputeState.NEW,
    desired: DesiredState = DesiredState.RUNNING,
    *,
    message: str = "",
    details: dict[str, str] | None = None,
    **changes: Any,
) -> Execution:
    defaults: dict[str, Any] = {
        "id": ExecutionID("e-1"),
        "namespace": "default",
        "eval_id": EvaluationID("v-0"),
        "node_id": NodeID("n-1"),
        "job_id": JobID("j-1"),
        "desired_state": State[DesiredState](state_type=desired),
        "compute_state": State[ComputeState](
            state_type=compute, message=message, details=details or {}
        ),
        "revision": 1,
        "create_time": START_NS,
        "modify_time": START_NS,
    }
    return Execution(**{**defaults, **changes})


def make_evaluation(**changes: Any) -> Evaluation:
    defaults: dict[str, Any] = {
        "id": EvaluationID("v-1"),
        "namespace": "default",
        "job_id": JobID("j-1"),
        "triggered_by": Trigger.JOB_REGISTER,
        "type": JobType.BATCH,
        "create_time": START_NS,
    }
    return Evaluation(**{**defaults, **changes})


def make_node(name: str = "n-1", **changes: Any) -> NodeView:
    defaults: dict[str, Any] = {
        "node_id": NodeID(name),
        "presence": Presence.CONNECTED,
        "membership": Membership.APPROVED,
        "labels": {},
        "engines": frozenset({"wasm", "docker"}),
        "sources": frozenset({"s3", "inline"}),
        "publishers": frozenset({"local"}),
        "capacity": Resources(cpu=4, memory=8_000_000_000, disk=100_000_000_000),
        "booked": Resources(),
    }
    return NodeView(**{**defaults, **changes})


def make_snapshot(job: Job, *executions: Execution, generation: int = 1) -> JobSnapshot:
    return JobSnapshot.of(job, executions, generation)


def make_context(*nodes: NodeView, now_ns: int = START_NS, draw: float = 0.5) -> Context:
    numbers = itertools.count(100)
    return Context(
        cluster=Cluster(nodes=nodes),
        now_ns=now_ns,
        draw=lambda: draw,
        new_execution_id=lambda: ExecutionID(f"e-{next(numbers)}"),
    )


def decide(scheduler: Scheduler, snapshot: JobSnapshot, claim: Claim, context: Context) -> Plan:
    """Let a scheduler look at a job as the store has it."""
    return scheduler(JobDraft(snapshot, context.now_ns), claim, context)
