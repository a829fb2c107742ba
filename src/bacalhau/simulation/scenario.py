"""What happens in one simulation: a plan drawn from a seed, as plain values."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, replace
from typing import NamedTuple

from bacalhau.models import JobType, NodeID, Resources
from bacalhau.protocol.messages import ORCHESTRATOR, PeerID
from bacalhau.simulation.disk import DiskSpeed
from bacalhau.testing.network import FAULTLESS, NetworkFaults

NODES_MAX = 4
JOBS_MAX = 20
FAULTS_MAX = 5
ENDLESS_SECONDS = 1e6
MEGABYTE = 1_000_000
DISK_BYTES = 10**15
_CLOCK_STEPS = (-10_800.0, -3600.0, -45.0, 45.0, 3600.0, 10_800.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePlan:
    """One compute node: its capacity, and how its machine behaves.

    ``clock_offset_ns`` is how far its wall clock is ahead of the orchestrator's. Its engine takes
    ``start_seconds`` to begin a task and ``stop_seconds`` to end one that it is told to stop.
    ``cache_bytes`` is what it keeps of inputs.
    """

    node_id: NodeID
    millicores: int
    memory_bytes: int
    clock_offset_ns: int = 0
    start_seconds: float = 0.0
    stop_seconds: float = 0.0
    cache_bytes: int = 0

    @property
    def capacity(self) -> Resources:
        """What it offers; there is always enough disk."""
        return Resources(cpu=self.millicores / 1000, memory=self.memory_bytes, disk=DISK_BYTES)


class InputPlan(NamedTuple):
    """Data that several jobs read."""

    name: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPlan:
    """One job, and when its author submits and perhaps stops it. Times are virtual seconds.

    Attributes:
        failing_attempts: How many executions fail before one succeeds.
        is_retryable: Whether a failure says that another attempt makes sense.
        is_valid: False for a job that must be refused.
        repeats: Whether the author submits again, with the same token, when there was no answer.
            Who does not knows nothing of the job, and never stops it.
        stop_at: When the author asks for a stop; None for never. Jobs that would go on for ever
            always are stopped.
        input: What its task reads; None for nothing.
    """

    name: str
    type: JobType
    submit_at: float
    count: int
    priority: int
    millicores: int
    memory_bytes: int
    duration_seconds: float
    failing_attempts: int
    is_retryable: bool
    execution_timeout_seconds: int
    queue_timeout_seconds: int
    total_timeout_seconds: int
    is_valid: bool
    repeats: bool
    stop_at: float | None
    input: InputPlan | None = None


class FaultKind(enum.StrEnum):
    """What goes wrong besides single messages."""

    ISOLATE = "isolate"
    MUTE = "mute"
    DEAFEN = "deafen"
    CRASH = "crash"
    CUT = "cut"
    FULL = "full disk"
    FAILING = "failing writes"
    UNSYNCED = "failing syncs"
    CLOCK = "clock"
    POWER = "power"
    RESTART = "restart"


_DISK_FAULTS = (FaultKind.FULL, FaultKind.FAILING, FaultKind.UNSYNCED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that goes wrong with one peer at a virtual second.

    ``seconds`` is how long it lasts; None means for ever. After a ``CRASH`` the tasks on the
    machine go on, after the loss of ``POWER`` they do not. A ``CUT`` is a crash at the
    ``write``-th write to the peer's disk from then on. A ``RESTART`` is one in good order. For
    illnesses of the disk see ``disk.Illness``. A ``CLOCK`` is put forward, or back when negative,
    and after its time set right again; one that is never set right is so for good.
    """

    kind: FaultKind
    peer: PeerID
    at: float
    seconds: float | None
    write: int = 0
    forward_seconds: float = 0.0

    def __str__(self) -> str:
        lasting = "" if self.seconds is None else f"+{self.seconds:.0f}s"
        write = f" at write {self.write}" if self.write else ""
        forward = f" by {self.forward_seconds:+.0f}s" if self.forward_seconds else ""
        return f"{self.kind} {self.peer}@{self.at:.0f}s{lasting}{write}{forward}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A cluster, its work, and what goes wrong until ``heal_at`` (virtual seconds)."""

    seed: int
    nodes: tuple[NodePlan, ...]
    jobs: tuple[JobPlan, ...]
    network: NetworkFaults
    disk: DiskSpeed
    faults: tuple[Fault, ...]
    heal_at: float

    def __str__(self) -> str:
        parts = [f"{len(self.nodes)} nodes", f"{len(self.jobs)} jobs"]
        if self.network != FAULTLESS:
            parts.append(
                f"loss {self.network.loss:.2f} doubling {self.network.doubling:.2f} "
                f"delay {self.network.delay_seconds:.2f}s straggling {self.network.straggling:.2f}"
            )
        parts.extend(str(fault) for fault in self.faults)
        return ", ".join(parts)


