"""Results kept on the node and served over HTTP (spec storage.md 7.2)."""

from __future__ import annotations

import errno
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import http_exceptions, web

from bacalhau.errors import Code, UserError
from bacalhau.lib.addresses import is_loopback, resolve_address, with_port
from bacalhau.lib.files import check_room
from bacalhau.lib.listener import HEAD_SECONDS, open_listeners
from bacalhau.lib.threads import run_until_stopped
from bacalhau.models import SpecConfig
from bacalhau.ports import Published
from bacalhau.publishers._results import (
    ARCHIVE_SUFFIX,
    archive_name,
    on_disk,
    pack,
    part_path,
    prepare_directory,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from bacalhau.lib.stopping import Stopped
    from bacalhau.models import Execution
    from bacalhau.ports import PluginContext, PublishedFile, PublishProgress

COMPONENT = "LocalPublisher"
_ADDRESS_KEY = "Publishers.Types.Local.Address"
_PORT_KEY = "Publishers.Types.Local.Port"
_IDLE_READER_SECONDS = 300.0
"""How long a download may stand still; ``job get`` gives up after that, and goes on later."""


class LocalPublisher:
    """Keeps archives in the node's data directory and hands out links to them."""

    def __init__(self, directory: Path, base_url: str, executor: Executor) -> None:
        self._directory = directory
        self._base_url = base_url
        self._executor = executor

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters: there are none; see ``ports.Plugin``."""
        return [f'publisher local ignores the unknown parameter "{name}"' for name in spec.params]

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[LocalPublisher]:
        """Start the server; see ``ports.Plugin``."""
        host = _host(context.settings.text(_ADDRESS_KEY))
        port = context.settings.integer(_PORT_KEY)
        directory = context.data_directory / "compute" / "results" / "local-publisher"
        prepare_directory(directory)
        async with _serving(directory, host, port) as bound_port:
            with ThreadPoolExecutor(2, thread_name_prefix="local-publisher") as executor:
                yield cls(directory, f"http://{with_port(host, bound_port)}", executor)

    async def is_available(self) -> bool:
        """The server runs as long as this object lives."""
        return True

    async def publish(
        self, execution: Execution, results: Path, progress: PublishProgress
    ) -> Published:
        """Pack and keep the results; see ``ports.Publisher``."""
        name = archive_name(execution, COMPONENT)
        part = part_path(self._directory, name)
        try:
            files = await run_until_stopped(
                self._executor, partial(_pack, execution, results, part, progress)
            )
            part.replace(self._directory / name)
        finally:
            part.unlink(missing_ok=True)
        spec = SpecConfig(type="urlDownload", params={"URL": f"{self._base_url}/{name}"})
        return Published(spec=spec, files=files)


def _pack(
    execution: Execution,
    results: Path,
    part: Path,
    progress: PublishProgress,
    is_stopped: Stopped,
) -> tuple[PublishedFile, ...]:
    files = pack(execution, results, part, COMPONENT, progress, is_stopped)
    with on_disk("kept", COMPONENT):
        # The end of the execution could not be stored otherwise, and results wait for that.
        check_room(part.parent)
    return files


def _host(address: str) -> str:
    try:
        return resolve_address(address)
    except ValueError as exc:
        raise UserError(
            f"invalid value {address!r} for {_ADDRESS_KEY}: {exc}",
            code=Code.CONFIGURATION,
            component=COMPONENT,
            hint=f"set {_ADDRESS_KEY} to an IP address or a host name of this node",
            fields=[_ADDRESS_KEY],
        ) from exc


class _NoFalseAlarms(logging.Filter):
    """Drops what aiohttp calls errors of the server: requests that are no HTTP."""

    def filter(self, record: logging.LogRecord) -> bool:
        cause = record.exc_info[1] if record.exc_info else None
        return not isinstance(cause, http_exceptions.HttpProcessingError)


_no_false_alarms = _NoFalseAlarms()


@asynccontextmanager
async def _serving(directory: Path, host: str, port: int) -> AsyncIterator[int]:
    """Serve the archives of a directory and yield the port. Only single files, never a listing."""

    async def archive(request: web.Request) -> web.StreamResponse:
        path = directory / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Content-Type": "application/gzip"})

    app = web.Application()
    # The pattern admits no slash, and no dot in front.
    pattern = r"/{name:[A-Za-z0-9][A-Za-z0-9._-]*" + ARCHIVE_SUFFIX.replace(".", r"\.") + "}"
    app.router.add_get(pattern, archive)
    # Twice the same filter counts once.
    logging.getLogger("aiohttp.server").addFilter(_no_false_alarms)
    # It counts from the start of a connection, and from each answer, to the end of the next head.
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=HEAD_SECONDS
    )
    await runner.setup()
    try:
        # Who links to loopback does not want to be reached from elsewhere.
        try:
            listeners = await open_listeners(host if is_loopback(host) else None, port)
            with ExitStack() as unserved:
                for listener in listeners:
                    unserved.enter_context(listener)
                for listener in listeners:
                    listener.drop_idle_readers(_IDLE_READER_SECONDS)
                    await web.SockSite(runner, listener).start()
                unserved.pop_all()
        except OSError as exc:
            raise _cannot_listen(exc, port) from exc
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _cannot_listen(error: OSError, port: int) -> UserError:
    reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return UserError(
        f"the local publisher cannot listen on port {port}: {reason}",
        code=Code.CONFIGURATION,
        component=COMPONENT,
        hint=f"choose another port with -c {_PORT_KEY}=NUMBER, or disable the publisher "
        "with -c Publishers.Disabled=local",
        fields=[_PORT_KEY],
    )
