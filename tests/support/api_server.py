"""The API on a real socket, over a store in memory."""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import msgspec
import yarl
from cryptography.hazmat.primitives.asymmetric import rsa

from bacalhau.api import AgentInfo, Guard, Login, create_app, serve_app
from bacalhau.config import Settings
from bacalhau.config.documents import nested
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import SeededIds
from bacalhau.lifecycle.changes import HistoryDraft, JobChanges
from bacalhau.models import (
    BuildVersionInfo,
    ComputeNodeInfo,
    Connection,
    Execution,
    Job,
    Membership,
    NodeID,
    NodeInfo,
    NodeState,
    NodeType,
    Resources,
    SpecConfig,
)
from bacalhau.models.debug import ComputeDebug
from bacalhau.orchestrator.queries import Queries
from bacalhau.orchestrator.service import Orchestrator
from bacalhau.policy.challenge import Challenges
from bacalhau.policy.methods import Method, SignedChallenge
from bacalhau.policy.tokens import Tokens
from bacalhau.testing.store_memory import MemoryJobStore
from bacalhau.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from bacalhau.orchestrator.registry import NodeRegistry
    from bacalhau.ports import Clock

SETTINGS = Settings(
    {
        "Compute.Auth.Token": "s3cret",
        "Compute.Enabled": True,
        "Compute.Orchestrators": ("nats://127.0.0.1:6001",),
        "DisableAnalytics": True,
        "Orchestrator.Auth.Token": "s3cret",
        "Orchestrator.Enabled": True,
        "Orchestrator.Host": "127.0.0.1",
        "Orchestrator.Scheduler.WorkerCount": 2,
    }
)
Record = TypeVar("Record", Job, Execution)

TOKEN_KEY = rsa.generate_private_key(65537, 2048)
VERSION = BuildVersionInfo(
    major="1",
    minor="5",
    git_version="v1.5.2",
    git_commit="a" * 40,
    build_date="2024-10-29T15:51:32Z",
    goos="linux",
    goarch="amd64",
)


@dataclass
class Nodes:
    """The nodes that take part, as a test wants them."""

    listed: list[NodeState] = field(default_factory=list)

    def held_bytes(self) -> dict[NodeID, int]:
        return {}

    def states(self) -> Sequence[NodeState]:
        return self.listed


@dataclass
class Api:
    """An API and what it stands on. ``address`` is empty until it is served."""

    app: ASGIApp
    store: MemoryJobStore
    transport: MemoryTransport
    nodes: Nodes
    queries: Queries
    agent: AgentInfo
    registry: NodeRegistry
    tokens: Tokens
    address: str = ""

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"


@dataclass(frozen=True)
class Reply:
    """What came back. ``body`` is parsed where it is JSON; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: Any


async def call(
    api: Api,
    method: str,
    path: str,
    *,
    json: Any = None,
    data: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send one request. The path goes out as it is written."""
    sent = dict(headers or {})
    if json is not None:
        data = io.BytesIO(msgspec.json.encode(json))
        sent.setdefault("Content-Type", "application/json")
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method,
            yarl.URL(api.url(path), encoded=True),
            data=data,
            headers=sent,
            skip_auto_headers=["Content-Type"],
        ) as response,
    ):
        text = await response.read()
        received = response.headers
        is_json = response.content_type == "application/json" and text
        return Reply(
            response.status,
            {name.lower(): ", ".join(received.getall(name)) for name in received},
            msgspec.json.decode(text) if is_json else text.decode(),
        )


def make_node_state(node_id: str = "n-here", **changes: Any) -> NodeState:
    info = {
        "node_id": NodeID(node_id),
        "node_type": NodeType.COMPUTE,
        "labels": {"Architecture": "amd64", "Operating-System": "linux"},
        "supported_protocols": ["bprotocol/v2", "ncl/v1"],
        "bacalhau_version": VERSION,
        "compute_node_info": ComputeNodeInfo(
            max_capacity=Resources(cpu=4), available_capacity=Resources(cpu=4)
        ),
    }
    state = {"membership": Membership.APPROVED, "connection": Connection.CONNECTED}
    of_state = {key: changes.pop(key) for key in list(changes) if key in state}
    return NodeState(info=NodeInfo(**{**info, **changes}), **{**state, **of_state})


