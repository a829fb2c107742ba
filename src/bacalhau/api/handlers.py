"""What each endpoint does. The names are those of the column ``handler`` of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from bacalhau.api.answers import json_answer
from bacalhau.api.call import is_pretty
from bacalhau.api.guard import readable_namespace
from bacalhau.api.versions import history_for, knows_node_errors
from bacalhau.errors import NotFoundError, UserError
from bacalhau.models import DEFAULT_NAMESPACE, Connection, HistoryType, Membership
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
    PutJobResponse,
    PutNodeRequest,
    PutNodeResponse,
    StopJobRequest,
    StopJobResponse,
)
from bacalhau.models.auth import AuthMethod, AuthRequest, AuthResponse, ListAuthMethodsResponse
from bacalhau.models.debug import AgentDebug, ComputeDebug
from bacalhau.models.decode import decode_json, decode_submission
from bacalhau.models.selectors import parse_selector
from bacalhau.orchestrator.provenance import ProvenanceQuery
from bacalhau.orchestrator.queries import HistoryQuery, NodeQuery
from bacalhau.policy.grant import Permission
from bacalhau.ports import JobQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from starlette.responses import Response

    from bacalhau.api.call import Call
    from bacalhau.api.login import Login
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
        self,
        job: Job,
        *,
        warnings: list[str],
        client_meta: Mapping[str, str],
        idempotency_token: str,
    ) -> PutJobResponse:
        """Store a new job; ``warnings`` are answered with those found here.

        The same job with the same token, unless that is empty, is the one stored before.
        """
        ...

    async def stop(self, reference: str, reason: str) -> StopJobResponse:
        """Stop a job."""
        ...


class Admission(Protocol):
    """Decides which nodes take part."""

    async def decide(self, reference: str, action: str, reason: str) -> None:
        """Approve, reject or delete a node.

        Raises:
            UserError: that cannot be done; says why.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentInfo:
    """Who answers. ``node_state`` and ``activity`` are asked each time, as load changes.

    ``activity`` is None on nodes that run no jobs.
    """

    node_id: NodeID
    version: BuildVersionInfo
    node_state: Callable[[], NodeState]
    config: Callable[[], dict[str, Any]]
    activity: Callable[[], Awaitable[ComputeDebug]] | None = None