def draw_scenario(seed: int) -> Scenario:
    """Draw a scenario; the same seed gives the same one."""
    chance = random.Random(f"scenario {seed}")
    nodes = tuple(_draw_node(chance, number) for number in range(chance.randint(1, NODES_MAX)))
    span_seconds = chance.choice((20.0, 90.0, 240.0))
    jobs = tuple(
        _draw_job(chance, number, span_seconds) for number in range(chance.randint(1, JOBS_MAX))
    )
    nodes, jobs = _with_inputs(random.Random(f"inputs {seed}"), nodes, jobs)
    heal_at = span_seconds + chance.uniform(30.0, 120.0)
    peers = [ORCHESTRATOR, *(node.node_id for node in nodes)]
    count = chance.choice((0, 1, 2, 2, 3, FAULTS_MAX))
    faults = [fault for _ in range(count) for fault in _draw_faults(chance, peers, heal_at)]
    if chance.random() < 0.1:
        faults.append(_cut_at(chance, chance.choice(jobs).submit_at))
    return Scenario(
        seed=seed,
        nodes=nodes,
        jobs=jobs,
        network=_draw_network(chance),
        disk=_draw_disk(chance),
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
        heal_at=heal_at,
    )


def _draw_node(chance: random.Random, number: int) -> NodePlan:
    skew_ns = chance.choice((0, 0, 0, -5, 5, 90)) * 1_000_000_000
    return NodePlan(
        node_id=NodeID(f"n-{number}"),
        millicores=chance.choice((500, 1000, 2000, 4000)),
        memory_bytes=chance.choice((256, 1024, 8192)) * MEGABYTE,
        clock_offset_ns=skew_ns,
        start_seconds=chance.choice((0.0, 0.1, 2.0)),
        stop_seconds=chance.choice((0.0, 0.1, 5.0)),
    )


def _draw_job(chance: random.Random, number: int, span_seconds: float) -> JobPlan:
    submit_at = chance.uniform(0.0, span_seconds)
    kind = chance.choice((JobType.BATCH,) * 5 + (JobType.OPS, JobType.SERVICE, JobType.DAEMON))
    stops = kind.is_long_running or chance.random() < 0.2
    limited = chance.random() < 0.3
    duration = chance.choice((0.0, 0.5, 3.0, 20.0, 60.0)) * chance.uniform(0.5, 1.5)
    if (kind.is_long_running or limited) and chance.random() < 0.5:
        duration = ENDLESS_SECONDS  # so that a task nobody stops is noticed
    return JobPlan(
        name=f"job-{number}",
        type=kind,
        submit_at=submit_at,
        count=chance.choice((1, 1, 1, 2, 3)),
        priority=chance.choice((0, 0, 0, 5, 10)),
        millicores=chance.choice((100, 250, 500, 1000, 2000)),
        memory_bytes=chance.choice((10, 100, 1000)) * MEGABYTE,
        duration_seconds=duration,
        failing_attempts=chance.choice((0, 0, 0, 0, 1, 2, 100)),
        is_retryable=chance.random() < 0.7,
        execution_timeout_seconds=chance.choice((1, 10, 30)) if limited else 0,
        queue_timeout_seconds=chance.choice((0, 0, 30, 300)),
        total_timeout_seconds=chance.choice((0, 0, 0, 20, 120)) if limited else 0,
        is_valid=chance.random() > 0.05,
        repeats=duration == ENDLESS_SECONDS or kind.is_long_running or chance.random() < 0.5,
        stop_at=submit_at + chance.uniform(0.0, 60.0) if stops else None,
    )


