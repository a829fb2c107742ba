"""One attempt to run a job on one node (spec api.md 1.10)."""

from __future__ import annotations

import msgspec

from bacalhau.models._naming import Model, always
from bacalhau.models.ids import EvaluationID, ExecutionID, JobID, NodeID
from bacalhau.models.job import Job, SpecConfig
from bacalhau.models.resources import AllocatedResources
from bacalhau.models.states import ComputeState, DesiredState, State

RUN_OUTPUT_LIMIT_BYTES = 2048


class RunOutput(Model, frozen=True, kw_only=True):
    """What a task printed, cut to 2,048 bytes a stream, and how it ended."""

    stdout: str = always("")
    stdout_truncated: bool = always(False)
    stderr: str = always("", name="stderr")
    stderr_truncated: bool = always(False)
    exit_code: int = always(0)
    error_msg: str = always("")


class Execution(Model, frozen=True, kw_only=True, omit_defaults=True):
    """The orchestrator's record of one attempt.

    ``job`` is only filled in messages to nodes; the store and the API leave it out.
    ``partition_index`` says which of the job's Count partitions this attempt works on, from 0; it
    stays 0 for jobs that are not counted (spec api.md 8.1). ``listings`` has a digest, by target,
    of each listing that the job's executions divide among themselves as a whole.
    """

    id: ExecutionID = always("")
    namespace: str = always("")
    eval_id: EvaluationID = always("")
    name: str = always("")
    node_id: NodeID = always("")
    job_id: JobID = always("")
    partition_index: int = 0
    listings: dict[str, str] = msgspec.field(default_factory=dict)
    job: Job | None = None
    allocated_resources: AllocatedResources = msgspec.field(default_factory=AllocatedResources)
    desired_state: State[DesiredState]
    compute_state: State[ComputeState]
    published_result: SpecConfig = msgspec.field(default_factory=SpecConfig)
    run_output: RunOutput = msgspec.field(default_factory=RunOutput)
    previous_execution: str = always("")
    next_execution: str = always("")
    followup_eval_id: str = always("")
    revision: int = always(0)
    create_time: int = always(0)
    modify_time: int = always(0)

    @property
    def is_terminal(self) -> bool:
        """True when nothing more is expected of this attempt (spec api.md 1.10)."""
        return (
            self.desired_state.state_type is DesiredState.STOPPED
            or self.compute_state.state_type.is_terminal
        )

    @property
    def is_completed(self) -> bool:
        """True when the attempt ended with a result."""
        return self.compute_state.state_type is ComputeState.COMPLETED

    @property
    def is_discarded(self) -> bool:
        """True when the attempt ended without a result."""
        return self.compute_state.state_type.is_discarded