class Handlers:
    """Turns calls into questions and orders, and what comes back into responses."""

    def __init__(
        self,
        *,
        queries: Queries,
        intake: Intake,
        admission: Admission,
        login: Login,
        agent: AgentInfo,
        document: dict[str, Any],
    ) -> None:
        self._queries = queries
        self._intake = intake
        self._admission = admission
        self._login = login
        self._agent = agent
        self._document = document

    async def put_job(self, call: Call) -> PutJobResponse:
        """Submit a job."""
        job, warnings, token = decode_submission(await call.body())
        call.caller.require(Permission.WRITE, job.namespace or DEFAULT_NAMESPACE)
        meta = {
            key: call.headers[name] for name, key in _CLIENT_META.items() if name in call.headers
        }
        return await self._intake.submit(
            job, warnings=warnings, client_meta=meta, idempotency_token=token
        )

    async def list_jobs(self, call: Call) -> ListJobsResponse:
        """List jobs."""
        arguments = call.arguments
        query = JobQuery(
            namespace=readable_namespace(call.caller, arguments.text("namespace")),
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
        job = self._queries.job(call.reference)
        call.caller.require(Permission.READ, job.namespace)
        if not included & {"history", "executions"}:
            return GetJobResponse(job=job)
        whole = await self._queries.whole(job.id)
        history = executions = None
        if "history" in included:
            items = await self._queries.whole_history(whole)
            history = ListHistoryResponse(items=history_for(call.client_version, items))
        if "executions" in included:
            executions = ListExecutionsResponse(items=list(whole.executions))
        return GetJobResponse(job=whole.job, history=history, executions=executions)

    async def stop_job(self, call: Call) -> StopJobResponse:
        """Stop a job, for the reason in the body, else in the query."""
        self._permit(call, Permission.CANCEL)
        body = await call.body()
        reason = decode_json(StopJobRequest, body).reason if body else ""
        return await self._intake.stop(call.reference, reason or call.arguments.text("reason"))

    async def list_executions(self, call: Call) -> ListExecutionsResponse:
        """List the executions of a job."""
        self._permit(call, Permission.READ)
        arguments = call.arguments
        items = await self._queries.executions(
            call.reference,
            order_by=arguments.text("order_by") or "created_at",
            reverse=arguments.flag("reverse"),
            limit=arguments.number("limit"),
        )
        return ListExecutionsResponse(items=items)

    async def list_history(self, call: Call) -> ListHistoryResponse:
        """List the events of a job."""
        self._permit(call, Permission.READ)
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
        self._permit(call, Permission.DOWNLOAD)
        return ListResultsResponse(items=await self._queries.results(call.reference))

    async def list_provenance(self, call: Call) -> ListProvenanceResponse:
        """List what the executions of a job have read and written."""
        self._permit(call, Permission.READ)
        arguments = call.arguments
        query = ProvenanceQuery(
            execution_id=arguments.text("execution_id"),
            files=arguments.number("files"),
            limit=arguments.number("limit"),
            token=arguments.text("next_token"),
        )
        items, token = await self._queries.provenance(call.reference, query)
        return ListProvenanceResponse(items=items, next_token=token)

    def stream_logs(self, call: Call) -> AsyncIterator[LogFrame]:
        """Stream the output of an execution."""
        self._permit(call, Permission.DOWNLOAD)
        arguments = call.arguments
        return self._queries.logs(
            call.reference,
            execution_id=arguments.text("execution_id"),
            follow=arguments.flag("follow"),
            tail=arguments.flag("tail"),
        )

    def _permit(self, call: Call, permission: Permission) -> None:
        """Let pass who may do something with the job in the path.

        Raises:
            NotFoundError: there is no such job.
            ForbiddenError: the caller may not.
        """
        if call.caller.is_limited:
            namespace = self._queries.job(call.reference).namespace
            call.caller.require(permission, namespace)

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

    async def put_node(self, call: Call) -> PutNodeResponse:
        """Decide on the node in the path."""
        decision = decode_json(PutNodeRequest, await call.body())
        return await self._decide(call, call.reference, decision)

    async def post_node(self, call: Call) -> PutNodeResponse:
        """Decide on the node in the body."""
        decision = decode_json(PutNodeRequest, await call.body())
        if not decision.node_id:
            raise UserError("NodeID is missing", hint="name the node", fields=["NodeID"])
        return await self._decide(call, decision.node_id, decision)

    async def _decide(
        self, call: Call, reference: str, decision: PutNodeRequest
    ) -> PutNodeResponse:
        """Decide on a node; what cannot be done is no error in the eyes of older clients."""
        call.caller.require_admin()
        try:
            await self._admission.decide(reference, decision.action, decision.message)
        except UserError as error:
            if knows_node_errors(call.client_version):
                raise
            return PutNodeResponse(success=False, error=error.message)
        return PutNodeResponse(success=True)

    async def list_auth_methods(self, call: Call) -> ListAuthMethodsResponse:
        """List the ways to log in."""
        return ListAuthMethodsResponse(methods=self._login.methods())

    async def get_auth_method(self, call: Call) -> AuthMethod:
        """Describe one way to log in."""
        return self._login.method(call.name)

    async def authenticate(self, call: Call) -> Response:
        """Log in: 200 with a token, or 401 with the reason why there is none."""
        request = decode_json(AuthRequest, await call.body())
        authentication = await self._login.authenticate(call.name, request)
        status = 200 if authentication.success else 401
        response = AuthResponse(authentication=authentication)
        return json_answer(response, status=status, pretty=is_pretty(call.connection))

    async def agent_alive(self, call: Call) -> AliveResponse:
        """Tell that the server answers."""
        return AliveResponse(status="OK")

    async def agent_version(self, call: Call) -> BuildVersionInfo:
        """Tell which program answers."""
        return self._agent.version

    async def agent_config(self, call: Call) -> GetAgentConfigResponse:
        """Show the configuration."""
        # As JSON already, because maps are sorted when they are sent; this one has its own order.
        config = msgspec.Raw(msgspec.json.encode(self._agent.config()))
        return GetAgentConfigResponse(config=cast("dict[str, Any]", config))

    async def agent_node(self, call: Call) -> NodeState:
        """Describe the node that answers."""
        return self._agent.node_state()

    async def agent_debug(self, call: Call) -> AgentDebug:
        """Tell what this node does and knows."""
        nodes, held = self._queries.nodes(NodeQuery()), self._queries.held_inputs()
        if self._agent.activity is None:
            return AgentDebug(discovered_nodes=nodes, held_inputs=held)
        activity = await self._agent.activity()
        return AgentDebug(
            active_jobs=activity.active_jobs,
            discovered_nodes=nodes,
            held_inputs=held,
            jobs_completed=activity.jobs_completed,
            input_cache=activity.input_cache,
        )

    async def compute_debug(self, call: Call) -> ComputeDebug:
        """Tell what this compute node does."""
        if self._agent.activity is None:
            raise NotFoundError("this node runs no jobs", component="APIServer")
        return await self._agent.activity()

    async def legacy_version(self, call: Call) -> LegacyVersionResponse:
        """Tell which program answers, in the form of old clients."""
        return LegacyVersionResponse(build_version_info=self._agent.version)

    async def livez(self, call: Call) -> str:
        """Tell that the server answers, as text."""
        return "OK"

    async def node_id(self, call: Call) -> str:
        """Tell the id of the node that answers."""
        return self._agent.node_id

    async def openapi(self, call: Call) -> dict[str, Any]:
        """Describe this API."""
        return self._document
