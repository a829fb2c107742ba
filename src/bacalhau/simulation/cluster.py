"""A whole cluster in one scenario: machines, network, clients and faults in virtual time."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Protocol

from bacalhau.lib.ids import SeededIds
from bacalhau.models import NodeID
from bacalhau.protocol.messages import ORCHESTRATOR
from bacalhau.simulation.clock import MachineClock
from bacalhau.simulation.disk import CrashableExecutionStore, CrashableJobStore, Illness
from bacalhau.simulation.engine import AttemptCounter, SimulatedEngine, TaskHost
from bacalhau.simulation.machine import Machine, Process
from bacalhau.simulation.oracle import Invariant, Oracle
from bacalhau.simulation.scenario import Fault, FaultKind
from bacalhau.simulation.workload import Author
from bacalhau.testing.network import SimulatedTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.ports import (
        Clock,
        ExecutionStore,
        Ids,
        JobChanges,
        JobStore,
        LocalChanges,
        Transport,
    )
    from bacalhau.protocol.messages import PeerID
    from bacalhau.simulation.scenario import NodePlan, Scenario
    from bacalhau.simulation.trace import Trace

TICK_SECONDS = 5.0
RECONCILE_SECONDS = 60.0
AGREEMENT_GRACE_SECONDS = 15.0
END_SECONDS = 3600.0

_ILLNESSES = {
    FaultKind.FULL: Illness.FULL,
    FaultKind.FAILING: Illness.FAILING,
    FaultKind.UNSYNCED: Illness.UNSYNCED,
}


class Composition(Protocol):
    """Makes the code under test."""

    def job_disk(self) -> JobStore:
        """Make an empty store for an orchestrator."""
        ...

    def execution_disk(self) -> ExecutionStore:
        """Make an empty store for a compute node."""
        ...

    def orchestrator(
        self,
        *,
        store: JobStore,
        transport: Transport,
        clock: Clock,
        chance: random.Random,
        ids: Ids,
    ) -> Any:
        """Make an orchestrator."""
        ...

    def compute_node(
        self,
        plan: NodePlan,
        *,
        store: ExecutionStore,
        transport: Transport,
        engine: SimulatedEngine,
        clock: Clock,
        chance: random.Random,
        ids: Ids,
    ) -> Any:
        """Make a compute node."""
        ...


class Cluster:
    """One scenario being played.

    Args:
        scenario: What happens.
        composition: Makes the services.
        trace: Takes a line for everything that happens.
        accuse: Called for each broken promise.
    """

    def __init__(
        self,
        scenario: Scenario,
        composition: Composition,
        trace: Trace,
        accuse: Callable[[Invariant, str], None],
    ) -> None:
        self._scenario = scenario
        self._composition = composition
        self._note = trace.note
        self._accuse = accuse
        capacity = {plan.node_id: plan.capacity for plan in scenario.nodes}
        self.oracle = Oracle(capacity, accuse)
        self._network = SimulatedTransport(
            random.Random(f"network {scenario.seed}"), faults=scenario.network, observe=self._note
        )
        self._attempts = AttemptCounter()
        self._hosts: dict[PeerID, TaskHost] = {}
        self._disputed: dict[str, float] = {}

    async def run(self) -> None:
        """Play the scenario to its end."""
        async with asyncio.TaskGroup() as tasks:
            orchestrator = self._orchestrator(tasks)
            nodes = [self._node(plan, tasks) for plan in self._scenario.nodes]
            machines: dict[PeerID, Machine[Any]] = {
                machine.peer: machine for machine in (orchestrator, *nodes)
            }
            for machine in machines.values():
                tasks.create_task(machine.live())
            faults = [
                tasks.create_task(self._inject(fault, machines[fault.peer]))
                for fault in self._scenario.faults
            ]
            authors = [
                tasks.create_task(Author(plan, orchestrator, self.oracle, self._note).work())
                for plan in self._scenario.jobs
            ]
            await asyncio.sleep(self._scenario.heal_at)
            await self._heal(list(machines.values()), faults)
            await self._settle(nodes, authors)
            for machine in machines.values():
                machine.shut_down()

    # -- machines ----------------------------------------------------------------------

    def _orchestrator(self, tasks: asyncio.TaskGroup) -> Machine[Any]:
        disk = self._composition.job_disk()

        def committed(changes: JobChanges) -> None:
            self._note(f"orchestrator stores {_told(changes)}")
            self.oracle.job_committed(changes)

        def boot(number: int) -> Process[Any]:
            self.oracle.orchestrator_started(disk.job)
            chance = self._chance(ORCHESTRATOR, number)
            store = CrashableJobStore(
                disk,
                on_commit=committed,
                on_drop=self.oracle.evaluation_dropped,
                speed=self._scenario.disk,
                random=chance,
                on_cut=lambda: machine.crash(self._cut_seconds(ORCHESTRATOR)),
                health=machine.disk,
                note=lambda what: self._note(f"orchestrator: {what}"),
            )
            service = self._composition.orchestrator(
                store=store,
                transport=self._network,
                clock=machine.clock,
                chance=chance,
                ids=SeededIds(chance),
            )
            return Process(service, store)

        machine = self._machine(ORCHESTRATOR, boot, tasks, MachineClock())
        return machine

    def _node(self, plan: NodePlan, tasks: asyncio.TaskGroup) -> Machine[Any]:
        node_id = plan.node_id
        disk = self._composition.execution_disk()
        host = TaskHost(
            node_id,
            self.oracle,
            self._attempts,
            self._note,
            start_seconds=plan.start_seconds,
            stop_seconds=plan.stop_seconds,
        )
        self._hosts[node_id] = host

        def committed(changes: LocalChanges) -> None:
            self._note(f"{node_id} stores {_told_local(changes)}")
            self.oracle.local_committed(node_id, changes)

        def boot(number: int) -> Process[Any]:
            chance = self._chance(node_id, number)
            store = CrashableExecutionStore(
                disk,
                on_commit=committed,
                speed=self._scenario.disk,
                random=chance,
                on_cut=lambda: machine.crash(self._cut_seconds(node_id)),
                health=machine.disk,
                note=lambda what: self._note(f"{node_id}: {what}"),
            )
            engine = SimulatedEngine(host)
            service = self._composition.compute_node(
                plan,
                store=store,
                transport=self._network,
                engine=engine,
                clock=machine.clock,
                chance=chance,
                ids=SeededIds(chance),
            )
            return Process(service, store, engine.kill)

        clock = MachineClock(offset_ns=plan.clock_offset_ns)
        machine = self._machine(node_id, boot, tasks, clock)
        return machine

    def _machine(
        self,
        peer: PeerID,
        boot: Callable[[int], Process[Any]],
        tasks: asyncio.TaskGroup,
        clock: MachineClock,
    ) -> Machine[Any]:
        return Machine(
            peer,
            boot,
            clock=clock,
            network=self._network,
            tasks=tasks,
            note=self._note,
            fail=lambda why: self._accuse(Invariant.ALIVE, why),
        )

    def _chance(self, peer: PeerID, number: int) -> random.Random:
        return random.Random(f"{peer} {number} {self._scenario.seed}")

    # -- faults ------------------------------------------------------------------------

    async def _inject(self, fault: Fault, machine: Machine[Any]) -> None:
        await asyncio.sleep(fault.at)
        self._note(f"fault: {fault}")
        match fault.kind:
            case FaultKind.CRASH:
                machine.crash(self._until_heal(fault.seconds))
            case FaultKind.POWER:
                machine.crash(self._until_heal(fault.seconds))
                if machine.peer in self._hosts:
                    self._hosts[machine.peer].shut_down()
            case FaultKind.FULL | FaultKind.FAILING | FaultKind.UNSYNCED:
                machine.disk.illness = _ILLNESSES[fault.kind]
                await asyncio.sleep(self._until_heal(fault.seconds) or 0.0)
                machine.disk.illness = None
            case FaultKind.CLOCK:
                self._set_clock(machine, fault.forward_seconds)
                if fault.seconds is not None:
                    await asyncio.sleep(fault.seconds)
                    self._set_clock(machine, -fault.forward_seconds)
            case FaultKind.RESTART:
                machine.restart(self._until_heal(fault.seconds) or 0.0)
            case FaultKind.CUT:
                machine.cut_after(fault.write)
            case FaultKind.ISOLATE | FaultKind.MUTE | FaultKind.DEAFEN:
                self._network.isolate(
                    fault.peer,
                    sends=fault.kind is FaultKind.DEAFEN,
                    receives=fault.kind is FaultKind.MUTE,
                )
                await asyncio.sleep(self._until_heal(fault.seconds) or 0.0)
                self._network.rejoin(fault.peer)

    def _set_clock(self, machine: Machine[Any], seconds: float) -> None:
        self._note(f"{machine.peer} puts its clock {'on' if seconds > 0 else 'back'}")
        machine.clock.put_forward(seconds)

    def _until_heal(self, seconds: float | None) -> float | None:
        left = max(0.0, self._scenario.heal_at - asyncio.get_running_loop().time())
        return None if seconds is None else min(seconds, left)

    def _cut_seconds(self, peer: PeerID) -> float:
        lasting = (
            fault.seconds
            for fault in self._scenario.faults
            if fault.peer == peer and fault.kind is FaultKind.CUT
        )
        return self._until_heal(next(lasting, None)) or 0.0

    async def _heal(self, machines: list[Machine[Any]], faults: list[asyncio.Task[None]]) -> None:
        """End all faults, and wait until every machine that is not dead for good is up."""
        for fault in faults:
            fault.cancel()
        for machine in machines:
            machine.cut_after(0)
            machine.disk.illness = None
        self._network.heal()
        for machine in machines:
            await machine.wait_ready()

    # -- the end -----------------------------------------------------------------------

    async def _settle(self, nodes: list[Machine[Any]], authors: list[asyncio.Task[None]]) -> None:
        """Wait until all jobs have ended and nothing is left to do, and check agreement."""
        loop = asyncio.get_running_loop()
        healed_at = loop.time()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            passed = loop.time() - healed_at
            disputes = self._disputes(nodes)
            self._disputed = {dispute: self._disputed.get(dispute, passed) for dispute in disputes}
            if passed > 2 * RECONCILE_SECONDS:
                self._check_agreement(passed)
            unfinished = self.oracle.unfinished()
            is_quiet = not disputes and all(author.done() for author in authors)
            if is_quiet and not unfinished:
                return
            if passed > END_SECONDS:
                names = ", ".join(
                    f"{job.name} is {job.state.state_type.value}" for job in unfinished
                )
                self._accuse(Invariant.COMPLETION, names or "authors still wait")
                return

    def _disputes(self, nodes: list[Machine[Any]]) -> list[str]:
        """Say in which executions orchestrator, node and engine differ."""
        found = []
        for machine in nodes:
            node_id = NodeID(machine.peer)
            wanted = self.oracle.live_at_orchestrator(node_id)
            if machine.is_dead_for_good:
                found += [f"{key} is live on the dead {node_id}" for key in wanted]
                continue
            known = self.oracle.live_at_node(node_id)
            running = self.oracle.running_at_node(node_id)
            found += [f"{key} is not live on {node_id}" for key in wanted - known]
            found += [f"{key} is live on {node_id} only" for key in known - wanted]
            found += [f"{key} runs on {node_id} without a record" for key in running - known]
        return sorted(found)

    def _check_agreement(self, passed: float) -> None:
        for dispute, since in self._disputed.items():
            if passed - since >= AGREEMENT_GRACE_SECONDS:
                self._accuse(Invariant.AGREEMENT, f"{dispute} for {passed - since:.0f}s")


def _told(changes: JobChanges) -> str:
    parts: list[str] = [changes.job_id]
    if changes.job is not None:
        job = changes.job
        parts.append(f"{job.name} {job.type} {job.state.state_type.value} p{job.priority}")
    parts += [
        f"{run.id}={run.compute_state.state_type.title}/{run.desired_state.state_type.title}"
        for run in changes.executions
    ]
    parts += [f"eval {item.triggered_by} {item.status}" for item in changes.evaluations]
    parts += [f"to {node_id} {type(message).__name__}" for node_id, message in changes.messages]
    parts += [repr(draft.event.message.partition("\n")[0]) for draft in changes.history]
    return " ".join(parts)


def _told_local(changes: LocalChanges) -> str:
    parts = [f"{record.id}={record.state.title}" for record in changes.executions]
    parts += [f"tells {type(message).__name__}" for message in changes.messages]
    return " ".join(parts)
