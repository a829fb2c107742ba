"""The read side: what the API tells of jobs, executions and nodes (spec api.md 3, 5, 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, get_args

from bacalhau.errors import UserError
from bacalhau.lib.timestamps import parse_rfc3339
from bacalhau.models import Connection, ExecutionID, HistoryType, JobHistory
from bacalhau.orchestrator.log_source import (
    await_execution,
    closing_stream,
    live_output,
    stored_output,
)
from bacalhau.orchestrator.node_listing import NodeQuery, select_nodes
from bacalhau.orchestrator.paging import HistoryToken
from bacalhau.orchestrator.provenance import ProvenanceQuery, list_provenance
from bacalhau.orchestrator.references import find_execution, find_job, find_node
from bacalhau.ports.paging import JobOrder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from bacalhau.models import Execution, Job, JobID, NodeID, NodeState, SpecConfig
    from bacalhau.models.provenance import ExecutionProvenance
    from bacalhau.orchestrator.underway import UnderwayEvents
    from bacalhau.ports import JobPage, JobQuery, JobStore, ResultSigner, Transport, WholeJob
    from bacalhau.protocol.messages import LogFrame

__all__ = [
    "EXECUTION_ORDERS",
    "JOB_ORDERS",
    "HistoryQuery",
    "NodeDirectory",
    "NodeQuery",
    "Queries",
]

JOB_ORDERS: tuple[str, ...] = get_args(JobOrder)
EXECUTION_ORDERS = ("created_at", "create_time", "modified_at", "modify_time")
DEFAULT_HISTORY_LIMIT = 100
_SCAN_EVENTS = 200


class NodeDirectory(Protocol):
    """Who takes part in the network now."""

    def states(self) -> Sequence[NodeState]:
        """Return all known nodes."""
        ...

    def held_bytes(self) -> dict[NodeID, int]:
        """Return how much nodes have of inputs, those that have any."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryQuery:
    """Which events of a job to list.

    ``since`` is seconds since 1970; ``type`` None means both; ``execution_id`` may be shortened;
    ``limit`` 0 leaves the size of a page to ``token``, and then to the server.
    """

    since: int = 0
    type: HistoryType | None = None
    execution_id: str = ""
    limit: int = 0
    token: str = ""


