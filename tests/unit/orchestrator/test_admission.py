"""Which nodes take part is for the operator to say."""

from __future__ import annotations

import msgspec
import pytest

from bacalhau.errors import AmbiguousError, ConflictError, NotFoundError, UserError
from bacalhau.models import JobState, Membership, NodeID, NodeState, TimeoutConfig
from bacalhau.orchestrator.service import Orchestrator
from bacalhau.protocol.messages import AskForBid, Heartbeat, Rejoin
from tests.support.orchestrator_stage import Stage, finish, submit, take_and_run
from tests.support.records import make_task
from tests.support.scripted_node import OFFER, scripted_node


@pytest.fixture
def stage() -> Stage:
    return Stage()


def memberships(orchestrator: Orchestrator) -> dict[str, Membership]:
    return {node.info.node_id: node.membership for node in orchestrator.registry.states()}


async def test_new_nodes_are_approved_unless_the_operator_wants_to_be_asked(stage: Stage) -> None:
    for is_manual, expected in ((False, Membership.APPROVED), (True, Membership.PENDING)):
        async with stage.orchestrator(is_approval_manual=is_manual).run() as orchestrator:
            name = f"n-manual-{is_manual}"
            async with scripted_node(stage.transport, name) as node:
                await node.hello()
            assert memberships(orchestrator)[name] is expected


async def test_the_node_of_our_own_process_needs_no_approval(stage: Stage) -> None:
    async with stage.orchestrator(is_approval_manual=True).run() as orchestrator:
        async with scripted_node(stage.transport, "n-0") as node:
            await node.hello()
        assert memberships(orchestrator) == {"n-0": Membership.APPROVED}


async def test_approving_a_node_wakes_the_jobs_that_wait(stage: Stage) -> None:
    manual = stage.orchestrator(is_approval_manual=True)
    async with manual.run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        patient = make_task(timeouts=TimeoutConfig(queue_timeout=60))
        job_id = await submit(orchestrator, tasks=[patient])
        await stage.until_state(job_id, JobState.QUEUED)

        await orchestrator.admission.decide("n-1", "approve", "known")

        await finish(node, await take_and_run(node))
        await stage.until_state(job_id, JobState.COMPLETED)


async def test_a_rejected_node_finishes_what_it_has_and_gets_no_more(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        running = await submit(orchestrator)
        execution = await take_and_run(node)

        await orchestrator.admission.decide("n-1", "reject", "too old")

        refused = await submit(orchestrator)
        await stage.until_state(refused, JobState.FAILED)
        await finish(node, execution)
        await stage.until_state(running, JobState.COMPLETED)
    assert stage.executions(refused) == ()


async def test_a_deleted_node_that_lives_joins_as_a_new_one(stage: Stage) -> None:
    manual = stage.orchestrator(is_approval_manual=True)
    async with manual.run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        await orchestrator.admission.decide("n-1", "approve", "")
        await submit(orchestrator)
        await take_and_run(node)

        await orchestrator.admission.decide("n-1", "delete", "moved")

        assert memberships(orchestrator) == {}
        assert await stage.store.nodes() == []
        await node.say(Heartbeat(load=OFFER))
        await node.hear(Rejoin)
        await node.hello()
        assert memberships(orchestrator) == {"n-1": Membership.PENDING}


async def test_what_ran_on_a_deleted_node_is_placed_elsewhere(stage: Stage) -> None:
    async with (
        stage.orchestrator().run() as orchestrator,
        scripted_node(stage.transport, "n-1", "s-1") as node,
    ):
        await node.hello()
        job_id = await submit(orchestrator)
        await take_and_run(node)
        async with scripted_node(stage.transport, "n-2", "s-2") as other:
            await other.hello()
            await orchestrator.admission.decide("n-1", "delete", "")
            offer = await other.hear(AskForBid)
    assert offer.execution.job_id == job_id


async def test_decisions_outlive_the_process(stage: Stage) -> None:
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        await orchestrator.admission.decide("n-1", "reject", "")
    async with stage.orchestrator().run() as orchestrator, scripted_node(stage.transport) as node:
        assert memberships(orchestrator) == {"n-1": Membership.REJECTED}
        await node.hello()
        assert memberships(orchestrator) == {"n-1": Membership.REJECTED}


@pytest.mark.parametrize(
    ("reference", "action", "kind", "message"),
    [
        ("n-2", "approve", NotFoundError, "node not found: n-2"),
        ("n-1", "approve", AmbiguousError, "multiple nodes found for id n-1"),
        ("n-11", "approve", ConflictError, "node already approved"),
        ("11", "approve", ConflictError, "node already approved"),
        ("n-11", "promote", UserError, "unsupported action"),
        ("n-11", "", UserError, "unsupported action"),
    ],
)
async def test_what_cannot_be_done_is_told(
    stage: Stage, reference: str, action: str, kind: type[UserError], message: str
) -> None:
    async with stage.orchestrator().run() as orchestrator:
        for name in ("n-11", "n-12"):
            async with scripted_node(stage.transport, name, f"s-{name}") as node:
                await node.hello()
        with pytest.raises(kind) as caught:
            await orchestrator.admission.decide(reference, action, "")
    assert caught.value.message == message


async def test_what_a_node_tells_while_it_is_approved_is_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual = stage.orchestrator(is_approval_manual=True)
    async with manual.run() as orchestrator, scripted_node(stage.transport) as node:
        await node.hello()
        busy = msgspec.structs.replace(OFFER, running_executions=3)
        kept = stage.store.put_node

        async def put_node(node: NodeState) -> None:
            orchestrator.registry.heard(NodeID("n-1"), Heartbeat(load=busy))
            await kept(node)

        monkeypatch.setattr(stage.store, "put_node", put_node)
        await orchestrator.admission.decide("n-1", "approve", "")
        (shown,) = orchestrator.registry.states()
    assert shown.info.compute_node_info == busy
    assert shown.membership is Membership.APPROVED