def make_api(*, node: NodeState | None = None, **limits: Any) -> Api:
    """Make an API that nobody serves yet; ``limits`` go to ``create_app``.

    ``methods`` among them are the ways to log in; with ``strict`` callers need a token.
    """
    node = node or make_node_state()
    store, transport, nodes = MemoryJobStore(), MemoryTransport(), Nodes([node])
    clock: Clock = limits.pop("clock", None) or SystemClock()
    ids = SeededIds(random.Random(7))
    orchestrator = Orchestrator(
        node_id=node.info.node_id,
        store=store,
        transport=transport,
        clock=clock,
        random=random.Random(7),
        ids=ids,
    )
    tokens = Tokens(node_id=node.info.node_id, key=lambda: TOKEN_KEY, clock=clock)
    by_key = SignedChallenge(Challenges(node_id=node.info.node_id, clock=clock, ids=ids))
    methods: dict[str, Method] = limits.pop("methods", None) or {"clientkey": by_key}
    queries = Queries(
        store=store,
        transport=transport,
        nodes=nodes,
        underway=orchestrator.underway,
        signer=_Signer(),
    )
    agent = AgentInfo(
        node_id=node.info.node_id,
        version=node.info.bacalhau_version,
        node_state=lambda: node,
        config=lambda: nested(SETTINGS),
        activity=_idle,
    )
    app = create_app(
        queries=queries,
        intake=orchestrator.intake,
        admission=orchestrator.admission,
        login=Login(methods=methods, tokens=tokens),
        guard=Guard(tokens if limits.pop("strict", False) else None),
        agent=agent,
        clock=clock,
        ids=ids,
        **limits,
    )
    return Api(app, store, transport, nodes, queries, agent, orchestrator.registry, tokens)


@contextlib.asynccontextmanager
async def running_api(*, node: NodeState | None = None, **limits: Any) -> AsyncIterator[Api]:
    """Serve an API on a port of the loopback."""
    api = make_api(node=node, **limits)
    async with serve_app(api.app, "127.0.0.1", 0) as port:
        api.address = f"127.0.0.1:{port}"
        yield api


class Stage:
    """A server for many APIs, one after the other, as each start costs a fifth of a second."""

    def __init__(self) -> None:
        self.address = ""
        self._app: ASGIApp | None = None

    def put_on(self, api: Api) -> Api:
        """Serve another API from now on."""
        self._app = api.app
        api.address = self.address
        return api

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the API that is on."""
        assert self._app is not None, "an API is on"
        await self._app(scope, receive, send)


@contextlib.asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Serve whatever is put on the stage."""
    stage = Stage()
    async with serve_app(stage.serve, "127.0.0.1", 0) as port:
        stage.address = f"127.0.0.1:{port}"
        yield stage


async def _idle() -> ComputeDebug:
    return ComputeDebug()


class _Signer:
    async def sign(self, job: Job, executions: Sequence[Execution]) -> list[SpecConfig]:
        assert all(execution.job_id == job.id for execution in executions)
        signed = SpecConfig(type="s3PreSigned", params={"PreSignedURL": "https://signed"})
        results = [execution.published_result for execution in executions]
        return [signed if result.kind == "s3" else result for result in results]


async def store_job(
    store: MemoryJobStore,
    job: Job,
    executions: Sequence[Execution] = (),
    history: Sequence[HistoryDraft] = (),
) -> None:
    """Put a job with everything that belongs to it, in as many changes as its revisions say."""
    last = max([job.revision, *(item.revision for item in executions)])
    for revision in range(1, last + 1):
        await store.apply(
            JobChanges(
                job_id=job.id,
                job=_at(job, revision) if revision <= job.revision else None,
                executions=tuple(
                    _at(item, revision) for item in executions if revision <= item.revision
                ),
                history=tuple(history) if revision == 1 else (),
            )
        )


def _at(item: Record, revision: int) -> Record:
    return msgspec.structs.replace(item, revision=revision)
