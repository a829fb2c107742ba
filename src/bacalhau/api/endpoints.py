"""The table of endpoints (spec api.md 3). Routes and the OpenAPI document are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bacalhau.api.legacy import BASE
from bacalhau.api.parameters import Kind, Parameter
from bacalhau.models import BuildVersionInfo, NodeState
from bacalhau.models.api import (
    AliveResponse,
    GetAgentConfigResponse,
    GetJobResponse,
    GetNodeResponse,
    LegacyVersionResponse,
    ListExecutionsResponse,
    ListHistoryResponse,
    ListJobsResponse,
    ListNodesResponse,
    ListProvenanceResponse,
    ListResultsResponse,
    LogMessage,
    PutJobRequest,
    PutJobResponse,
    PutNodeRequest,
    PutNodeResponse,
    StopJobRequest,
    StopJobResponse,
)
from bacalhau.models.auth import AuthMethod, AuthRequest, AuthResponse, ListAuthMethodsResponse
from bacalhau.models.debug import AgentDebug, ComputeDebug
from bacalhau.orchestrator.node_listing import NODE_ORDERS
from bacalhau.orchestrator.provenance import DEFAULT_PROVENANCE_LIMIT, MAX_PROVENANCE_LIMIT
from bacalhau.orchestrator.queries import EXECUTION_ORDERS, JOB_ORDERS

_JOBS = f"{BASE}/orchestrator/jobs"
_NODES = f"{BASE}/orchestrator/nodes"
_AGENT = f"{BASE}/agent"
_AUTH = f"{BASE}/auth"

OPEN = ""
"""The capability of endpoints that need none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation of the API.

    Attributes:
        method: HTTP method; ``HEAD`` is answered wherever ``GET`` is.
        path: Path, with names in braces for what varies.
        handler: Name of the method of ``Handlers`` that answers.
        summary: One line for the documentation.
        response: What is sent: a record as JSON, ``str`` as plain text, ``dict`` as JSON.
        capability: What a caller must be allowed to do, such as ``read:job``.
        request: The record in the request's body, or None.
        parameters: Query parameters. Only ``GET`` and ``DELETE`` have any.
        is_stream: Whether a WebSocket carries many responses.
    """

    method: str
    path: str
    handler: str
    summary: str
    response: type[Any]
    capability: str
    request: type[Any] | None = None
    parameters: tuple[Parameter, ...] = ()
    is_stream: bool = False


def _paging(orders: tuple[str, ...]) -> tuple[Parameter, ...]:
    return (
        Parameter("limit", Kind.COUNT, "Most items to return; 0 is no limit."),
        Parameter("order_by", Kind.TEXT, f"What to sort by; else {orders[0]}.", orders),
        Parameter("reverse", Kind.FLAG, "Sort downwards."),
    )


_NEXT_TOKEN = Parameter("next_token", Kind.TEXT, "NextToken of the page before.")
_PROVENANCE_LIMIT = (
    f"Most executions, at most {MAX_PROVENANCE_LIMIT}; 0 is {DEFAULT_PROVENANCE_LIMIT}."
)
_NO_TOKEN = Parameter("next_token", Kind.EMPTY, "No value: this list has one page.")
_LABELS = Parameter("labels", Kind.LIST, "Label selector, such as team=data,tier!=test.")

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="PUT",
        path=_JOBS,
        handler="put_job",
        summary="Submit a job.",
        request=PutJobRequest,
        response=PutJobResponse,
        capability="write:job",
    ),
    Endpoint(
        method="POST",
        path=_JOBS,
        handler="put_job",
        summary="Submit a job; the same as PUT.",
        request=PutJobRequest,
        response=PutJobResponse,
        capability="write:job",
    ),
    Endpoint(
        method="GET",
        path=_JOBS,
        handler="list_jobs",
        summary="List jobs.",
        response=ListJobsResponse,
        capability="read:job",
        parameters=(
            Parameter("namespace", Kind.TEXT, "Only this namespace; empty or * is all."),
            _LABELS,
            *_paging(JOB_ORDERS),
            _NEXT_TOKEN,
        ),
    ),
    Endpoint(
        method="GET",
        path=f"{_JOBS}/{{id}}",
        handler="get_job",
        summary="Describe a job.",
        response=GetJobResponse,
        capability="read:job",
        parameters=(Parameter("include", Kind.LIST, "What to add: history, executions or both."),),
    ),
    Endpoint(
        method="DELETE",
        path=f"{_JOBS}/{{id}}",
        handler="stop_job",
        summary="Stop a job.",
        request=StopJobRequest,
        response=StopJobResponse,
        capability="write:job",
        parameters=(Parameter("reason", Kind.TEXT, "Why; the one in the body comes first."),),
    ),
    Endpoint(
        method="GET",
        path=f"{_JOBS}/{{id}}/executions",
        handler="list_executions",
        summary="List the executions of a job.",
        response=ListExecutionsResponse,
        capability="read:job",
        parameters=(*_paging(EXECUTION_ORDERS), _NO_TOKEN),
    ),
    Endpoint(
        method="GET",
        path=f"{_JOBS}/{{id}}/history",
        handler="list_history",
        summary="List the events of a job, oldest first.",
        response=ListHistoryResponse,
        capability="read:job",
        parameters=(
            Parameter("since", Kind.SECONDS, "Only events from this second since 1970 on."),
            Parameter(
                "event_type", Kind.TEXT, "Which events; else all.", ("all", "job", "execution")
            ),
            Parameter("execution_id", Kind.TEXT, "Only events of this execution."),
            Parameter("limit", Kind.COUNT, "Most items to return; 0 is 100."),
            _NEXT_TOKEN,
        ),
    ),
    Endpoint(
        method="GET",
        path=f"{_JOBS}/{{id}}/results",
        handler="list_results",
        summary="List where the results of a job are.",
        response=ListResultsResponse,
        capability="read:job",
    ),
    Endpoint(
        method="GET",
        path=f"{_JOBS}/{{id}}/provenance",
        handler="list_provenance",
        summary="List what the executions of a job have read and written.",
        response=ListProvenanceResponse,
        capability="read:job",
        parameters=(
            Parameter("execution_id", Kind.TEXT, "Only this execution."),
            Parameter("files", Kind.COUNT, "Most files of each list; 0 is all that are kept."),
            Parameter("limit", Kind.COUNT, _PROVENANCE_LIMIT),
            _NEXT_TOKEN,
        ),
    ),
    Endpoint(
        method="GET",
        path=f"{_JOBS}/{{id}}/logs",
        handler="stream_logs",
        summary="Stream the output of an execution over a WebSocket, one frame a message.",
        response=LogMessage,
        capability="read:job",
        parameters=(
            Parameter("execution_id", Kind.TEXT, "Which execution; else the newest."),
            Parameter("follow", Kind.FLAG, "Go on until the execution ends."),
            Parameter("tail", Kind.FLAG, "Only what is printed from now on."),
        ),
        is_stream=True,
    ),
    Endpoint(
        method="GET",
        path=_NODES,
        handler="list_nodes",
        summary="List nodes.",
        response=ListNodesResponse,
        capability="read:node",
        parameters=(
            _LABELS,
            Parameter(
                "filter-approval",
                Kind.TEXT,
                "Only nodes with this membership.",
                ("pending", "approved", "rejected"),
            ),
            Parameter(
                "filter-status",
                Kind.TEXT,
                "Only nodes with this connection.",
                ("connected", "disconnected"),
            ),
            *_paging(NODE_ORDERS),
            _NO_TOKEN,
        ),
    ),
    Endpoint(
        method="GET",
        path=f"{_NODES}/{{id}}",
        handler="get_node",
        summary="Describe a node.",
        response=GetNodeResponse,
        capability="read:node",
    ),
    Endpoint(
        method="PUT",
        path=f"{_NODES}/{{id}}",
        handler="put_node",
        summary="Approve, reject or delete a node.",
        request=PutNodeRequest,
        response=PutNodeResponse,
        capability="write:node",
    ),
    Endpoint(
        method="POST",
        path=_NODES,
        handler="post_node",
        summary="Approve, reject or delete the node that the body names.",
        request=PutNodeRequest,
        response=PutNodeResponse,
        capability="write:node",
    ),
    Endpoint(
        method="GET",
        path=_AUTH,
        handler="list_auth_methods",
        summary="List the ways to log in.",
        response=ListAuthMethodsResponse,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{_AUTH}/{{name}}",
        handler="get_auth_method",
        summary="Describe one way to log in.",
        response=AuthMethod,
        capability=OPEN,
    ),
    Endpoint(
        method="POST",
        path=f"{_AUTH}/{{name}}",
        handler="authenticate",
        summary="Log in; 401 with the same body when the proof is not good enough.",
        request=AuthRequest,
        response=AuthResponse,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{_AGENT}/alive",
        handler="agent_alive",
        summary="Tell that the server answers.",
        response=AliveResponse,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{_AGENT}/version",
        handler="agent_version",
        summary="Tell which program answers.",
        response=BuildVersionInfo,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{_AGENT}/config",
        handler="agent_config",
        summary="Show the configuration of the node that answers, without its secrets.",
        response=GetAgentConfigResponse,
        capability="read:agent",
    ),
    Endpoint(
        method="GET",
        path=f"{_AGENT}/node",
        handler="agent_node",
        summary="Describe the node that answers.",
        response=NodeState,
        capability="read:agent",
    ),
    Endpoint(
        method="GET",
        path=f"{_AGENT}/debug",
        handler="agent_debug",
        summary="Tell what the node that answers does and knows.",
        response=AgentDebug,
        capability="read:agent",
    ),
    Endpoint(
        method="GET",
        path=f"{BASE}/node_info",
        handler="agent_node",
        summary="Describe the node that answers, for old clients.",
        response=NodeState,
        capability="read:agent",
    ),
    Endpoint(
        method="POST",
        path=f"{BASE}/compute/debug",
        handler="compute_debug",
        summary="Tell what the node that answers does, for old clients.",
        response=ComputeDebug,
        capability="read:agent",
    ),
    Endpoint(
        method="GET",
        path=f"{BASE}/version",
        handler="agent_version",
        summary="Tell which program answers.",
        response=BuildVersionInfo,
        capability=OPEN,
    ),
    Endpoint(
        method="POST",
        path=f"{BASE}/version",
        handler="legacy_version",
        summary="Tell which program answers, for old clients.",
        response=LegacyVersionResponse,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{BASE}/healthz",
        handler="livez",
        summary="Tell that the server answers, as text.",
        response=str,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path="/",
        handler="agent_version",
        summary="Tell which program answers.",
        response=BuildVersionInfo,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{BASE}/livez",
        handler="livez",
        summary="Tell that the server answers, as text.",
        response=str,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{BASE}/id",
        handler="node_id",
        summary="Tell the id of the node that answers, as text.",
        response=str,
        capability="read:agent",
    ),
    Endpoint(
        method="GET",
        path="/swagger.json",
        handler="openapi",
        summary="Describe this API as an OpenAPI document.",
        response=dict,
        capability=OPEN,
    ),
    Endpoint(
        method="GET",
        path=f"{BASE}/openapi.json",
        handler="openapi",
        summary="Describe this API as an OpenAPI document.",
        response=dict,
        capability=OPEN,
    ),
)
