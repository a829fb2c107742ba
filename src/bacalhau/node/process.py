"""``bacalhau serve``: a process that is orchestrator, compute node, or both (spec cli.md 8.10)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import BacalhauError, UserError
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import RandomIds
from bacalhau.node.api import start_api
from bacalhau.node.compute import start_compute
from bacalhau.node.identity import locked, node_id
from bacalhau.node.orchestrator import start_orchestrator
from bacalhau.node.plugins import find_plugins
from bacalhau.node.roles import Host
from bacalhau.telemetry.logs import configure
from bacalhau.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from bacalhau.config import Settings
    from bacalhau.orchestrator.service import Orchestrator

JOIN_SECONDS = 5.0
SWITCH_SECONDS = 0.0005
"""How long one thread may keep the others from running.

With Python's own 5 ms a busy event loop starves the writer threads of the stores: measured, 16 to
42 transactions a second instead of thousands.
"""

log = structlog.get_logger()


def serve(settings: Settings) -> int:
    """Run a node until SIGINT or SIGTERM; a second signal ends it at once. Returns the exit code.

    Raises:
        BacalhauError: the node cannot start; nothing is left running.
    """
    configure(settings.text("Logging.Level"))
    sys.setswitchinterval(SWITCH_SECONDS)
    compute = settings.flag("Compute.Enabled")
    if compute and not settings.flag("Orchestrator.Enabled"):
        raise UserError(
            "a compute node needs an orchestrator in the same process",
            code="ConfigurationError",
            hint="start it with --orchestrator --compute",
            fields=["Orchestrator.Enabled"],
        )
    ids = RandomIds()
    directory = settings.data_directory
    with locked(directory):
        host = Host(
            node_id=node_id(directory, settings.text("NodeID"), ids),
            directory=directory,
            settings=settings,
            classes=find_plugins(settings),
            transport=MemoryTransport(),
            clock=SystemClock(),
            random=random.Random(),  # noqa: S311 - spreads load, guards nothing
            ids=ids,
        )
        asyncio.run(_serve(host, compute=compute))
    return 0


async def _serve(host: Host, *, compute: bool) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    try:
        async with AsyncExitStack() as stack:
            orchestrator, store = await start_orchestrator(host, stack)
            node = await start_compute(host, stack) if compute else None
            if node is not None:
                await wait_joined(host, orchestrator)
            port = await start_api(host, orchestrator, store, stack, compute=node)
            _announce(host, port)
            await stop.wait()
            log.info("node_stopping", node_id=host.node_id)
    except* BacalhauError as group:
        raise first_error(group) from group


async def wait_joined(host: Host, orchestrator: Orchestrator) -> None:
    """Wait for our own compute node, so that the first job submitted finds it."""
    try:
        async with asyncio.timeout(JOIN_SECONDS):
            await orchestrator.registry.wait_joined(host.node_id)
    except TimeoutError:
        log.warning("node_joins_late", node_id=host.node_id)


def first_error(group: BaseExceptionGroup[BacalhauError]) -> BacalhauError:
    """Return one of our errors out of what task groups made of it."""
    first = group.exceptions[0]
    return first_error(first) if isinstance(first, BaseExceptionGroup) else first


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` with the first SIGINT or SIGTERM; the second ends the process at once."""
    loop = asyncio.get_running_loop()

    def stop_or_leave() -> None:
        if stop.is_set():
            _leave()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_or_leave)


def _announce(host: Host, port: int) -> None:
    """Tell where the API is, in lines that a shell can evaluate (spec cli.md 8.10)."""
    address = host.settings.text("API.Host")
    address = "127.0.0.1" if address in ("0.0.0.0", "::") else address  # noqa: S104 - compared
    log.info("node_running", node_id=host.node_id, address=f"{address}:{port}")
    sys.stdout.write(
        "\nTo use this node from another terminal, set these variables:\n"
        f"export BACALHAU_API_HOST={address}\nexport BACALHAU_API_PORT={port}\n"
    )
    sys.stdout.flush()


def _leave() -> None:
    """End the process here and now: the operator asked twice."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
