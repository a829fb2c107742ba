"""The client: one method for each call of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from bacalhau.client import requests
from bacalhau.client.http import HttpTransport
from bacalhau.client.requests import Page
from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from bacalhau.client.credentials import Credentials
    from bacalhau.client.tls import Trust
    from bacalhau.models.api import (
        GetJobResponse,
        ListExecutionsResponse,
        ListHistoryResponse,
        ListJobsResponse,
        ListNodesResponse,
        ListProvenanceResponse,
        LogLine,
        PutJobResponse,
        PutNodeResponse,
        StopJobResponse,
    )
    from bacalhau.models.job import Job, SpecConfig
    from bacalhau.models.node import BuildVersionInfo, NodeState

DEFAULT_TIMEOUT_SECONDS = 60.0
FIRST_PAGE = Page()


class Client:
    """Speaks to one orchestrator. A context manager; one thread at a time.

    With ``credentials`` it logs in by itself when the server asks for a token; with ``trust`` it
    speaks TLS.

    Every method raises what the server refused with as a class of ``bacalhau.errors``, and
    ``TransientError`` when the server cannot be reached.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 1234,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._transport = HttpTransport(
            host,
            port,
            timeout_seconds=timeout_seconds,
            headers=headers or {},
            credentials=credentials,
            trust=trust,
        )

    @property
    def url(self) -> str:
        """The server's address, such as ``http://127.0.0.1:1234``."""
        return self._transport.url

    def submit(self, job: Job) -> PutJobResponse:
        """Store a new job; it is durable when this returns."""
        return self._transport.send(requests.submit(job))

    def job(self, job_id: str, *, include: Iterable[str] = ()) -> GetJobResponse:
        """Read a job by id or by the start of its id."""
        return self._transport.send(requests.job(job_id, include=include))

    def list_jobs(
        self, page: Page = FIRST_PAGE, *, labels: Iterable[str] = (), namespace: str = ""
    ) -> ListJobsResponse:
        """List one page of jobs, oldest first unless the page says otherwise."""
        return self._transport.send(requests.list_jobs(page, labels=labels, namespace=namespace))

    def executions(self, job_id: str, page: Page = FIRST_PAGE) -> ListExecutionsResponse:
        """List the executions of a job."""
        return self._transport.send(requests.executions(job_id, page))

    def history(
        self, job_id: str, page: Page = FIRST_PAGE, *, event_type: str = "", execution_id: str = ""
    ) -> ListHistoryResponse:
        """Read events of a job. An empty ``next_token`` means that no more will ever come."""
        request = requests.history(job_id, page, event_type=event_type, execution_id=execution_id)
        return self._transport.send(request)

    def results(self, job_id: str) -> list[SpecConfig]:
        """Return where the results of a job are; empty when nothing was published."""
        return self._transport.send(requests.results(job_id)).items

    def provenance(
        self, job_id: str, page: Page = FIRST_PAGE, *, execution_id: str = "", files: int = 0
    ) -> ListProvenanceResponse:
        """List what executions of a job have read and written, oldest execution first.

        ``files`` cuts each list of files; 0 takes all that the orchestrator keeps.
        """
        request = requests.provenance(job_id, page, execution_id=execution_id, files=files)
        return self._transport.send(request)

    def stop(self, job_id: str, reason: str) -> StopJobResponse:
        """Stop a job."""
        return self._transport.send(requests.stop(job_id, reason))

    def nodes(
        self,
        page: Page = FIRST_PAGE,
        *,
        labels: Iterable[str] = (),
        approval: str = "",
        status: str = "",
    ) -> ListNodesResponse:
        """List nodes."""
        request = requests.nodes(page, labels=labels, approval=approval, status=status)
        return self._transport.send(request)

    def node(self, node_id: str) -> NodeState:
        """Read one node."""
        return self._transport.send(requests.node(node_id)).node

    def decide_node(self, node_id: str, action: str, message: str = "") -> PutNodeResponse:
        """Approve, reject or delete a node; the answer says whether that was possible."""
        return self._transport.send(requests.decide_node(node_id, action, message))

    def alive(self) -> str:
        """Return ``OK`` when the server answers."""
        return self._transport.send(requests.alive()).status

    def version(self) -> BuildVersionInfo:
        """Return which program answers."""
        return self._transport.send(requests.version())

    def agent_config(self) -> dict[str, Any]:
        """Read the configuration of the node that answers, nested as in a configuration file."""
        return self._transport.send(requests.agent_config()).config

    def agent_node(self) -> NodeState:
        """Read the node that answers."""
        return self._transport.send(requests.agent_node())

    def logs(
        self, job_id: str, *, execution_id: str = "", follow: bool = False, tail: bool = False
    ) -> Iterator[LogLine]:
        """Yield output of a job's execution; with ``follow`` until the execution ends.

        ``tail`` leaves out what was written before the call.
        """
        target = requests.logs_target(job_id, execution_id=execution_id, follow=follow, tail=tail)
        try:
            yield from self._stream(target)
        except UserError as exc:
            # Such an answer comes before any output.
            if exc.code != Code.UNAUTHORIZED or not self._transport.log_in():
                raise
            yield from self._stream(target)

    def _stream(self, target: str) -> Iterator[LogLine]:
        from bacalhau.client.logs import stream_logs

        headers = self._transport.headers()
        return stream_logs(
            self.url,
            target,
            headers=headers,
            tls=self._transport.tls,
            timeout_seconds=self._timeout_seconds,
        )

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
