"""What happened to a job, in order (spec api.md 1.12, orchestration.md 2.14)."""

from __future__ import annotations

import enum

import msgspec

from bacalhau.models._naming import Model, always
from bacalhau.models.ids import ExecutionID, JobID


class HistoryType(enum.StrEnum):
    """Whether an event concerns the job or one execution."""

    UNDEFINED = "Undefined"
    JOB_LEVEL = "JobLevel"
    EXECUTION_LEVEL = "ExecutionLevel"


class Topic(enum.StrEnum):
    """The activity an event belongs to."""

    SUBMISSION = "Submission"
    STATE_UPDATE = "State Update"
    SCHEDULING = "Scheduling"
    QUEUEING = "Queueing"
    JOB_TIMEOUT = "Job Timeout"
    EXEC_TIMEOUT = "Exec Timeout"
    EXECUTION = "Execution"
    EXEC_SCANNING = "Exec Scanning"
    DOWNLOADING_INPUTS = "Downloading Inputs"
    PREPARING_ENVIRONMENT = "Preparing Environment"
    RUNNING_EXECUTION = "Running Execution"
    PUBLISHING_RESULTS = "Publishing Results"
    RESTART = "Restart"


class Event(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Something worth telling. ``timestamp`` is RFC 3339 with nanoseconds, UTC."""

    message: str
    topic: str
    timestamp: str
    details: dict[str, str] = msgspec.field(default_factory=dict)


class JobHistory(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One recorded event. ``seq_num`` starts at 1 for each job and has no gaps."""

    seq_num: int
    type: HistoryType
    job_id: JobID
    execution_id: ExecutionID = msgspec.field(default=ExecutionID(""))
    event: Event
    time: str = always("0001-01-01T00:00:00Z")
