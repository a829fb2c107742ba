"""Every call of the API as a value, and the way back from an answer (spec api.md 3).

Nothing here does I/O: a transport sends a :class:`Request` and hands the answer to :func:`decode`.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from bacalhau.client.failures import failure_from_answer
from bacalhau.errors import Code, InternalError, UserError
from bacalhau.models.api import (
    AliveResponse,
    GetAgentConfigResponse,
    GetJobResponse,
    GetNodeResponse,
    ListExecutionsResponse,
    ListHistoryResponse,
    ListJobsResponse,
    ListNodesResponse,
    ListProvenanceResponse,
    ListResultsResponse,
    PutJobRequest,
    PutJobResponse,
    PutNodeRequest,
    PutNodeResponse,
    StopJobRequest,
    StopJobResponse,
)
from bacalhau.models.auth import AuthRequest, AuthResponse, ListAuthMethodsResponse
from bacalhau.models.node import BuildVersionInfo, NodeState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bacalhau.models.job import Job

T = TypeVar("T")

_API = "/api/v1"
_JOBS = f"{_API}/orchestrator/jobs"
_NODES = f"{_API}/orchestrator/nodes"
_AGENT = f"{_API}/agent"
_AUTH = f"{_API}/auth"


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One call: what to send, and the type of the answer. ``body`` is JSON or empty."""

    method: str
    path: str
    answer: type[T]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted. Empty and zero leave the choice to the server."""

    limit: int = 0
    next_token: str = ""
    order_by: str = ""
    reverse: bool = False

    def query(self) -> list[tuple[str, str]]:
        """Return the parameters that differ from the server's choice."""
        return _given(
            ("limit", str(self.limit) if self.limit else ""),
            ("next_token", self.next_token),
            ("order_by", self.order_by),
            ("reverse", "true" if self.reverse else ""),
        )


def decode(request: Request[T], status: int, body: bytes) -> T:
    """Turn an answer into a value.

    Raises:
        BacalhauError: the server refused, with its own code, message and hint; or its answer is
            not what this program understands (code ``DecodeError``).
    """
    if status != 200:  # every success is exactly 200 (spec api.md W1)
        raise failure_from_answer(status, body)
    try:
        return msgspec.json.decode(body, type=request.answer)
    except msgspec.DecodeError as exc:
        raise InternalError(
            f"the server's answer to {request.method} {request.path} was not understood: {exc}",
            code=Code.DECODE,
            hint="check with `bacalhau version` that client and server fit together",
            component="APIClient",
        ) from exc


def submit(job: Job) -> Request[PutJobResponse]:
    """Store a new job."""
    body = msgspec.json.encode(PutJobRequest(job=job))
    return Request("PUT", _JOBS, PutJobResponse, body=body)


def job(job_id: str, *, include: Iterable[str] = ()) -> Request[GetJobResponse]:
    """Read a job; ``include`` may name ``executions`` and ``history``."""
    return Request(
        "GET", _job_path(job_id), GetJobResponse, tuple(_given(("include", ",".join(include))))
    )


def list_jobs(
    page: Page, *, labels: Iterable[str] = (), namespace: str = ""
) -> Request[ListJobsResponse]:
    """List jobs that meet all ``labels``, each one requirement in selector syntax."""
    query = [*page.query(), *_given(("namespace", namespace)), *(("labels", r) for r in labels)]
    return Request("GET", _JOBS, ListJobsResponse, tuple(query))


def executions(job_id: str, page: Page) -> Request[ListExecutionsResponse]:
    """List the executions of a job."""
    return Request(
        "GET", f"{_job_path(job_id)}/executions", ListExecutionsResponse, tuple(page.query())
    )


def history(
    job_id: str, page: Page, *, event_type: str = "", execution_id: str = ""
) -> Request[ListHistoryResponse]:
    """Read events of a job; ``event_type`` is ``all``, ``job`` or ``execution``."""
    query = _given(("event_type", event_type), ("execution_id", execution_id))
    path = f"{_job_path(job_id)}/history"
    return Request("GET", path, ListHistoryResponse, (*page.query(), *query))


