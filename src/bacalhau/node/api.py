"""Composing the API with what answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.api import AgentInfo, Door, Login, create_app, serve_app
from bacalhau.config.documents import nested
from bacalhau.lib.build import build_fields
from bacalhau.models import (
    BuildVersionInfo,
    Connection,
    Membership,
    NodeInfo,
    NodeState,
    NodeType,
    SpecConfig,
)
from bacalhau.node.labels import node_labels
from bacalhau.orchestrator.queries import Queries
from bacalhau.policy.challenge import Challenges
from bacalhau.policy.token_key import token_key
from bacalhau.policy.tokens import TokenIssuer
from bacalhau.s3.client import S3Client
from bacalhau.s3.signing import ResultSigner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from bacalhau.compute.service import ComputeNode
    from bacalhau.node.roles import Host
    from bacalhau.orchestrator.service import Orchestrator
    from bacalhau.ports import JobStore

SIGNER_CONNECTIONS = 4
TOKEN_KEY_FILE = "token_key.pem"  # noqa: S105 - the name of a file


async def start_api(
    host: Host,
    orchestrator: Orchestrator,
    store: JobStore,
    stack: AsyncExitStack,
    *,
    compute: ComputeNode | None = None,
) -> int:
    """Serve the API within ``stack``; return its port.

    ``compute`` is the compute node of the same name, where there is one.

    Raises:
        UserError: the address is taken, or the key for tokens cannot be used.
    """
    settings = host.settings
    queries = Queries(
        store=store,
        transport=host.transport,
        nodes=orchestrator.registry,
        sign=await _signer(host, stack),
    )
    app = create_app(
        queries=queries,
        intake=orchestrator.intake,
        admission=orchestrator.admission,
        login=_login(host),
        agent=_agent(host, orchestrator, compute),
        clock=host.clock,
        ids=host.ids,
        door=Door.of(origins=settings.words("API.AllowedOrigins"), host=settings.text("API.Host")),
    )
    return await stack.enter_async_context(
        serve_app(app, settings.text("API.Host"), settings.integer("API.Port"))
    )


async def _signer(
    host: Host, stack: AsyncExitStack
) -> Callable[[SpecConfig], Awaitable[SpecConfig]]:
    """Return what makes results of S3 reachable for clients without credentials."""
    if host.settings.flag("Publishers.Types.S3.PreSignedURLDisabled"):
        return _as_stored
    client = await stack.enter_async_context(
        S3Client.open(host.clock, connections=SIGNER_CONNECTIONS)
    )
    seconds = int(host.settings.seconds("Publishers.Types.S3.PreSignedURLExpiration"))
    signer = ResultSigner(client)
    return lambda spec: signer.presign(spec, seconds)


async def _as_stored(spec: SpecConfig) -> SpecConfig:
    return spec


def _login(host: Host) -> Login:
    return Login(
        challenges=Challenges(node_id=host.node_id, clock=host.clock, ids=host.ids),
        tokens=TokenIssuer(
            node_id=host.node_id,
            key=token_key(host.directory / TOKEN_KEY_FILE),
            clock=host.clock,
        ),
    )


def _agent(host: Host, orchestrator: Orchestrator, compute: ComputeNode | None) -> AgentInfo:
    version = msgspec.convert(build_fields(), BuildVersionInfo)

    def node_state() -> NodeState:
        known = {state.info.node_id: state for state in orchestrator.registry.states()}
        if host.node_id in known:
            return known[host.node_id]
        info = NodeInfo(
            node_id=host.node_id,
            node_type=NodeType.REQUESTER,
            labels=node_labels(host.settings),
            bacalhau_version=version,
        )
        return NodeState(info=info, membership=Membership.APPROVED, connection=Connection.CONNECTED)

    return AgentInfo(
        node_state=node_state,
        config=lambda: nested(host.settings),
        version=version,
        node_id=host.node_id,
        activity=None if compute is None else compute.activity,
    )
