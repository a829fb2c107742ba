"""Requests and responses of the HTTP API (spec api.md 3, 4.1).

Every request also carries ``Namespace``, ``Credential`` and ``IdempotencyToken`` from Go clients;
they are accepted and dropped with all other unknown keys.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bacalhau.models._naming import Model, always, always_list
from bacalhau.models.execution import Execution
from bacalhau.models.history import JobHistory
from bacalhau.models.ids import EvaluationID, JobID
from bacalhau.models.job import Job, SpecConfig
from bacalhau.models.node import BuildVersionInfo, NodeState
from bacalhau.models.provenance import ExecutionProvenance


class PutJobRequest(Model, frozen=True, kw_only=True):
    """Submit a job."""

    job: Job


class PutJobResponse(Model, frozen=True, kw_only=True):
    """The job is stored. ``warnings`` is null when there are none."""

    job_id: JobID = always("")
    evaluation_id: EvaluationID = always("")
    warnings: list[str] | None = always(None)


class ListJobsResponse(Model, frozen=True, kw_only=True):
    """One page of jobs."""

    next_token: str = always("")
    items: list[Job] = always_list()


class ListExecutionsResponse(Model, frozen=True, kw_only=True):
    """Executions of one job."""

    next_token: str = always("")
    items: list[Execution] = always_list()


class ListHistoryResponse(Model, frozen=True, kw_only=True):
    """One page of a job's events; an empty token means that no more will ever come."""

    next_token: str = always("")
    items: list[JobHistory] = always_list()


class ListResultsResponse(Model, frozen=True, kw_only=True):
    """Where the results of a job are."""

    next_token: str = always("")
    items: list[SpecConfig] = always_list()


class ListProvenanceResponse(Model, frozen=True, kw_only=True):
    """What executions of a job have read and written; those that tell nothing are left out."""

    next_token: str = always("")
    items: list[ExecutionProvenance] = always_list()


class GetJobResponse(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A job, with what was asked for beside it."""

    job: Job
    history: ListHistoryResponse | None = None
    executions: ListExecutionsResponse | None = None


class StopJobRequest(Model, frozen=True, kw_only=True):
    """Stop a job."""

    reason: str = always("", name="reason")


class StopJobResponse(Model, frozen=True, kw_only=True):
    """The stop is stored; empty when the job was stopped already."""

    evaluation_id: EvaluationID = always("")


class ListNodesResponse(Model, frozen=True, kw_only=True):
    """All nodes."""

    next_token: str = always("")
    nodes: list[NodeState] = always_list()


class GetNodeResponse(Model, frozen=True, kw_only=True):
    """One node."""

    node: NodeState


class PutNodeRequest(Model, frozen=True, kw_only=True):
    """Decide on a node: ``action`` is ``approve``, ``reject`` or ``delete``."""

    action: str = always("")
    message: str = always("")
    node_id: str = always("")


class PutNodeResponse(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Whether it was done; ``error`` says why not."""

    success: bool = always(False)
    error: str = ""


class AliveResponse(Model, frozen=True, kw_only=True):
    """The server answers."""

    status: str = always("")


class LegacyVersionResponse(Model, frozen=True, kw_only=True):
    """Which program answers, as clients before v1.4 ask for it."""

    build_version_info: BuildVersionInfo = msgspec.field(name="build_version_info")


class GetAgentConfigResponse(Model, frozen=True, kw_only=True):
    """The configuration of a node, nested as in a configuration file, without its secrets."""

    config: dict[str, Any] = msgspec.field(default_factory=dict, name="config")


class ErrorBody(Model, frozen=True, kw_only=True, omit_defaults=True):
    """The envelope of every error."""

    status: int = always(0)
    message: str = always("")
    request_id: str = always("")
    code: str = always("")
    component: str = always("")
    hint: str = ""
    details: dict[str, str] = msgspec.field(default_factory=dict)


class LogLine(Model, frozen=True, kw_only=True):
    """A chunk of output; type 1 is stdout, 2 is stderr. Printed as it is."""

    type: int = always(0)
    line: str = always("")


class LogMessage(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One frame of the log stream (spec api.md 5)."""

    error: str = msgspec.field(default="", name="error")
    value: LogLine | None = msgspec.field(default=None, name="value")