def results(job_id: str) -> Request[ListResultsResponse]:
    """Ask where the results of a job are."""
    return Request("GET", f"{_job_path(job_id)}/results", ListResultsResponse)


def provenance(
    job_id: str, page: Page, *, execution_id: str = "", files: int = 0
) -> Request[ListProvenanceResponse]:
    """Ask what executions have read and written; of each list, the first ``files`` or all."""
    query = _given(("execution_id", execution_id), ("files", str(files) if files else ""))
    path = f"{_job_path(job_id)}/provenance"
    return Request("GET", path, ListProvenanceResponse, (*page.query(), *query))


def stop(job_id: str, reason: str) -> Request[StopJobResponse]:
    """Stop a job."""
    body = msgspec.json.encode(StopJobRequest(reason=reason))
    return Request("DELETE", _job_path(job_id), StopJobResponse, body=body)


def nodes(
    page: Page, *, labels: Iterable[str] = (), approval: str = "", status: str = ""
) -> Request[ListNodesResponse]:
    """List nodes that meet all ``labels``, by membership and connection where given."""
    query = [
        *page.query(),
        *_given(("filter-approval", approval), ("filter-status", status)),
        *(("labels", requirement) for requirement in labels),
    ]
    return Request("GET", _NODES, ListNodesResponse, tuple(query))


def node(node_id: str) -> Request[GetNodeResponse]:
    """Read one node."""
    return Request("GET", _node_path(node_id), GetNodeResponse)


def decide_node(node_id: str, action: str, message: str) -> Request[PutNodeResponse]:
    """Approve, reject or delete a node; ``message`` is kept with the decision."""
    decision = PutNodeRequest(action=action, message=message, node_id=node_id)
    body = msgspec.json.encode(decision)
    return Request("PUT", _node_path(node_id), PutNodeResponse, body=body)


def auth_methods() -> Request[ListAuthMethodsResponse]:
    """Ask how to log in."""
    return Request("GET", _AUTH, ListAuthMethodsResponse)


def authenticate(name: str, data: bytes) -> Request[AuthResponse]:
    """Log in by a method with what it wants; 401 has an answer of the same form."""
    proof = AuthRequest(name=name, method_data=b64encode(data).decode())
    path = f"{_AUTH}/{quote(name, safe='')}"
    return Request("POST", path, AuthResponse, body=msgspec.json.encode(proof))


def alive() -> Request[AliveResponse]:
    """Ask whether the server answers."""
    return Request("GET", f"{_AGENT}/alive", AliveResponse)


def version() -> Request[BuildVersionInfo]:
    """Ask which program answers."""
    return Request("GET", f"{_AGENT}/version", BuildVersionInfo)


def agent_config() -> Request[GetAgentConfigResponse]:
    """Read the configuration of the node that answers."""
    return Request("GET", f"{_AGENT}/config", GetAgentConfigResponse)


def agent_node() -> Request[NodeState]:
    """Read the node that answers."""
    return Request("GET", f"{_AGENT}/node", NodeState)


def logs_target(job_id: str, *, execution_id: str, follow: bool, tail: bool) -> str:
    """Return path and query of the WebSocket that streams output (spec api.md 5)."""
    query = _given(
        ("execution_id", execution_id),
        ("follow", "true" if follow else ""),
        ("tail", "true" if tail else ""),
    )
    path = f"{_job_path(job_id)}/logs"
    return f"{path}?{urlencode(query)}" if query else path


def _job_path(job_id: str) -> str:
    return f"{_JOBS}/{_segment(job_id, 'job')}"


def _node_path(node_id: str) -> str:
    return f"{_NODES}/{_segment(node_id, 'node')}"


def _segment(reference: str, kind: str) -> str:
    """Return an id as a part of a path.

    Raises:
        UserError: it is empty; the server would take the path for that of the list.
    """
    if not reference:
        raise UserError(
            f"the id of the {kind} is empty",
            hint=f"give the id of a {kind}, or its beginning: `bacalhau {kind} list` shows them",
            component="APIClient",
            fields=[f"{kind.title()}ID"],
        )
    return quote(reference, safe="")


def _given(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in pairs if value]
