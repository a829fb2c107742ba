"""What each endpoint does. The names are those of the column ``handler`` of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bacalhau.api.versions import history_for
from bacalhau.models import Connection, HistoryType, Membership
from bacalhau.models.api import (
    AliveResponse,
    GetJobResponse,
    GetNodeResponse,
    ListExecutionsResponse,
    ListHistoryResponse,
    ListJobsResponse,
    ListNodesResponse,
    ListResultsResponse,
    PutJobResponse,
    StopJobRequest,
    StopJobResponse,
)
from bacalhau.models.decode import decode_json, decode_put_job
from bacalhau.models.selectors import parse_selector
from bacalhau.orchestrator.queries import HistoryQuery, NodeQuery
from bacalhau.ports import JobQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from bacalhau.api.call import Call
    from bacalhau.models import BuildVersionInfo, Job, NodeID, NodeState
    from bacalhau.orchestrator.queries import Queries
    from bacalhau.protocol.messages import LogFrame

_CLIENT_META = {
    "x-bacalhau-installationid": "bacalhau.org/client.installation.id",
    "x-bacalhau-instanceid": "bacalhau.org/client.instance.id",
}
_EVENT_TYPES = {"job": HistoryType.JOB_LEVEL, "execution": HistoryType.EXECUTION_LEVEL}


class Intake(Protocol):
    """The write side: takes jobs in, and stops them."""

    async def submit(
        self, job: Job, *, warnings: list[str], client_meta: Mapping[str, str]
    ) -> PutJobResponse:
        """Store a new job; ``warnings`` are answered with those found here."""
        ...

    async def stop(self, reference: str, reason: str) -> StopJobResponse:
        """Stop a job."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentInfo:
    """Who answers. ``node_state`` is asked each time, as load changes."""

    node_id: NodeID
    version: BuildVersionInfo
    node_state: Callable[[], NodeState]


class Handlers:
    """Turns calls into questions and orders, and what comes back into responses."""

    def __init__(
        self, *, queries: Queries, intake: Intake, agent: AgentInfo, document: dict[str, Any]
    ) -> None:
        self._queries = queries
        self._intake = intake
        self._agent = agent
        self._document = document

    async def put_job(self, call: Call) -> PutJobResponse:
        """Submit a job."""
        job, warnings = decode_put_job(await call.body())
        meta = {
            key: call.headers[name] for name, key in _CLIENT_META.items() if name in call.headers
        }
        return await self._intake.submit(job, warnings=warnings, client_meta=meta)

    async def list_jobs(self, call: Call) -> ListJobsResponse:
        """List jobs."""
        arguments = call.arguments
        query = JobQuery(
            namespace=arguments.text("namespace"),
            labels=tuple(parse_selector(arguments.text("labels"))),
            order_by=arguments.text("order_by") or "created_at",
            reverse=arguments.flag("reverse"),
            limit=arguments.number("limit"),
            after=arguments.text("next_token"),
        )
        page = await self._queries.jobs(query)
        return ListJobsResponse(items=list(page.jobs), next_token=page.cursor)

    async def get_job(self, call: Call) -> GetJobResponse:
        """Describe a job."""
        included = {word.strip() for word in call.arguments.text("include").split(",")}
        snapshot = self._queries.snapshot(call.reference)
        history = executions = None
        if "history" in included:
            items = await self._queries.whole_history(snapshot.job.id)
            history = ListHistoryResponse(items=history_for(call.client_version, items))
        if "executions" in included:
            executions = ListExecutionsResponse(items=list(snapshot.executions))
        return GetJobResponse(job=snapshot.job, history=history, executions=executions)

    async def stop_job(self, call: Call) -> StopJobResponse:
        """Stop a job, for the reason in the body, else in the query."""
        body = await call.body()
        reason = decode_json(StopJobRequest, body).reason if body else ""
        return await self._intake.stop(call.reference, reason or call.arguments.text("reason"))

    async def list_executions(self, call: Call) -> ListExecutionsResponse:
        """List the executions of a job."""
        arguments = call.arguments
        items = self._queries.executions(
            call.reference,
            order_by=arguments.text("order_by") or "created_at",
            reverse=arguments.flag("reverse"),
            limit=arguments.number("limit"),
        )
        return ListExecutionsResponse(items=items)

    async def list_history(self, call: Call) -> ListHistoryResponse:
        """List the events of a job."""
        arguments = call.arguments
        query = HistoryQuery(
            since=arguments.number("since"),
            type=_EVENT_TYPES.get(arguments.text("event_type")),
            execution_id=arguments.text("execution_id"),
            limit=arguments.number("limit"),
            token=arguments.text("next_token"),
        )
        items, token = await self._queries.history(call.reference, query)
        return ListHistoryResponse(items=history_for(call.client_version, items), next_token=token)

    async def list_results(self, call: Call) -> ListResultsResponse:
        """List where the results of a job are."""
        return ListResultsResponse(items=await self._queries.results(call.reference))

    def stream_logs(self, call: Call) -> AsyncIterator[LogFrame]:
        """Stream the output of an execution."""
        arguments = call.arguments
        return self._queries.logs(
            call.reference,
            execution_id=arguments.text("execution_id"),
            follow=arguments.flag("follow"),
            tail=arguments.flag("tail"),
        )

    async def list_nodes(self, call: Call) -> ListNodesResponse:
        """List nodes."""
        arguments = call.arguments
        membership, connection = arguments.text("filter-approval"), arguments.text("filter-status")
        query = NodeQuery(
            labels=tuple(parse_selector(arguments.text("labels"))),
            membership=Membership(membership.upper()) if membership else None,
            connection=Connection(connection.upper()) if connection else None,
            order_by=arguments.text("order_by") or "id",
            reverse=arguments.flag("reverse"),
            limit=arguments.number("limit"),
        )
        return ListNodesResponse(nodes=self._queries.nodes(query))

    async def get_node(self, call: Call) -> GetNodeResponse:
        """Describe a node."""
        return GetNodeResponse(node=self._queries.node(call.reference))

    async def agent_alive(self, call: Call) -> AliveResponse:
        """Tell that the server answers."""
        return AliveResponse(status="OK")

    async def agent_version(self, call: Call) -> BuildVersionInfo:
        """Tell which program answers."""
        return self._agent.version

    async def agent_node(self, call: Call) -> NodeState:
        """Describe the node that answers."""
        return self._agent.node_state()

    async def livez(self, call: Call) -> str:
        """Tell that the server answers, as text."""
        return "OK"

    async def node_id(self, call: Call) -> str:
        """Tell the id of the node that answers."""
        return self._agent.node_id

    async def openapi(self, call: Call) -> dict[str, Any]:
        """Describe this API."""
        return self._document
