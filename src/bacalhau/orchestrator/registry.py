"""What the orchestrator knows of its nodes, and what it has booked on them.

The one view that is kept in memory. It is derived: records of nodes and live executions come from
the store at start, the rest from the nodes themselves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from bacalhau.lifecycle import connection
from bacalhau.lifecycle.connection import Contact, Presence
from bacalhau.models import (
    Connection,
    Execution,
    ExecutionID,
    JobID,
    Membership,
    NodeID,
    NodeInfo,
    NodeState,
    Resources,
)
from bacalhau.models.capacity import task_resources
from bacalhau.scheduling.cluster import Cluster, NodeView
from bacalhau.scheduling.plan import Booking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bacalhau.ports import Clock, JobStore
    from bacalhau.protocol.messages import Heartbeat, HeldInput

CHECKS_PER_TIMEOUT = 3


class NodeRegistry:
    """All nodes, and the capacity that live executions take on them.

    Args:
        store: Keeps the records of nodes.
        clock: Tells how long a node has been silent.
        disconnect_timeout_seconds: After how long a silence a node is lost.
        own_id: The node that shares our process; it needs nobody's approval.
        is_approval_manual: Whether other new nodes wait for the operator's approval.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        clock: Clock,
        disconnect_timeout_seconds: float,
        own_id: NodeID,
        is_approval_manual: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._timeout = disconnect_timeout_seconds
        self._own_id = own_id
        self._is_approval_manual = is_approval_manual
        self._states: dict[NodeID, NodeState] = {}
        self._contacts: dict[NodeID, Contact] = {}
        self._views: dict[NodeID, NodeView] = {}
        self._bookings: dict[ExecutionID, Booking] = {}
        self._held: dict[NodeID, Mapping[str, HeldInput]] = {}
        self._joined = asyncio.Condition()
        # Records of nodes are read, changed and written by one task at a time.
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read nodes and live executions from the store."""
        now = self._clock.monotonic()
        for state in await self._store.nodes():
            self._states[state.info.node_id] = state
            self._contacts[state.info.node_id] = connection.awaited(now)
        for execution in await self._store.live_executions():
            self.book([self._booking(execution)])
        for node_id in self._states:
            self._refresh(node_id)

    async def join(self, info: NodeInfo) -> None:
        """Take a node in, or note what a known one says of itself now."""
        async with self._writing:
            known = self._states.get(info.node_id)
            membership = known.membership if known else self._first_membership(info.node_id)
            state = NodeState(info=info, membership=membership, connection=Connection.CONNECTED)
            await self._store.put_node(state)
            self._states[info.node_id] = state
        self.heard(info.node_id)
        self._refresh(info.node_id)
        async with self._joined:
            self._joined.notify_all()

    def _first_membership(self, node_id: NodeID) -> Membership:
        is_trusted = node_id == self._own_id or not self._is_approval_manual
        return Membership.APPROVED if is_trusted else Membership.PENDING

    async def admit(self, node_id: NodeID, membership: Membership) -> bool:
        """Give a node another membership; durable when this returns.

        Returns False when it has that membership already, or is not known any more.
        """
        async with self._writing:
            state = self._states.get(node_id)
            if state is None or state.membership is membership:
                return False
            await self._store.put_node(msgspec.structs.replace(state, membership=membership))
            # What the node told of itself meanwhile is newer than what was stored.
            state = self._states[node_id]
            self._states[node_id] = msgspec.structs.replace(state, membership=membership)
            self._refresh(node_id)
            return True

    async def forget(self, node_id: NodeID) -> None:
        """Know a node no more; what is booked on it stays booked until its executions end."""
        async with self._writing:
            await self._store.drop_node(node_id)
            for known in (self._states, self._contacts, self._views, self._held):
                known.pop(node_id, None)

    def held_bytes(self) -> dict[NodeID, int]:
        """Return how much nodes have of inputs, those that have any."""
        sums = {
            node_id: sum(each.held_bytes for each in held.values())
            for node_id, held in self._held.items()
        }
        return {node_id: size_bytes for node_id, size_bytes in sums.items() if size_bytes}

    async def wait_joined(self, node_id: NodeID) -> None:
        """Wait until a node is connected."""
        async with self._joined:
            await self._joined.wait_for(lambda: self._is_connected(node_id))

    def heard(self, node_id: NodeID, beat: Heartbeat | None = None) -> bool:
        """Note a sign of life, and what it tells; return True when the node is back by it."""
        state = self._states[node_id]
        if beat is not None:
            self._held[node_id] = {each.fingerprint: each for each in beat.held}
            info = msgspec.structs.replace(state.info, compute_node_info=beat.load)
            self._states[node_id] = msgspec.structs.replace(state, info=info)
        was = self._contacts.get(node_id)
        self._contacts[node_id] = connection.heard(self._clock.monotonic())
        is_back = was is None or was.presence is not Presence.CONNECTED
        if beat is not None or is_back:
            self._refresh(node_id)
        return is_back

    def knows(self, node_id: NodeID) -> bool:
        """True for nodes that have joined, now or earlier."""
        return node_id in self._states

    def book(self, bookings: Iterable[Booking]) -> None:
        """Take capacity for executions."""
        for booking in bookings:
            self._bookings[booking.execution_id] = booking
            self._rebook(booking.node_id, booking.resources, Resources())

    def release(self, execution_ids: Iterable[ExecutionID]) -> bool:
        """Give capacity back; return True when there was any to give."""
        released = [self._bookings.pop(key) for key in execution_ids if key in self._bookings]
        for booking in released:
            self._rebook(booking.node_id, Resources(), booking.resources)
        return bool(released)

    def jobs_on(self, node_id: NodeID) -> Sequence[JobID]:
        """Return the jobs that have live executions on a node."""
        found = (item.job_id for item in self._bookings.values() if item.node_id == node_id)
        return list(dict.fromkeys(found))

    def cluster(self) -> Cluster:
        """Return all compute nodes as they stand, with what is booked on them."""
        return Cluster(nodes=tuple(self._views.values()))

    def states(self) -> Sequence[NodeState]:
        """Return all nodes as the API shows them, sorted by id."""
        return [self._shown(self._states[node_id]) for node_id in sorted(self._states)]

    async def watch(self, on_lost: Callable[[NodeID], None]) -> None:
        """Let time pass for every node, for ever; call ``on_lost`` once for each that goes."""
        while True:
            due = self._clock.monotonic() + self._timeout / CHECKS_PER_TIMEOUT
            await asyncio.sleep(self._timeout / CHECKS_PER_TIMEOUT)
            now = self._clock.monotonic()
            self._pardon(now, now - due)
            for node_id, before in tuple(self._contacts.items()):
                contact = connection.silent_until(before, now, self._timeout)
                if contact is not before:
                    self._contacts[node_id] = contact
                    self._refresh(node_id)
                    on_lost(node_id)

    def _pardon(self, now: float, late_seconds: float) -> None:
        """Count no silence while this process stood still: stopped by a signal, or a debugger."""
        if late_seconds > 0:
            for node_id, contact in self._contacts.items():
                self._contacts[node_id] = connection.unheard(contact, now, late_seconds)

    def _shown(self, state: NodeState) -> NodeState:
        connected = self._is_connected(state.info.node_id)
        shown = Connection.CONNECTED if connected else Connection.DISCONNECTED
        return msgspec.structs.replace(state, connection=shown)

    def _is_connected(self, node_id: NodeID) -> bool:
        contact = self._contacts.get(node_id)
        return contact is not None and contact.presence is Presence.CONNECTED

    def _booking(self, execution: Execution) -> Booking:
        job = self._store.job(execution.job_id)
        assert job is not None, f"{execution.id} has no job"
        return Booking(execution.id, job.id, execution.node_id, task_resources(job.task))

    def _rebook(self, node_id: NodeID, more: Resources, less: Resources) -> None:
        view = self._views.get(node_id)
        if view is not None:
            booked = view.booked + more - less
            self._views[node_id] = msgspec.structs.replace(view, booked=booked)

    def _refresh(self, node_id: NodeID) -> None:
        state = self._states[node_id]
        offer = state.info.compute_node_info
        if offer is None:
            return
        self._views[node_id] = NodeView(
            node_id=node_id,
            presence=self._contacts[node_id].presence,
            membership=state.membership,
            labels=state.info.labels,
            engines=frozenset(offer.execution_engines),
            sources=frozenset(offer.storage_sources),
            publishers=frozenset(offer.publishers),
            capacity=offer.max_capacity,
            booked=self._booked(node_id),
            held=self._held.get(node_id, {}),
        )

    def _booked(self, node_id: NodeID) -> Resources:
        booked = (item.resources for item in self._bookings.values() if item.node_id == node_id)
        return sum(booked, Resources())