def _with_inputs(
    chance: random.Random, nodes: tuple[NodePlan, ...], jobs: tuple[JobPlan, ...]
) -> tuple[tuple[NodePlan, ...], tuple[JobPlan, ...]]:
    """Let many jobs of some scenarios read one of a few inputs, and nodes keep some of them."""
    if chance.random() < 0.5:
        return nodes, jobs
    inputs = [
        InputPlan(f"data-{number}", chance.choice((10, 300, 2000)) * MEGABYTE)
        for number in range(chance.randint(1, 3))
    ]
    cache_bytes = chance.choice((500, 2500, 10_000)) * MEGABYTE
    return (
        tuple(replace(node, cache_bytes=cache_bytes) for node in nodes),
        tuple(
            replace(job, input=chance.choice(inputs)) if chance.random() < 0.7 else job
            for job in jobs
        ),
    )


def _draw_network(chance: random.Random) -> NetworkFaults:
    if chance.random() < 0.2:
        return FAULTLESS
    return NetworkFaults(
        loss=chance.choice((0.0, 0.01, 0.1, 0.3)),
        doubling=chance.choice((0.0, 0.05, 0.3)),
        delay_seconds=chance.choice((0.001, 0.05, 1.0)),
        straggling=chance.choice((0.0, 0.01, 0.1)),
        straggling_seconds=chance.choice((2.0, 20.0, 70.0)),
    )


def _draw_disk(chance: random.Random) -> DiskSpeed:
    slowness = chance.choice((1, 1, 1, 20, 200))
    return DiskSpeed(
        commit_seconds=0.002 * slowness,
        answer_seconds=0.001 * slowness,
        scan_seconds=0.001 * slowness,
    )


def _draw_faults(chance: random.Random, peers: list[PeerID], heal_at: float) -> list[Fault]:
    """Draw a fault; while a disk is ill, its machine often dies too."""
    kind = chance.choice(tuple(FaultKind))
    peer = peers[0] if chance.random() < 0.4 else chance.choice(peers)
    fault = _draw_fault(chance, kind, peer, chance.uniform(0.0, heal_at * 0.9))
    if kind not in _DISK_FAULTS or fault.seconds is None or chance.random() < 0.3:
        return [fault]
    dies_at = fault.at + chance.random() * fault.seconds
    return [fault, _draw_fault(chance, FaultKind.CRASH, peer, min(dies_at, heal_at * 0.9))]


def _cut_at(chance: random.Random, at: float) -> Fault:
    """Let the orchestrator die while it stores a job, so that its author gets no answer."""
    seconds = chance.uniform(1.0, 20.0)
    return Fault(kind=FaultKind.CUT, peer=ORCHESTRATOR, at=at, seconds=seconds, write=1)


def _draw_fault(chance: random.Random, kind: FaultKind, peer: PeerID, at: float) -> Fault:
    lasting = chance.choice((1.0, 10.0, 45.0, 80.0)) * chance.uniform(0.5, 1.5)
    may_stay = kind is FaultKind.CLOCK or (kind is FaultKind.POWER and peer != ORCHESTRATOR)
    for_good = may_stay and chance.random() < 0.5
    return Fault(
        kind=kind,
        peer=peer,
        at=at,
        seconds=None if for_good else lasting,
        write=chance.randint(1, 30) if kind is FaultKind.CUT else 0,
        forward_seconds=chance.choice(_CLOCK_STEPS) if kind is FaultKind.CLOCK else 0.0,
    )
