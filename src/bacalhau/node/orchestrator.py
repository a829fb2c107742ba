"""Composing the orchestrator with its store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.models.defaults import TaskDefaults
from bacalhau.orchestrator.checks import Checks
from bacalhau.orchestrator.service import Orchestrator, OrchestratorOptions
from bacalhau.store.sqlite import SQLiteJobStore

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from bacalhau.config import Settings
    from bacalhau.node.roles import Host
    from bacalhau.ports import JobStore


async def start_orchestrator(host: Host, stack: AsyncExitStack) -> tuple[Orchestrator, JobStore]:
    """Start the orchestrator within ``stack``; return it with its store.

    Raises:
        UserError: the store cannot be opened.
    """
    directory = host.directory / "orchestrator"
    directory.mkdir(mode=0o700, exist_ok=True)
    store = await stack.enter_async_context(SQLiteJobStore.open(directory / "jobs.db"))
    orchestrator = Orchestrator(
        node_id=host.node_id,
        store=store,
        transport=host.transport,
        clock=host.clock,
        random=host.random,
        ids=host.ids,
        checks=Checks(host.classes.engines, host.classes.sources, host.classes.publishers),
        options=_options(host.settings),
    )
    await stack.enter_async_context(orchestrator.run())
    return orchestrator, store


def _options(settings: Settings) -> OrchestratorOptions:
    prefix = "JobDefaults.Batch.Task.Resources"
    return OrchestratorOptions(
        disconnect_timeout_seconds=settings.seconds("Orchestrator.NodeManager.DisconnectTimeout"),
        is_approval_manual=settings.flag("Orchestrator.NodeManager.ManualApproval"),
        defaults=TaskDefaults(
            cpu=settings.text(f"{prefix}.CPU"), memory=settings.text(f"{prefix}.Memory")
        ),
    )
