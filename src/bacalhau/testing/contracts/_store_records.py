"""Records for the suites of the stores: small, and full enough to lose something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lifecycle.changes import HistoryDraft, JobChanges
from bacalhau.models import (
    AllocatedResources,
    BuildVersionInfo,
    ComputeNodeInfo,
    ComputeState,
    Connection,
    DesiredState,
    Evaluation,
    EvaluationID,
    EvaluationStatus,
    Event,
    Execution,
    ExecutionID,
    Job,
    JobID,
    JobState,
    JobType,
    Membership,
    NodeID,
    NodeInfo,
    NodeState,
    NodeType,
    Resources,
    RunOutput,
    SpecConfig,
    State,
    Task,
    Trigger,
)
from bacalhau.models.provenance import FileRecord, InputRecord, OutputRecord
from bacalhau.ports.store import LocalExecution
from bacalhau.protocol.messages import CancelExecution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.ports.store import JobStore

START_NS = 1_700_000_000_123_456_789
NODE = NodeID("n-one")
OTHER_NODE = NodeID("n-two")


def make_job(
    job_id: str = "j-1",
    revision: int = 1,
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    state: JobState = JobState.PENDING,
    created: int = 0,
    modified: int = 0,
) -> Job:
    """Make a job; ``created`` and ``modified`` are nanoseconds after a fixed start."""
    engine = SpecConfig(type="docker", params={"Image": "ubuntu", "Entrypoint": ["echo", "ä"]})
    return Job(
        id=JobID(job_id),
        name=f"name of {job_id}",
        namespace=namespace,
        type=JobType.BATCH,
        count=1,
        labels=dict(labels or {}),
        meta={"bacalhau.org/client.id": "x"},
        tasks=[Task(name="main", engine=engine, env={"A": "b"})],
        state=State[JobState](state_type=state, message=f"revision {revision}"),
        revision=revision,
        create_time=START_NS + created,
        modify_time=START_NS + modified,
    )


def make_execution(
    execution_id: str = "e-1",
    revision: int = 1,
    *,
    job_id: str = "j-1",
    node_id: NodeID = NODE,
    compute: ComputeState = ComputeState.NEW,
    desired: DesiredState = DesiredState.RUNNING,
    job: Job | None = None,
    partition_index: int = 0,
    listings: Mapping[str, str] | None = None,
) -> Execution:
    """Make an execution of a job on a node."""
    return Execution(
        id=ExecutionID(execution_id),
        namespace="default",
        node_id=node_id,
        job_id=JobID(job_id),
        job=job,
        partition_index=partition_index,
        listings=dict(listings or {}),
        allocated_resources=AllocatedResources(tasks={"main": Resources(cpu=0.5, memory=7)}),
        desired_state=State[DesiredState](state_type=desired),
        compute_state=State[ComputeState](
            state_type=compute, message="why", details={"Code": str(revision)}
        ),
        run_output=RunOutput(stdout="out\n", exit_code=3),
        revision=revision,
        create_time=START_NS,
        modify_time=START_NS,
    )


def make_evaluation(
    evaluation_id: str = "ev-1",
    *,
    job_id: str = "j-1",
    status: EvaluationStatus = EvaluationStatus.PENDING,
    comment: str = "",
) -> Evaluation:
    """Make an evaluation of a job."""
    return Evaluation(
        id=EvaluationID(evaluation_id),
        namespace="default",
        job_id=JobID(job_id),
        triggered_by=Trigger.JOB_REGISTER,
        type=JobType.BATCH,
        status=status,
        comment=comment,
    )


def make_draft(message: str, *, execution_id: str = "", at_ns: int = START_NS) -> HistoryDraft:
    """Make an event that is recorded at ``at_ns``."""
    event = Event(
        message=message,
        topic="Submission",
        timestamp="2023-11-14T22:13:20Z",
        details={"Source": "test"},
    )
    return HistoryDraft(event=event, time_ns=at_ns, execution_id=ExecutionID(execution_id))


def cancel(execution_id: str) -> CancelExecution:
    """Make a message for a node."""
    return CancelExecution(execution_id=ExecutionID(execution_id), reason="test")


def make_node(node_id: str = "n-one", *, git_version: str = "v1.5.2") -> NodeState:
    """Make the record of a node."""
    return NodeState(
        info=NodeInfo(
            node_id=NodeID(node_id),
            node_type=NodeType.COMPUTE,
            labels={"zone": "a"},
            compute_node_info=ComputeNodeInfo(
                execution_engines=["docker"], max_capacity=Resources(cpu=8, memory=9)
            ),
            bacalhau_version=BuildVersionInfo(git_version=git_version),
        ),
        membership=Membership.APPROVED,
        connection=Connection.CONNECTED,
    )


def make_local(
    execution_id: str = "e-1",
    revision: int = 1,
    *,
    state: ComputeState = ComputeState.BID_ACCEPTED,
    run_output: RunOutput | None = None,
) -> LocalExecution:
    """Make a compute node's record, with the job."""
    return LocalExecution(
        execution=make_execution(execution_id, job=make_job()),
        state=state,
        revision=revision,
        run_output=run_output,
        published_result=SpecConfig(type="s3", params={"Bucket": "b"}),
        outputs=make_outputs(),
        create_time=START_NS,
        modify_time=START_NS + revision,
    )


def make_input(key: str = "k/ä") -> InputRecord:
    """Make the record of an input of one object."""
    file = FileRecord(
        key=key, path="ä", size_bytes=3, etag='"0cc1"', version_id="v.1", sha256="ab" * 32
    )
    return InputRecord(
        target="/inputs",
        type="s3",
        origin="s3://b/k/",
        endpoint="http://localhost:9000",
        objects=2000,
        size_bytes=7000,
        digest="cd" * 32,
        files=[file],
    )


def make_outputs(path: str = "stdout") -> OutputRecord:
    """Make the record of a published file."""
    file = FileRecord(path=path, size_bytes=3, sha256="ef" * 32)
    return OutputRecord(type="s3", objects=1, size_bytes=3, digest="01" * 32, files=[file])


async def submit(store: JobStore, job: Job) -> None:
    """Store a new job, and nothing else."""
    await store.apply(JobChanges(job_id=job.id, job=job))