class Queries:
    """Answers questions. Every method that takes a reference raises as ``find_job`` does.

    Args:
        store: The truth.
        transport: The way to the nodes, for their logs.
        nodes: Who takes part.
        underway: What executions are doing right now.
        signer: Turns places of results into ones that clients can read without credentials.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        transport: Transport,
        nodes: NodeDirectory,
        underway: UnderwayEvents,
        signer: ResultSigner,
    ) -> None:
        self._store = store
        self._transport = transport
        self._nodes = nodes
        self._underway = underway
        self._signer = signer

    def job(self, reference: str) -> Job:
        """Return one job."""
        return find_job(self._store, reference)

    async def whole(self, job_id: JobID) -> WholeJob:
        """Return one job that there is with all its executions, in order of creation."""
        found = await self._store.whole(job_id)
        assert found is not None, "jobs are never deleted"
        return found

    async def jobs(self, query: JobQuery) -> JobPage:
        """Return one page of jobs; the cursor of a page is the token of the next one.

        ``query.order_by`` is one of ``JOB_ORDERS``.

        Raises:
            UserError: the token in ``query.after`` cannot be read.
        """
        return await self._store.list_jobs(query)

    async def executions(
        self, reference: str, *, order_by: str = "created_at", reverse: bool = False, limit: int = 0
    ) -> list[Execution]:
        """Return executions of a job; ``order_by`` is one of ``EXECUTION_ORDERS``."""
        found = list((await self.whole(self.job(reference).id)).executions)
        if order_by.startswith("modif"):
            found.sort(key=lambda execution: execution.modify_time)
        if reverse:
            found.reverse()
        return found[: limit or None]

    async def whole_history(self, whole: WholeJob) -> Sequence[JobHistory]:
        """Return all events of a job, in order, and at the end what it is doing right now."""
        return [*await self._store.history(whole.job.id), *self._doing(whole.executions)]

    def _doing(self, executions: Iterable[Execution]) -> Iterator[JobHistory]:
        """Yield an event for each execution that tells what it does; no history records them."""
        for execution in executions:
            told = None
            if not execution.is_terminal:
                told = self._underway.find(execution.node_id, execution.id)
            if told is not None:
                yield JobHistory(
                    seq_num=0,
                    type=HistoryType.EXECUTION_LEVEL,
                    job_id=execution.job_id,
                    execution_id=execution.id,
                    event=told,
                    time=told.timestamp,
                )

    async def history(self, reference: str, query: HistoryQuery) -> tuple[list[JobHistory], str]:
        """Return one page of events, and the token to ask for more with.

        The token is empty once everything has been told and nothing more will come: the job, or
        the execution asked for, has ended. Clients wait for a job by asking until then. Behind all
        that is recorded comes what executions are doing right now, each word of it once.

        Raises:
            UserError: the token cannot be read.
            NotFoundError: also when the job has no such execution.
        """
        start = HistoryToken.decode(query.token) if query.token else HistoryToken()
        asked = query.limit or start.limit
        # Whether it has ended is read first: what ends it is stored together with its last event.
        snapshot = self._store.snapshot(self.job(reference).id)
        assert snapshot is not None, "jobs are never deleted"
        job_id, executions = snapshot.job.id, snapshot.executions
        execution_id, has_ended = ExecutionID(""), snapshot.job.is_terminal
        if query.execution_id:
            execution = find_execution((await self.whole(job_id)).executions, query.execution_id)
            execution_id, has_ended = execution.id, execution.is_terminal
        wanted = _event_filter(query, execution_id)
        items, next_seq, has_more = await self._scan(
            job_id, start.next_seq, asked or DEFAULT_HISTORY_LIMIT, wanted
        )
        if has_ended and not has_more:
            return items, ""
        shown_at = start.shown_at
        if not has_more:
            doing = [item for item in self._doing(executions) if wanted(item)]
            fresh = [item for item in doing if _second(item) > shown_at]
            items += fresh
            shown_at = max([shown_at, *map(_second, fresh)])
        return items, HistoryToken(asked, next_seq, shown_at).encode()

    async def _scan(
        self, job_id: JobID, next_seq: int, limit: int, wanted: Callable[[JobHistory], bool]
    ) -> tuple[list[JobHistory], int, bool]:
        """Return a page of wanted events, where the next page begins, and whether it has any."""
        items: list[JobHistory] = []
        position = max(next_seq, 1)
        while True:
            events = await self._store.history(job_id, after=position - 1, limit=_SCAN_EVENTS)
            for event in events:
                if wanted(event):
                    if len(items) == limit:
                        return items, event.seq_num, True
                    items.append(event)
                position = event.seq_num + 1
            if len(events) < _SCAN_EVENTS:
                return items, position, False

    async def provenance(
        self, reference: str, query: ProvenanceQuery
    ) -> tuple[list[ExecutionProvenance], str]:
        """Return what executions of a job have read and written, oldest first, and a token.

        The token asks for more of them; it is empty when there are none.

        Raises:
            UserError: the token cannot be read.
            NotFoundError: also when the job has no such execution.
        """
        return await list_provenance(self._store, self.job(reference).id, query)

    async def results(self, reference: str) -> list[SpecConfig]:
        """Return where the results of a batch or ops job are, in order of the executions.

        Raises:
            UserError: the job is a service or daemon, or the credentials of this node are broken.
        """
        job = self.job(reference)
        kind = job.type
        if kind.is_long_running:
            raise UserError(
                f"job {job.id} is a {kind} and has no results",
                hint="only batch and ops jobs publish results",
                component="Orchestrator",
            )
        published = [
            execution
            for execution in (await self.whole(job.id)).executions
            if execution.is_completed and execution.published_result.kind
        ]
        return await self._signer.sign(job, published)

    async def logs(
        self, reference: str, *, execution_id: str = "", follow: bool = False, tail: bool = False
    ) -> AsyncIterator[LogFrame]:
        """Stream the output of one execution of a job.

        ``follow`` goes on until the execution ends, and waits for its beginning; ``tail`` leaves
        out what was printed before. Both mean nothing once it has ended.

        Raises:
            NotFoundError: no such job or execution, or the job has none.
            TransientError: the node that runs it does not answer.
        """
        job = self.job(reference)
        execution = await await_execution(self._store, job.id, execution_id, follow=follow)
        if execution.is_terminal:
            connected = self._is_connected(execution)
            frames = stored_output(self._transport, execution, is_connected=connected)
        else:
            frames = live_output(self._transport, execution, follow=follow, tail=tail)
        async with closing_stream(frames) as stream:
            async for frame in stream:
                yield frame

    def _is_connected(self, execution: Execution) -> bool:
        return any(
            node.info.node_id == execution.node_id and node.connection is Connection.CONNECTED
            for node in self._nodes.states()
        )

    def held_inputs(self) -> dict[NodeID, int]:
        """Return how many bytes nodes have of inputs that were used lately."""
        return self._nodes.held_bytes()

    def nodes(self, query: NodeQuery) -> list[NodeState]:
        """Return nodes."""
        return select_nodes(self._nodes.states(), query)

    def node(self, reference: str) -> NodeState:
        """Return one node.

        Raises:
            NotFoundError: there is no such node.
            AmbiguousError: code ``MultipleNodesFound``.
        """
        return find_node(self._nodes.states(), reference)


def _second(event: JobHistory) -> int:
    return parse_rfc3339(event.time) // 1_000_000_000


def _event_filter(query: HistoryQuery, execution_id: ExecutionID) -> Callable[[JobHistory], bool]:
    since_ns = query.since * 1_000_000_000

    def is_wanted(event: JobHistory) -> bool:
        return (
            query.type in (None, event.type)
            and (not execution_id or event.execution_id == execution_id)
            and (not since_ns or parse_rfc3339(event.time) >= since_ns)
        )

    return is_wanted
