"""A request to look at a job again (spec api.md 1.11, orchestration.md 2.5)."""

from __future__ import annotations

import enum

from bacalhau.models._naming import Model, always
from bacalhau.models.ids import EvaluationID, JobID
from bacalhau.models.states import JobType


class EvaluationStatus(enum.StrEnum):
    """Where an evaluation stands. ``blocked`` waits for capacity to be freed."""

    PENDING = "pending"
    BLOCKED = "blocked"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELED = "canceled"


class Trigger(enum.StrEnum):
    """Why an evaluation was made."""

    JOB_REGISTER = "job-register"
    JOB_CANCEL = "job-cancel"
    JOB_QUEUE = "job-queue"
    JOB_TIMEOUT = "job-timeout"
    EXEC_FAILURE = "exec-failure"
    EXEC_UPDATE = "exec-update"
    EXEC_TIMEOUT = "exec-timeout"
    NODE_JOIN = "node-join"
    NODE_LEAVE = "node-leave"


class Evaluation(Model, frozen=True, kw_only=True):
    """One pending look at one job.

    ``wait_until`` is nanoseconds since 1970; 0 means at once. ``awaited_since`` is when the job
    began to wait for a node that has its inputs, although others had room; 0 if it has not.
    """

    id: EvaluationID
    namespace: str
    job_id: JobID
    triggered_by: Trigger
    priority: int = always(0)
    type: JobType
    status: EvaluationStatus = always(EvaluationStatus.PENDING)
    comment: str = always("")
    wait_until: int = always(0)
    awaited_since: int = 0
    create_time: int = always(0)
    modify_time: int = always(0)
