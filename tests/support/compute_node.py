"""A compute node in virtual time, between fakes and an orchestrator that does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from bacalhau.compute.options import ComputeOptions
from bacalhau.compute.service import ComputeNode
from bacalhau.lib.ids import SeededIds
from bacalhau.models import (
    Execution,
    ExecutionID,
    InputSource,
    NodeID,
    NodeInfo,
    NodeType,
    Resources,
    SpecConfig,
    Task,
)
from bacalhau.protocol.messages import (
    ORCHESTRATOR,
    Ack,
    AskForBid,
    Envelope,
    Heartbeat,
    Hello,
    Rejoin,
    Report,
    StoredMessage,
    Welcome,
)
from bacalhau.protocol.sequence import Receiver, Sender
from bacalhau.simulation.disk import CrashableExecutionStore, DiskSpeed
from bacalhau.testing.engine_fake import FakeEngine, FakeMachine
from bacalhau.testing.loop import VirtualClock, run_simulation
from bacalhau.testing.publisher_fake import FakePublisher, FakeShelf
from bacalhau.testing.source_fake import FakeSource
from bacalhau.testing.store_memory import MemoryExecutionStore
from bacalhau.testing.workspace_fake import FakeDisk, FakeWorkspace
from bacalhau.transport.memory import MemoryTransport
from tests.support.records import make_execution, make_job, make_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from bacalhau.models import ComputeState
    from bacalhau.ports import Clock, Endpoint, LocalExecution, Transport
    from bacalhau.protocol.messages import AnyMessage, FromNode, ToNode

NODE = NodeID("n-1")
PATIENCE_SECONDS = 600.0


def simulated(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Run a test in virtual time, where waiting costs nothing."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_simulation(test(*args, **kwargs), seed=1, limit_seconds=100_000)

    return run


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


async def until(condition: Callable[[], object]) -> None:
    """Wait, in virtual time, until a condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - in virtual time, and many things may change
            await asyncio.sleep(0.01)


def task(*inputs: dict[str, Any], engine: dict[str, Any] | None = None, **changes: Any) -> Task:
    """A task of the fake engine; ``inputs`` are parameters of the fake source."""
    sources = [
        InputSource(source=SpecConfig(type="fake", params=params), target=f"/in/{number}")
        for number, params in enumerate(inputs)
    ]
    return make_task(
        engine=SpecConfig(type="fake", params=engine or {}), input_sources=sources, **changes
    )


def offer(
    of: Task | None = None,
    *,
    name: str = "e-1",
    **job: Any,
) -> Execution:
    """An execution of a task, as the orchestrator offers it."""
    return make_execution(
        id=ExecutionID(name),
        node_id=NODE,
        job=make_job(task=of or task(), **job),
    )


