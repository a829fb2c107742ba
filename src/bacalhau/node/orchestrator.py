"""Composing the orchestrator with its store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bacalhau.models import JobType, SpecConfig
from bacalhau.models.defaults import TaskDefaults
from bacalhau.node.kept_stores import kept_store
from bacalhau.node.metadata import open_metadata
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
    store = await stack.enter_async_context(
        kept_store(host.directory, "orchestrator/jobs.db", SQLiteJobStore.open)
    )
    orchestrator = Orchestrator(
        node_id=host.node_id,
        store=store,
        transport=host.transport,
        clock=host.clock,
        random=host.random,
        ids=host.ids,
        checks=Checks(host.classes.engines, host.classes.sources, host.classes.publishers),
        options=_options(host.settings, _server_meta(host)),
    )
    await stack.enter_async_context(orchestrator.run())
    return orchestrator, store


def _server_meta(host: Host) -> dict[str, str]:
    """Return what is noted in every job about the machine that took it (spec api.md 2.3)."""
    return {"bacalhau.org/server.instance.id": open_metadata(host.directory, host.ids).instance_id}


def _options(settings: Settings, meta: dict[str, str]) -> OrchestratorOptions:
    workers = settings.integer("Orchestrator.Scheduler.WorkerCount")
    return OrchestratorOptions(
        meta=meta,
        workers=workers or OrchestratorOptions().workers,
        disconnect_timeout_seconds=settings.seconds("Orchestrator.NodeManager.DisconnectTimeout"),
        is_approval_manual=settings.flag("Orchestrator.NodeManager.ManualApproval"),
        sweep_seconds=settings.seconds("Orchestrator.Scheduler.HousekeepingInterval"),
        backstop_seconds=settings.seconds("Orchestrator.Scheduler.HousekeepingTimeout"),
        locality_seconds=settings.seconds("Orchestrator.Scheduler.LocalityWait"),
        defaults={
            JobType.BATCH: _defaults_of_jobs_that_end(settings, "Batch"),
            JobType.OPS: _defaults_of_jobs_that_end(settings, "Ops"),
            JobType.DAEMON: _defaults(settings, "Daemon"),
            JobType.SERVICE: _defaults(settings, "Service"),
        },
    )


def _defaults(settings: Settings, kind: str) -> TaskDefaults:
    """Return what every type of job has defaults for (spec config.md 3.7)."""
    resources = f"JobDefaults.{kind}.Task.Resources"
    return TaskDefaults(
        priority=settings.integer(f"JobDefaults.{kind}.Priority"),
        cpu=settings.text(f"{resources}.CPU"),
        memory=settings.text(f"{resources}.Memory"),
        disk=settings.text(f"{resources}.Disk"),
        gpu=settings.text(f"{resources}.GPU"),
    )


def _defaults_of_jobs_that_end(settings: Settings, kind: str) -> TaskDefaults:
    task = f"JobDefaults.{kind}.Task"
    publisher = settings.text(f"{task}.Publisher.Type")
    params = settings.pairs(f"{task}.Publisher.Params")
    return replace(
        _defaults(settings, kind),
        publisher=SpecConfig(type=publisher, params=params) if publisher else SpecConfig(),
        execution_timeout=int(settings.seconds(f"{task}.Timeouts.ExecutionTimeout")),
        total_timeout=int(settings.seconds(f"{task}.Timeouts.TotalTimeout")),
    )
