"""``bacalhau serve``: a process that is orchestrator, compute node, or both (spec cli.md 8.10)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from bacalhau.api import check_address
from bacalhau.errors import Code, UserError
from bacalhau.lib.addresses import resolve_address, with_port
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import RandomIds
from bacalhau.node.api import start_api
from bacalhau.node.auth import start_access
from bacalhau.node.certificates import api_certificate
from bacalhau.node.failures import one_error
from bacalhau.node.file_limit import allow_many_files
from bacalhau.node.identity import locked, node_id
from bacalhau.node.late_compute import LateCompute, PatientIntake
from bacalhau.node.orchestrator import start_orchestrator
from bacalhau.node.plugins import find_plugins
from bacalhau.node.roles import Host
from bacalhau.node.run_files import exports, run_file
from bacalhau.telemetry.logs import configure
from bacalhau.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.config import Settings
    from bacalhau.orchestrator.service import Orchestrator

JOIN_SECONDS = 5.0
STOP_SECONDS = 60.0
"""How long a node may take to stop; normally it is done within a second, or as publishing takes."""

ONE_SIGNAL_SECONDS = 0.5
"""Programs such as ``timeout`` signal their child, and then its process group once more."""

RUN_FILE = "bacalhau.run"

log = structlog.get_logger()


def serve(settings: Settings) -> int:
    """Run a node until SIGINT or SIGTERM; a second signal ends it at once. Returns the exit code.

    Raises:
        BacalhauError: the node cannot start; nothing is left running.
    """
    settings = listening_on_an_address(settings)
    configure(settings.text("Logging.Level"), settings.text("Logging.Mode"))
    compute = settings.flag("Compute.Enabled")
    if compute and not settings.flag("Orchestrator.Enabled"):
        raise UserError(
            "a compute node needs an orchestrator in the same process",
            code=Code.CONFIGURATION,
            hint="start it with --orchestrator --compute",
            fields=["Orchestrator.Enabled"],
        )
    check_address(settings.text("API.Host"), settings.integer("API.Port"))
    allow_many_files()
    ids = RandomIds()
    directory = settings.data_directory
    with locked(directory):
        host = Host(
            node_id=node_id(directory, settings, ids),
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
    with one_error():
        async with AsyncExitStack() as stack:
            orchestrator, store = await start_orchestrator(host, stack)
            # What is left first: no request reaches a node whose parts have ended.
            async with AsyncExitStack() as front:
                late = LateCompute(host, stack) if compute else None
                is_open = asyncio.Event()
                access = start_access(host, front)
                access.check_key()
                port = await start_api(
                    host,
                    orchestrator,
                    store,
                    front,
                    access=access,
                    activity=None if late is None else late.activity,
                    intake=PatientIntake(orchestrator.intake, is_open),
                )
                # The rest is large. The API answers meanwhile; submissions wait.
                await asyncio.to_thread(host.classes.load)
                if late is not None:
                    await late.start()
                    await wait_joined(host, orchestrator)
                is_open.set()
                front.enter_context(_announced(host, port))
                await stop.wait()
                log.info("node_stopping", node_id=host.node_id)
        log.info("node_stopped", node_id=host.node_id)


async def wait_joined(host: Host, orchestrator: Orchestrator) -> None:
    """Wait for our own compute node, so that the first job submitted finds it."""
    try:
        async with asyncio.timeout(JOIN_SECONDS):
            await orchestrator.registry.wait_joined(host.node_id)
    except TimeoutError:
        log.warning("node_joins_late", node_id=host.node_id)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` with the first SIGINT or SIGTERM; the second ends the process at once.

    So does the end of ``STOP_SECONDS``. Nothing is lost by it: a node may be killed at any moment.
    Signals that come within ``ONE_SIGNAL_SECONDS`` are one. SIGHUP sets ``stop``, too, and hurries
    nothing up: a terminal that is closed sends it, and so does the shell in it. A process started
    with nohup keeps on ignoring it.
    """
    loop = asyncio.get_running_loop()
    first_at: float | None = None

    def stop_once() -> None:
        nonlocal first_at
        if first_at is not None:
            return
        first_at = loop.time()
        stop.set()
        # A thread, as the loop may be what does not end.
        limit = threading.Timer(STOP_SECONDS, _give_up)
        limit.daemon = True
        limit.start()

    def stop_or_leave() -> None:
        if first_at is not None and loop.time() - first_at > ONE_SIGNAL_SECONDS:
            _leave()
        stop_once()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_or_leave)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, stop_once)


def listening_on_an_address(settings: Settings) -> Settings:
    """Return settings whose ``API.Host`` is no word such as ``private`` any more.

    Raises:
        UserError: this machine has no such address.
    """
    host = settings.text("API.Host")
    try:
        return settings.replaced({"API.Host": resolve_address(host)})
    except ValueError as exc:
        raise UserError(
            f'invalid value "{host}" for API.Host: {exc}',
            code=Code.CONFIGURATION,
            hint="set it to an address of this machine, or to 0.0.0.0 for all of them",
            component="APIServer",
            fields=["API.Host"],
        ) from exc


@contextmanager
def _announced(host: Host, port: int) -> Iterator[None]:
    """Tell where the API is, on standard output and in a file (spec cli.md 8.10)."""
    address = host.settings.text("API.Host")
    lines = exports(address, port, api_certificate(host))
    path = Path(os.environ.get("DEVSTACK_ENV_FILE") or host.directory / RUN_FILE).absolute()
    with run_file(path, lines):
        log.info(
            "node_running",
            node_id=host.node_id,
            address=with_port(address, port),
            orchestrator_enabled=host.settings.flag("Orchestrator.Enabled"),
            compute_enabled=host.settings.flag("Compute.Enabled"),
        )
        sys.stdout.write(
            f"\nTo use this node from another terminal, set these variables:\n{lines}"
            f"\nThey are, as long as it runs, in {path}\n"
        )
        sys.stdout.flush()
        yield


def _give_up() -> None:
    log.error("node_stop_given_up", seconds=STOP_SECONDS, hint="what it did goes on at its start")
    _leave()


def _leave() -> None:
    """End the process here and now, also where nothing can be written any more."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(1)