class Orchestrator:
    """The other end of the line.

    Attributes:
        hellos: Every Hello, in order.
        heartbeats, reports: As they came.
        arrivals: Every envelope with the time of its arrival, in seconds.
        told: Sequenced messages of the node, taken in order and once.
        acked: The last acknowledgement of the node.
        is_listening: Turn off to stop answering anything.
        acknowledges: Turn off to stop acknowledging.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.hellos: list[Hello] = []
        self.sessions: list[str] = []
        self.heartbeats: list[Heartbeat] = []
        self.reports: list[Report] = []
        self.told: list[FromNode] = []
        self.arrivals: list[tuple[float, Envelope]] = []
        self.acked = 0
        self.is_listening = True
        self.acknowledges = True
        self.floor = 0
        self._outbox: list[StoredMessage] = []
        self._endpoint = endpoint
        self._receiver: Receiver | None = None
        self._sender: Sender | None = None

    async def run(self) -> None:
        while True:
            envelope = await self._endpoint.receive()
            self.arrivals.append((now(), envelope))
            if self.is_listening:
                await self._hear(envelope)

    async def repeat(self) -> None:
        """Send again from time to time what was not acknowledged."""
        while True:
            await asyncio.sleep(5)
            if self._sender is not None and self._sender.rewind():
                await self._push()

    async def ask(self, *executions: Execution) -> None:
        """Offer executions."""
        await self.send(*(AskForBid(execution=execution) for execution in executions))

    async def send(self, *messages: ToNode) -> None:
        """Put messages into the outbox and send what has not been sent."""
        for message in messages:
            seq = (self._outbox[-1].seq if self._outbox else self.floor) + 1
            self._outbox.append(StoredMessage(seq=seq, message=message))
        await self._push()

    async def signal(self, message: AnyMessage, *, seq: int = 0, previous: int = 0) -> None:
        """Send one envelope in the present session, as it is."""
        await self._send(self.sessions[-1], message, seq, previous)

    async def forget(self) -> None:
        """Restart: sessions are not known any more."""
        self._receiver = self._sender = None

    def times(self, kind: type[Any]) -> list[float]:
        """When messages of a kind arrived, however often each was sent."""
        return [when for when, each in self.arrivals if isinstance(each.message, kind)]

    def of_type(self, kind: type[Any]) -> list[Any]:
        """What the node told, of one kind."""
        return [message for message in self.told if isinstance(message, kind)]

    async def _hear(self, envelope: Envelope) -> None:
        message = envelope.message
        if isinstance(message, Hello):
            await self._welcome(envelope, message)
        elif self._receiver is None or envelope.session != self.sessions[-1]:
            await self._send(envelope.session, Rejoin())
        elif isinstance(message, Heartbeat):
            self.heartbeats.append(message)
        elif isinstance(message, Report):
            self.reports.append(message)
        elif isinstance(message, Ack):
            self.acked = message.seq
            assert self._sender is not None
            self._sender.acknowledge(message.seq)
            await self._push()
        else:
            await self._take(envelope)

    async def _welcome(self, envelope: Envelope, hello: Hello) -> None:
        self.hellos.append(hello)
        if self._receiver is None or envelope.session != self.sessions[-1]:
            self.sessions.append(envelope.session)
            self._receiver, self._sender = Receiver(hello.floor), Sender(self.floor)
        await self._send(envelope.session, Welcome(floor=self.floor))
        await self._push()

    async def _take(self, envelope: Envelope) -> None:
        assert self._receiver is not None
        if self._receiver.is_next(envelope.seq, envelope.previous):
            self._receiver.take(envelope.seq)
            assert not isinstance(envelope.message, Hello)
            self.told.append(envelope.message)  # type: ignore[arg-type]
        if self.acknowledges:
            await self._send(envelope.session, Ack(seq=self._receiver.received))

    async def _push(self) -> None:
        if self._sender is None:
            return
        waiting = [each for each in self._outbox if each.seq > self._sender.acked]
        for stored, previous in self._sender.take(waiting, 64):
            await self._send(self.sessions[-1], stored.message, stored.seq, previous)

    async def _send(
        self, session: str, message: AnyMessage, seq: int = 0, previous: int = 0
    ) -> None:
        await self._endpoint.send(
            Envelope(
                source=ORCHESTRATOR,
                target=NODE,
                session=session,
                message=message,
                seq=seq,
                previous=previous,
            )
        )


class Process:
    """One process of a node on a machine, which may end in an orderly way or not."""

    def __init__(self, machine: Machine) -> None:
        clock = machine.clock
        self.is_ready = self.is_dead = False
        self.leaving = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.engine = machine.engine or FakeEngine(clock, machine.tasks)
        self.workspace = FakeWorkspace(machine.disk)
        self.store = CrashableExecutionStore(
            machine.store, speed=DiskSpeed(), random=random.Random(3), on_cut=self.crash
        )
        self.node = ComputeNode(
            info=NodeInfo(node_id=NODE, node_type=NodeType.COMPUTE, labels={"zone": "a"}),
            capacity=machine.capacity,
            store=self.store,
            transport=machine.transport,
            engines={"fake": self.engine} if "engine" not in machine.lacks else {},
            sources={"fake": machine.source} if "source" not in machine.lacks else {},
            publishers=(
                {"fake": FakePublisher(machine.shelf)} if "publisher" not in machine.lacks else {}
            ),
            workspace=self.workspace,
            clock=clock,
            random=random.Random(1),
            ids=SeededIds(random.Random(machine.next_seed())),
            options=machine.options,
        )

    async def live(self) -> None:
        async with self.node.run():
            self.is_ready = True
            await self.leaving.wait()

    async def stop(self) -> None:
        """End in good order, as with SIGTERM, and wait for the end."""
        assert self.task is not None, "only what runs can be stopped"
        self.leaving.set()
        await asyncio.wait([self.task])

    def crash(self) -> None:
        """Die as by ``kill -9``: nothing more is stored, removed or stopped."""
        self.is_dead = True
        self.store.kill()
        self.engine.crash()
        self.workspace.crash()
        if self.task is not None:
            self.task.cancel()


@dataclass
class Machine:
    """What outlives the process of a node, and how its processes are made."""

    capacity: Resources = field(
        default_factory=lambda: Resources(cpu=4, memory=8 * 10**9, disk=10**11)
    )
    options: ComputeOptions = field(default_factory=ComputeOptions)
    transport: Transport = field(default_factory=MemoryTransport)
    store: MemoryExecutionStore = field(default_factory=MemoryExecutionStore)
    tasks: FakeMachine = field(default_factory=FakeMachine)
    shelf: FakeShelf = field(default_factory=FakeShelf)
    disk: FakeDisk = field(default_factory=FakeDisk)
    source: FakeSource = field(default_factory=FakeSource)
    engine: FakeEngine | None = None
    clock: Clock = field(default_factory=VirtualClock)
    lacks: str = ""
    starts: int = 0

    def next_seed(self) -> int:
        self.starts += 1
        return self.starts

    @contextlib.asynccontextmanager
    async def node(self, *, cut_after: int = 0) -> AsyncIterator[Process]:
        """One process of the node; with ``cut_after``, it dies at that write."""
        process = Process(self)
        process.store.cut_after(cut_after)
        async with asyncio.TaskGroup() as group:
            process.task = group.create_task(process.live())
            await until(lambda: process.is_ready or process.is_dead)
            yield process
            process.task.cancel()

    @contextlib.asynccontextmanager
    async def orchestrator(self) -> AsyncIterator[Orchestrator]:
        """The other end of the line."""
        async with self.transport.endpoint(ORCHESTRATOR) as endpoint, asyncio.TaskGroup() as group:
            orchestrator = Orchestrator(endpoint)
            tasks = [
                group.create_task(work) for work in (orchestrator.run(), orchestrator.repeat())
            ]
            yield orchestrator
            for each in tasks:
                each.cancel()

    @contextlib.asynccontextmanager
    async def cluster(self) -> AsyncIterator[Orchestrator]:
        """A node that has joined an orchestrator."""
        async with self.orchestrator() as orchestrator, self.node():
            await until(lambda: orchestrator.sessions)
            yield orchestrator

    def record(self, name: str = "e-1") -> LocalExecution:
        """What the node's store has of an execution."""
        record = self.store.execution(ExecutionID(name))
        assert record is not None, f"{name} is not known"
        return record

    def state(self, name: str = "e-1") -> ComputeState | None:
        """The state of an execution in the node's store."""
        record = self.store.execution(ExecutionID(name))
        return record.state if record else None


def with_timeout(of: Task, seconds: int) -> Task:
    """The task with an execution timeout."""
    timeouts = msgspec.structs.replace(of.timeouts, execution_timeout=seconds)
    return msgspec.structs.replace(of, timeouts=timeouts)
