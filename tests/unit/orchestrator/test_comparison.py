"""What a node reports beside what it should run: only what was lost is offered again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.models import ComputeState
from bacalhau.protocol.messages import AskForBid, CancelExecution
from tests.support.orchestrator_stage import Stage, WatchedStore, finish, submit, take_and_run
from tests.support.scripted_node import scripted_node

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bacalhau.models import Execution, ExecutionID, NodeID
    from bacalhau.protocol.messages import StoredMessage
    from tests.support.scripted_node import ScriptedNode


class RacingStore(WatchedStore):
    """Lets something happen after the first of two reads.

    Attributes:
        between: What is to happen, once.
    """

    between: Callable[[], Awaitable[None]] | None = None

    async def live_executions(self, node_id: NodeID | None = None) -> Sequence[Execution]:
        found = await super().live_executions(node_id)
        if node_id is not None:
            await self._race()
        return found

    async def outbox(self, node_id: NodeID, *, after: int, limit: int) -> Sequence[StoredMessage]:
        found = await super().outbox(node_id, after=after, limit=limit)
        if not limit:
            await self._race()
        return found

    async def _race(self) -> None:
        if self.between is not None:
            act, self.between = self.between, None
            await act()


@pytest.fixture
def store() -> RacingStore:
    return RacingStore()


@pytest.fixture
def stage(store: RacingStore) -> Stage:
    stage = Stage()
    stage.store = store
    return stage


def offers(stage: Stage) -> list[str]:
    """Return the executions that were offered, in order."""
    messages = [message for changes in stage.store.applied for _, message in changes.messages]
    return [message.execution.id for message in messages if isinstance(message, AskForBid)]


async def report_and_wait(node: ScriptedNode, *untold: ExecutionID) -> None:
    """Report, and wait until that was compared: what should not live is cancelled last."""
    await node.report(*untold, **{"e-stray": ComputeState.RUNNING})
    await node.hear(CancelExecution)


async def test_what_is_created_while_a_report_is_compared_is_offered_once(
    stage: Stage, store: RacingStore
) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()

        async def create() -> None:
            job_id = await submit(orchestrator)
            await stage.until(job_id, lambda _: bool(stage.executions(job_id)))

        store.between = create
        await report_and_wait(node)

    assert len(offers(stage)) == 1


async def test_an_end_that_is_on_its_way_is_waited_for(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        await submit(orchestrator)
        execution = await take_and_run(node)

        await report_and_wait(node, execution.id)
        await finish(node, execution)
        await node.all_acknowledged()

    assert offers(stage) == [execution.id]
