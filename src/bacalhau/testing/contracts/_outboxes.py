"""What the outboxes of both stores must do: growing numbers, never used twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pytest

from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import Event, ExecutionID, JobID, RunOutput, SpecConfig
from bacalhau.ports.store import LocalChanges
from bacalhau.protocol.messages import (
    AskForBid,
    BidResult,
    CancelExecution,
    ComputeError,
    InputsRead,
    RunResult,
)
from bacalhau.testing.contracts._store_records import (
    NODE,
    make_execution,
    make_input,
    make_job,
    make_outputs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.models import NodeID
    from bacalhau.ports.store import ExecutionStore, JobStore
    from bacalhau.protocol.messages import FromNode, StoredMessage, ToNode

EXECUTION = ExecutionID("e-1")
EVENT = Event(message="why", topic="Execution", timestamp="2023-11-14T22:13:20Z")
TO_NODE: tuple[ToNode, ...] = (
    AskForBid(execution=make_execution(job=make_job())),
    CancelExecution(execution_id=EXECUTION),
    CancelExecution(execution_id=EXECUTION, reason="stopped"),
)
FROM_NODE: tuple[FromNode, ...] = (
    BidResult(execution_id=EXECUTION, accepted=True, events=(EVENT,)),
    RunResult(
        execution_id=EXECUTION,
        run_output=RunOutput(stdout="out", exit_code=1),
        published_result=SpecConfig(type="s3", params={"Key": "k"}),
        outputs=make_outputs(),
    ),
    InputsRead(execution_id=EXECUTION, inputs=(make_input(),)),
    ComputeError(execution_id=EXECUTION, events=(EVENT,), retryable=False),
)


class Outbox(Protocol):
    """One receiver's outbox, whichever store it is of.

    ``samples`` has a message of every kind that it may hold.
    """

    samples: ClassVar[tuple[Any, ...]]

    async def send(self, *messages: Any) -> None:
        """Store messages in one transaction."""
        ...

    async def waiting(self, *, after: int = 0, limit: int = 0) -> Sequence[StoredMessage]:
        """Read the messages."""
        ...

    async def delivered(self, up_to: int) -> None:
        """Forget messages."""
        ...

    def floor(self) -> int:
        """Read the floor."""
        ...


class NodeOutbox:
    """The orchestrator's outbox for a node; the store must have the job ``j-1``."""

    samples: ClassVar[tuple[Any, ...]] = TO_NODE

    def __init__(self, store: JobStore, node_id: NodeID = NODE) -> None:
        self._store = store
        self._node_id = node_id

    async def send(self, *messages: Any) -> None:
        """Store messages in one transaction."""
        addressed = tuple((self._node_id, message) for message in messages)
        await self._store.apply(JobChanges(job_id=JobID("j-1"), messages=addressed))

    async def waiting(self, *, after: int = 0, limit: int = 0) -> Sequence[StoredMessage]:
        """Read the messages."""
        return await self._store.outbox(self._node_id, after=after, limit=limit)

    async def delivered(self, up_to: int) -> None:
        """Forget messages."""
        await self._store.outbox_delivered(self._node_id, up_to=up_to)

    def floor(self) -> int:
        """Read the floor."""
        return self._store.outbox_floor(self._node_id)


class OrchestratorOutbox:
    """A compute node's outbox."""

    samples: ClassVar[tuple[Any, ...]] = FROM_NODE

    def __init__(self, store: ExecutionStore) -> None:
        self._store = store

    async def send(self, *messages: Any) -> None:
        """Store messages in one transaction."""
        await self._store.apply(LocalChanges(messages=messages))

    async def waiting(self, *, after: int = 0, limit: int = 0) -> Sequence[StoredMessage]:
        """Read the messages."""
        return await self._store.outbox(after=after, limit=limit)

    async def delivered(self, up_to: int) -> None:
        """Forget messages."""
        await self._store.outbox_delivered(up_to=up_to)

    def floor(self) -> int:
        """Read the floor."""
        return self._store.outbox_floor()


async def numbers(outbox: Outbox) -> list[int]:
    """Return the numbers of what waits."""
    return [stored.seq for stored in await outbox.waiting()]


class OutboxContract:
    """Part of both stores' suites, which give it a fixture ``outbox`` that is empty."""

    async def test_messages_of_every_kind_wait_in_order(self, outbox: Outbox) -> None:
        first, *others = outbox.samples
        await outbox.send(first)
        await outbox.send(*others)
        waiting = await outbox.waiting()
        assert tuple(stored.message for stored in waiting) == outbox.samples
        given = [stored.seq for stored in waiting]
        assert given == sorted(set(given))
        assert given[0] > outbox.floor() == 0

    async def test_messages_are_read_from_any_number(self, outbox: Outbox) -> None:
        await outbox.send(*outbox.samples, *outbox.samples)
        waiting = list(await outbox.waiting())
        second = waiting[1].seq
        assert list(await outbox.waiting(after=second)) == waiting[2:]
        assert list(await outbox.waiting(after=second, limit=2)) == waiting[2:4]
        assert list(await outbox.waiting(after=waiting[-1].seq)) == []

    async def test_what_is_delivered_is_gone(self, outbox: Outbox) -> None:
        await outbox.send(*outbox.samples)
        first, second, *others = await numbers(outbox)
        await outbox.delivered(second)
        assert await numbers(outbox) == others
        assert outbox.floor() == second
        await outbox.delivered(first)
        assert await numbers(outbox) == others
        assert outbox.floor() == second

    async def test_the_floor_never_falls_when_deliveries_cross(self, outbox: Outbox) -> None:
        await outbox.send(*outbox.samples)
        first, second, *others = await numbers(outbox)
        await asyncio.gather(outbox.delivered(second), outbox.delivered(first))
        assert await numbers(outbox) == others
        assert outbox.floor() == second

    async def test_numbers_are_not_used_again(self, outbox: Outbox) -> None:
        for _ in range(3):
            await outbox.send(*outbox.samples)
            given = await numbers(outbox)
            assert given[0] > outbox.floor()
            await outbox.delivered(given[-1])
            assert await numbers(outbox) == []
            assert outbox.floor() == given[-1]

    @pytest.mark.parametrize("claimed", [-1, 0, 10**6, 2**70])
    async def test_a_receiver_cannot_claim_what_was_not_sent(
        self, outbox: Outbox, claimed: int
    ) -> None:
        await outbox.delivered(claimed)
        assert outbox.floor() == 0
        await outbox.send(outbox.samples[0])
        (given,) = await numbers(outbox)
        await outbox.delivered(claimed)
        assert outbox.floor() == (given if claimed > given else 0)
        await outbox.send(outbox.samples[1])
        assert (await outbox.waiting())[-1].message == outbox.samples[1]
        assert (await numbers(outbox))[-1] > outbox.floor()

    async def test_transactions_of_many_writers_stay_together(self, outbox: Outbox) -> None:
        one, two = outbox.samples[:2]
        await asyncio.gather(*(outbox.send(one, two) for _ in range(50)))
        sent = [stored.message for stored in await outbox.waiting()]
        assert sent == [one, two] * 50
