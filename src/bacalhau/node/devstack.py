"""``bacalhau devstack``: an orchestrator and compute nodes in one process (spec cli.md 8.4).

All nodes share an event loop and a transport in memory. Each has a directory of its own, so that
they differ in nothing from nodes of separate processes but in how messages travel.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from bacalhau.config import KEYS, Settings
from bacalhau.errors import Code, TransientError, UserError
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import RandomIds
from bacalhau.models import NodeID
from bacalhau.node.api import start_api
from bacalhau.node.auth import start_access
from bacalhau.node.certificates import api_certificate
from bacalhau.node.compute import start_compute
from bacalhau.node.failures import one_error
from bacalhau.node.file_limit import allow_many_files
from bacalhau.node.identity import locked
from bacalhau.node.orchestrator import start_orchestrator
from bacalhau.node.plugins import find_plugins
from bacalhau.node.process import (
    listening_on_an_address,
    stop_on_signals,
    wait_joined,
)
from bacalhau.node.roles import Host
from bacalhau.node.run_files import claimed, exports, write_port
from bacalhau.telemetry.logs import configure
from bacalhau.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.config.key import Value
    from bacalhau.node.plugins import PluginClasses
    from bacalhau.ports import Engine, TaskRun
    from bacalhau.ports.engine import TaskExit

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class StackPlan:
    """What to start.

    Attributes:
        orchestrators: Nodes that only schedule.
        computes: Nodes that only run jobs.
        hybrids: Nodes that do both.
        bad_computes: How many of ``computes``, the last ones, fail whatever they run.
        port: Where the API listens; 0: where the system finds room.
        log_level: From which level on the nodes write log lines.
        directory: Where the nodes keep their files; None: in a temporary place.
        keeps_files: True to leave a temporary place behind.
        ignores_others: True to start although another stack seems to run.
    """

    orchestrators: int
    computes: int
    hybrids: int
    bad_computes: int
    port: int
    log_level: str
    directory: Path | None
    keeps_files: bool
    ignores_others: bool

    def check(self) -> None:
        """Refuse a plan that cannot work.

        Raises:
            UserError: negative numbers, not exactly one orchestrator, or too many bad nodes.
        """
        if min(self.orchestrators, self.computes, self.hybrids, self.bad_computes) < 0:
            raise _refusal("numbers of nodes must not be negative")
        count = self.orchestrators + self.hybrids
        if count != 1:
            raise _refusal(
                f"a devstack has exactly 1 orchestrator, and {count} are asked for",
                hint="choose --requester-nodes 1, or --requester-nodes 0 --hybrid-nodes 1",
            )
        if self.bad_computes > self.computes:
            raise _refusal(
                f"{self.bad_computes} bad compute nodes are asked for, "
                f"and there are only {self.computes} compute nodes"
            )


def run_devstack(settings: Settings, plan: StackPlan) -> int:
    """Run the nodes until SIGINT or SIGTERM; a second signal ends them at once.

    Returns the exit code.

    Raises:
        BacalhauError: a node cannot start; nothing is left running.
    """
    plan.check()
    settings = listening_on_an_address(settings)
    configure(plan.log_level, settings.text("Logging.Mode"))
    allow_many_files()
    with claimed(ignores_others=plan.ignores_others), _directory(plan) as directory:
        asyncio.run(_run(_hosts(settings, plan, directory), settings, plan))
    sys.stdout.write("\nThe devstack has ended\n")
    sys.stdout.flush()
    return 0


async def _run(hosts: list[Host], settings: Settings, plan: StackPlan) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    computes = hosts[plan.orchestrators :]
    with one_error():
        async with AsyncExitStack() as stack:
            for host in hosts:
                stack.enter_context(locked(host.directory))
            orchestrator, store = await start_orchestrator(hosts[0], stack)
            is_kept = plan.directory is not None
            nodes = [await start_compute(host, stack, leaves_tasks=is_kept) for host in computes]
            for host in computes:
                await wait_joined(host, orchestrator)
            own = nodes[0] if plan.hybrids else None
            access = start_access(hosts[0], stack)
            access.check_key()
            port = await start_api(
                hosts[0],
                orchestrator,
                store,
                stack,
                access=access,
                activity=None if own is None else own.activity,
            )
            write_port(port)
            _announce(plan, exports(settings.text("API.Host"), port, api_certificate(hosts[0])))
            await stop.wait()
            log.info("devstack_stopping")


def _hosts(settings: Settings, plan: StackPlan, directory: Path) -> list[Host]:
    """Return the nodes, the orchestrator first."""
    classes = find_plugins(settings)
    transport, ids = MemoryTransport(), RandomIds()
    clock = SystemClock()
    chance = random.Random()  # noqa: S311 - spreads load, guards nothing
    count = plan.orchestrators + plan.hybrids + plan.computes
    hosts = []
    for number in range(count):
        name = f"node-{number}"
        is_bad = number >= count - plan.bad_computes
        hosts.append(
            Host(
                node_id=NodeID(name),
                directory=directory / name,
                settings=_own_settings(settings, plan, name),
                classes=_failing(classes) if is_bad else classes,
                transport=transport,
                clock=clock,
                random=chance,
                ids=ids,
            )
        )
    return hosts


def _own_settings(settings: Settings, plan: StackPlan, name: str) -> Settings:
    labels = settings.pairs("Labels") | {"id": name, "name": name, "env": "devstack"}
    own: dict[str, Value] = {
        "API.Port": plan.port,
        "Labels": tuple(f"{key}={value}" for key, value in labels.items()),
        "Publishers.Types.Local.Port": 0,
    }
    return Settings({key.name: settings.effective(key.name) for key in KEYS} | own)


def _failing(classes: PluginClasses) -> PluginClasses:
    """Return plug-ins whose engines accept every task and fail to run it."""
    engines = {name: _failing_engine(engine) for name, engine in classes.engines.items()}
    return classes._replace(engines=engines)


def _failing_engine(engine: type[Engine]) -> type[Engine]:
    async def run(self: Engine, run: TaskRun) -> TaskExit:
        del self
        raise TransientError(
            f"this node fails every execution, and so execution {run.execution_id} too",
            hint="it was started by devstack with --bad-compute-actors",
            component="Devstack",
        )

    return cast("type[Engine]", type(f"Failing{engine.__name__}", (engine,), {"run": run}))


@contextmanager
def _directory(plan: StackPlan) -> Iterator[Path]:
    """Yield the folder of the nodes' folders; a temporary one is removed at the end."""
    if plan.directory is not None:
        yield plan.directory
        return
    directory = Path(tempfile.mkdtemp(prefix="bacalhau-devstack-"))
    try:
        yield directory
    finally:
        if not plan.keeps_files:
            shutil.rmtree(directory, ignore_errors=True)
        if directory.exists():
            log.warning("devstack_leaves_files", directory=str(directory))


def _announce(plan: StackPlan, variables: str) -> None:
    """Tell that all is ready, and where, in lines that a shell can evaluate."""
    sys.stdout.write(
        "\nThe devstack is ready\n"
        f"Orchestrator-only nodes: {plan.orchestrators}\n"
        f"Compute-only nodes: {plan.computes}\n"
        f"Hybrid nodes: {plan.hybrids}\n"
        "\nTo use it from another terminal, set these variables:\n"
        f"{variables}"
    )
    sys.stdout.flush()


def _refusal(message: str, *, hint: str = "") -> UserError:
    return UserError(message, code=Code.CONFIGURATION, hint=hint, component="Devstack")
