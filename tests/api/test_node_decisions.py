"""Approving, rejecting and deleting nodes over HTTP."""

from __future__ import annotations

import pytest

from bacalhau.models import Membership
from tests.support.api_server import Api, Stage, call, make_api, make_node_state

pytestmark = pytest.mark.asyncio(loop_scope="module")

_NODES = "/api/v1/orchestrator/nodes"
_NEW = {"X-Bacalhau-Git-Version": "v1.6.0"}
_OLD = {"X-Bacalhau-Git-Version": "v1.5.2"}


@pytest.fixture
async def api(stage: Stage) -> Api:
    api = stage.put_on(make_api())
    for name in ("n-one", "n-only"):
        await api.store.put_node(make_node_state(name, membership=Membership.PENDING))
    await api.registry.load()
    return api


def memberships(api: Api) -> dict[str, str]:
    return {state.info.node_id: str(state.membership) for state in api.registry.states()}


async def test_the_id_in_the_path_wins(api: Api) -> None:
    body = {"Action": "approve", "NodeID": "n-only"}
    assert (await call(api, "PUT", f"{_NODES}/n-one", json=body)).body == {"Success": True}
    assert memberships(api) == {"n-one": "APPROVED", "n-only": "PENDING"}


async def test_the_node_may_be_named_in_the_body(api: Api) -> None:
    body = {"action": "reject", "nodeID": "n-on"}
    reply = await call(api, "POST", _NODES, json=body)
    assert reply.body == {"Success": False, "Error": "multiple nodes found for id n-on"}
    reply = await call(api, "POST", _NODES, json={"action": "reject", "nodeID": "n-onl"})
    assert reply.body == {"Success": True}
    assert memberships(api) == {"n-one": "PENDING", "n-only": "REJECTED"}


async def test_a_body_that_names_no_node_is_refused(api: Api) -> None:
    reply = await call(api, "POST", _NODES, json={"Action": "delete"})
    assert (reply.status, reply.body["Message"]) == (400, "NodeID is missing")
    assert len(memberships(api)) == 2


@pytest.mark.parametrize(
    ("node", "action", "status", "code"),
    [
        ("n-nobody", "approve", 404, "NotFound"),
        ("n-on", "approve", 409, "MultipleNodesFound"),
        ("n-one", "promote", 400, "BadRequest"),
    ],
)
async def test_newer_clients_are_told_by_an_error(
    api: Api, node: str, action: str, status: int, code: str
) -> None:
    reply = await call(api, "PUT", f"{_NODES}/{node}", json={"Action": action}, headers=_NEW)
    assert (reply.status, reply.body["Code"]) == (status, code)
    reply = await call(api, "PUT", f"{_NODES}/{node}", json={"Action": action}, headers=_OLD)
    assert (reply.status, reply.body["Success"]) == (200, False)


async def test_a_second_approval_is_a_conflict_for_newer_clients(api: Api) -> None:
    for expected in (200, 409):
        reply = await call(api, "PUT", f"{_NODES}/n-one", json={"Action": "approve"}, headers=_NEW)
        assert reply.status == expected
    assert reply.body["Code"] == "ConflictNodeState"
    assert reply.body["Component"] == "NodesManager"
