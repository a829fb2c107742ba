"""Composing the API with what answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from bacalhau.api import AgentInfo, Door, create_app, serve_app
from bacalhau.config.documents import nested
from bacalhau.lib.addresses import is_loopback
from bacalhau.lib.build import build_fields
from bacalhau.lib.units import parse_bytes
from bacalhau.models import (
    BuildVersionInfo,
    Connection,
    Membership,
    NodeInfo,
    NodeState,
    NodeType,
)
from bacalhau.node.auth import NAMESPACES
from bacalhau.node.certificates import api_certificate
from bacalhau.node.labels import node_labels
from bacalhau.node.signing import LateSigner
from bacalhau.orchestrator.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from bacalhau.api.handlers import Intake
    from bacalhau.models.debug import ComputeDebug
    from bacalhau.node.auth import Access
    from bacalhau.node.roles import Host
    from bacalhau.orchestrator.service import Orchestrator
    from bacalhau.ports import JobStore

    Activity = Callable[[], Awaitable[ComputeDebug]]

log = structlog.get_logger()


async def start_api(
    host: Host,
    orchestrator: Orchestrator,
    store: JobStore,
    stack: AsyncExitStack,
    *,
    access: Access,
    activity: Activity | None = None,
    intake: Intake | None = None,
) -> int:
    """Serve the API within ``stack``; return its port.

    ``activity`` tells what the compute node of the same name does, where there is one. ``intake``
    stands in for that of the orchestrator.

    Raises:
        UserError: the address is taken, or the certificate cannot be used.
    """
    settings = host.settings
    queries = Queries(
        store=store,
        transport=host.transport,
        nodes=orchestrator.registry,
        underway=orchestrator.underway,
        signer=LateSigner(host, stack),
    )
    certificate = api_certificate(host)
    if not access.guard.is_strict:
        _warn_of_open_door(settings.text("API.Host"))
    app = create_app(
        queries=queries,
        intake=intake or orchestrator.intake,
        admission=orchestrator.admission,
        login=access.login,
        guard=access.guard,
        agent=_agent(host, orchestrator, activity),
        clock=host.clock,
        ids=host.ids,
        door=Door.of(origins=settings.words("API.AllowedOrigins"), host=settings.text("API.Host")),
        body_limit_bytes=parse_bytes(settings.text("API.MaxBodySize") or "10MB"),
        requests_per_second=settings.integer("API.MaxRequestsPerSecond"),
    )
    return await stack.enter_async_context(
        serve_app(
            app,
            settings.text("API.Host"),
            settings.integer("API.Port"),
            tls=(certificate.certificate, certificate.key) if certificate is not None else None,
        )
    )


def _warn_of_open_door(host: str) -> None:
    """Tell when other machines can use the API and nobody is asked who they are."""
    if not is_loopback(host):
        log.warning(
            "api_open_to_others",
            host=host,
            hint="anybody who reaches this address can run jobs here; ask for tokens with "
            f"-c API.Auth.AccessPolicyPath={NAMESPACES}, or listen on 127.0.0.1",
        )


def _agent(host: Host, orchestrator: Orchestrator, activity: Activity | None) -> AgentInfo:
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
        activity=activity,
    )
