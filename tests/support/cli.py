"""Running the command line inside the test's process, and a server for it to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bacalhau.cli.main import execute
from bacalhau.cli.session import Session
from tests.support.api_server import Api, running_api

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

T = TypeVar("T")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command line ended, and what it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output without the blanks at their ends."""
        return [line.rstrip() for line in self.stdout.splitlines()]


def run_cli(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    terminal: bool = False,
) -> Outcome:
    """Run a command line to its end. The environment is that of a new user unless given."""
    stream = Terminal if terminal else io.StringIO
    stdout, stderr = stream(), stream()
    session = Session(
        "bacalhau",
        environment={"BACALHAU_DIR": "/nowhere", **(environment or {})},
        stdin=io.StringIO(stdin),
        stdout=stdout,
        stderr=stderr,
    )
    code = execute(session, arguments)
    return Outcome(code, stdout.getvalue(), stderr.getvalue())


class ServedApi:
    """An API over a store in memory, served by a thread of its own. No job ever runs there."""

    def __init__(self, api: Api, loop: asyncio.AbstractEventLoop) -> None:
        self.api = api
        self._loop = loop

    @property
    def port(self) -> int:
        """Where it listens, on the loopback."""
        return int(self.api.address.rpartition(":")[2])

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the server's loop, such as storing a job, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def cli(self, *arguments: str, **options: Any) -> Outcome:
        """Run a command line against this server."""
        environment = {"BACALHAU_API_PORT": str(self.port), **options.pop("environment", {})}
        return run_cli(*arguments, environment=environment, **options)


@contextlib.contextmanager
def served_api(**options: Any) -> Iterator[ServedApi]:
    """Serve an API until the context ends; ``options`` are those of ``make_api``."""
    ready: list[ServedApi] = []
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with running_api(**options) as api:
            ready.append(ServedApi(api, asyncio.get_running_loop()))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="served-api")
    thread.start()
    assert started.wait(timeout=30), "the API starts"
    try:
        yield ready[0]
    finally:
        ready[0].run(_set(stop))
        thread.join(timeout=30)
        assert not thread.is_alive(), "the API stops"


async def _set(event: asyncio.Event) -> None:
    event.set()
