"""Paths of older clients."""

from __future__ import annotations

import pytest

from tests.support.api_server import Api, Stage, call, make_api

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api())


@pytest.mark.parametrize("path", ["/id", "/livez", "/node_info", "/healthz", "/version"])
async def test_paths_without_a_version_stand_for_those_with_one(api: Api, path: str) -> None:
    short = await call(api, "GET", path)
    full = await call(api, "GET", f"/api/v1{path}")
    assert short.status == 200
    assert short.body == full.body


async def test_no_other_path_stands_for_one_with_a_version(api: Api) -> None:
    for path in ("/id/", "/agent/alive", "/peers", "/x/id", "/requester/logs"):
        assert (await call(api, "GET", path)).status == 404


async def test_old_clients_ask_for_the_version_by_post(api: Api) -> None:
    reply = await call(api, "POST", "/version", json={"client_id": "x"})
    assert reply.body["build_version_info"] == (await call(api, "GET", "/version")).body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", word) for word in ("list", "states", "results", "events", "submit", "cancel")),
        ("GET", "nodes"),
        ("GET", "websocket/events"),
    ],
)
async def test_what_is_gone_says_so(api: Api, method: str, path: str) -> None:
    for prefix in ("/requester", "/api/v1/requester"):
        reply = await call(api, method, f"{prefix}/{path}")
        assert reply.status == 410
        assert f"/requester/{path}" in reply.body
        assert "command-migration" in reply.body
