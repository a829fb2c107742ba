"""A machine of the cluster: processes that die and come back over the same disk."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from bacalhau.errors import BacalhauError
from bacalhau.simulation.disk import DiskHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from bacalhau.protocol.messages import PeerID
    from bacalhau.simulation.clock import MachineClock
    from bacalhau.simulation.disk import CrashableStore
    from bacalhau.testing.network import SimulatedTransport

T = TypeVar("T")

CLEAN_UP_SECONDS = 60.0
"""How long a process may take to end when it is told to, or to notice that it is dead."""

DRAIN_SECONDS = 10.0
"""How long a process that is told to end goes on answering the requests it has."""


class Service(Protocol):
    """What runs on a machine."""

    def run(self) -> AbstractAsyncContextManager[Any]:
        """Work until the context is left."""
        ...


S = TypeVar("S", bound=Service)


class MachineDownError(Exception):
    """Nobody answers; ``is_sent`` tells whether the request may have been carried out."""

    def __init__(self, *, is_sent: bool) -> None:
        super().__init__("the process died" if is_sent else "the machine is down")
        self.is_sent = is_sent


@dataclass(eq=False, slots=True)
class Process(Generic[S]):
    """One life of a service. ``kill`` cuts off what it holds of the world, beside its store."""

    service: S
    store: CrashableStore
    kill: Callable[[], None] = lambda: None
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    is_leaving: asyncio.Event = field(default_factory=asyncio.Event)
    is_dead: bool = False
    task: asyncio.Task[Exception | None] | None = None
    clients: dict[asyncio.Task[Any], None] = field(default_factory=dict)


class Machine(Generic[S]):
    """Runs one process after another. ``disk`` tells how its disk is.

    Args:
        peer: The name of the machine on the network.
        boot: Makes the process of the given number, from 1.
        clock: Goes on whatever happens to processes.
        network: Where the process's door is shut when it dies.
        tasks: The group that all tasks of the machine belong to.
        note: Takes a line for the trace.
        fail: Called with the reason when a process ends by itself or does not end when told to.
    """

    def __init__(
        self,
        peer: PeerID,
        boot: Callable[[int], Process[S]],
        *,
        clock: MachineClock,
        network: SimulatedTransport,
        tasks: asyncio.TaskGroup,
        note: Callable[[str], None],
        fail: Callable[[str], None],
    ) -> None:
        self.peer = peer
        self.disk = DiskHealth()
        self.clock = clock
        self.is_dead_for_good = False
        self._boot = boot
        self._network = network
        self._tasks = tasks
        self._note = note
        self._fail = fail
        self._process: Process[S] | None = None
        self._boots = 0
        self._down_seconds = 0.0
        self._is_shut_down = False

    @property
    def is_ready(self) -> bool:
        """True while a process runs and has started up."""
        return self._process is not None and self._process.is_ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until a process has started up; at once when the machine is dead for good."""
        while not (self.is_ready or self.is_dead_for_good):  # noqa: ASYNC110 - time is free here
            await asyncio.sleep(1.0)

    @property
    def is_busy(self) -> bool:
        """True while a write to the disk is not answered."""
        return self._process is not None and self._process.store.is_busy

    async def live(self) -> None:
        """Start processes, again after every crash, until the machine is shut down or dead."""
        while True:
            self._boots += 1
            self._note(f"{self.peer} boots, number {self._boots}")
            self._process = self._boot(self._boots)
            await self._run(self._process)
            self._process = None
            if not (self.is_dead_for_good or self._is_shut_down):
                await asyncio.sleep(self._down_seconds)
            if self.is_dead_for_good or self._is_shut_down:
                return

    def crash(self, down_seconds: float | None) -> None:
        """Kill the process between two steps; None keeps the machine down for ever."""
        process = self._process
        if process is None or process.is_dead:
            return
        self._note(f"{self.peer} dies{' for good' if down_seconds is None else ''}")
        self.is_dead_for_good = down_seconds is None
        self._down_seconds = down_seconds or 0.0
        process.is_dead = True
        process.store.kill()
        process.kill()
        self._network.disconnect_peer(self.peer)
        for client in process.clients:
            client.cancel()
        assert process.task is not None, "a process that can die has been started"
        process.task.cancel()

    def cut_after(self, writes: int) -> None:
        """Let the process die at the ``writes``-th write from now; 0 takes that back."""
        if self._process is not None:
            self._process.store.cut_after(writes)

    def restart(self, down_seconds: float) -> None:
        """Ask the process to end in good order, and start another one later."""
        if self.is_ready and self._process is not None and not self._process.is_dead:
            self._note(f"{self.peer} is told to restart")
            self._down_seconds = down_seconds
            self._process.is_leaving.set()

    def shut_down(self) -> None:
        """Ask the process to end in good order, for good."""
        self._is_shut_down = True
        if self._process is not None:
            self._process.is_leaving.set()

    async def call(self, request: Callable[[S], Coroutine[Any, Any, T]]) -> T:
        """Send a request to the process and wait for the answer.

        Raises:
            MachineDownError: there is no process, or it died before it answered.
            BacalhauError: as the request.
        """
        process = self._process
        if process is None or not self.is_ready or process.is_dead or process.is_leaving.is_set():
            raise MachineDownError(is_sent=False)
        task = self._tasks.create_task(_outcome(request(process.service)))
        process.clients[task] = None
        try:
            await asyncio.wait({task})
        finally:
            del process.clients[task]
        if task.cancelled():
            raise MachineDownError(is_sent=True)
        result, error = task.result()
        if error is not None:
            raise error
        assert result is not None, "requests answer something"
        return result

    async def _run(self, process: Process[S]) -> None:
        process.task = self._tasks.create_task(self._supervise(process))
        leaving = self._tasks.create_task(process.is_leaving.wait())
        await asyncio.wait({process.task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        left_seconds = CLEAN_UP_SECONDS
        while not process.task.done() and left_seconds > 0:
            await asyncio.wait({process.task}, timeout=1.0)
            left_seconds -= 1.0
            if process.is_dead:
                process.task.cancel()
        if not process.task.done():
            self._fail(f"{self.peer} does not end")
        elif process.is_dead:
            return
        elif process.task.cancelled():
            self._fail(f"{self.peer} ends by a cancellation from inside")
        else:
            error = process.task.result()
            if error is not None:
                self._fail(f"{self.peer} fails by itself: {_told(error)}")

    async def _supervise(self, process: Process[S]) -> Exception | None:
        """Run a process; what it raises is a value, so that the cluster can report it."""
        try:
            async with process.service.run():
                process.is_ready.set()
                await process.is_leaving.wait()
                if process.clients:
                    # Requests that came in time are answered, as a server does that drains.
                    await asyncio.wait(process.clients, timeout=DRAIN_SECONDS)
        except Exception as error:  # this is the supervisor
            return error
        return None


async def _outcome(request: Coroutine[Any, Any, T]) -> tuple[T | None, BacalhauError | None]:
    try:
        return await request, None
    except BacalhauError as error:
        return None, error


def _told(error: BaseException) -> str:
    """Name an error and the place in the code under test; for a group, the first one inside."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    where = "nowhere"
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not frame.f_globals["__name__"].startswith("bacalhau.simulation."):
            where = f"{frame.f_code.co_qualname} line {line}"
    return f"{type(error).__name__}({error}) in {where}"
