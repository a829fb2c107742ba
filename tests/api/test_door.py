"""Who is let in: web pages by their origin, callers by the name they use, all by their rate."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bacalhau.api import Door
from bacalhau.errors import UserError
from bacalhau.lib.clock import SystemClock
from tests.support.api_server import Api, Stage, call, make_api, running_api, store_job
from tests.support.records import make_job

_ALIVE = "/api/v1/agent/alive"
_JOBS = "/api/v1/orchestrator/jobs"
_FOREIGN = ("http://evil.example", "https://ui.example:8080", "http://localhost:1", "null", "x", "")
_LISTED = "http://ui.example:8080"


def local_door(*origins: str) -> Door:
    return Door.of(origins=origins, host="127.0.0.1")


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api(door=local_door(_LISTED)))


class TestOrigins:
    pytestmark = pytest.mark.asyncio(loop_scope="module")

    async def test_callers_that_are_no_page_are_served(self, api: Api) -> None:
        reply = await call(api, "GET", _ALIVE)
        assert reply.status == 200
        assert "access-control-allow-origin" not in reply.headers

    async def test_our_own_pages_and_listed_ones_are_served(self, api: Api) -> None:
        for origin in (f"http://{api.address}", _LISTED):
            reply = await call(api, "GET", _ALIVE, headers={"Origin": origin})
            assert reply.status == 200
            assert reply.headers["access-control-allow-origin"] == origin
            assert reply.headers["vary"] == "Origin"

    async def test_jobs_that_ask_through_their_network_are_refused(self, api: Api) -> None:
        reply = await call(api, "GET", _JOBS, headers={"X-Bacalhau-Job-ID": "j-1"})
        assert reply.status == 403
        assert "job j-1" in reply.body["Message"]

    async def test_listed_pages_may_read_errors(self, api: Api) -> None:
        reply = await call(api, "GET", f"{_JOBS}/x", headers={"Origin": _LISTED})
        assert reply.status == 404
        assert reply.headers["access-control-allow-origin"] == _LISTED

    async def test_listed_pages_may_ask_what_they_may_do(self, api: Api) -> None:
        wish = {"Origin": _LISTED, "Access-Control-Request-Headers": "content-type,x-other"}
        asked = await call(api, "OPTIONS", _JOBS, headers=wish)
        assert asked.status == 204
        assert asked.headers["access-control-allow-origin"] == _LISTED
        assert asked.headers["access-control-allow-headers"] == "content-type,x-other"
        assert "PUT" in asked.headers["access-control-allow-methods"]

    @pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "POST", "DELETE"])
    @pytest.mark.parametrize("origin", _FOREIGN)
    async def test_other_pages_are_refused(self, api: Api, method: str, origin: str) -> None:
        reply = await call(api, method, _JOBS, headers={"Origin": origin})
        assert reply.status == 403
        assert reply.body["Code"] == "Forbidden"
        assert "API.AllowedOrigins" in reply.body["Hint"]
        assert "access-control-allow-origin" not in reply.headers

    async def test_other_pages_leave_nothing_behind(self, api: Api) -> None:
        spec = {"Type": "batch", "Tasks": [{"Name": "main", "Engine": {"Type": "noop"}}]}
        sent = {"Origin": "http://evil.example"}
        assert (await call(api, "PUT", _JOBS, json={"Job": spec}, headers=sent)).status == 403
        assert await api.store.unfinished_jobs() == []

    async def test_other_pages_cannot_open_log_streams(self, api: Api) -> None:
        await store_job(api.store, make_job())
        url = f"ws://{api.address}{_JOBS}/j-1/logs"
        with pytest.raises(InvalidStatus) as caught:
            await connect(url, proxy=None, origin="http://evil.example")  # type: ignore[arg-type]
        assert caught.value.response.status_code == 403
        async with connect(url, proxy=None, origin=_LISTED) as socket:  # type: ignore[arg-type]
            assert [frame async for frame in socket]


class TestHosts:
    pytestmark = pytest.mark.asyncio(loop_scope="module")

    @pytest.mark.parametrize(
        "host", ["localhost:1234", "a.localhost", "127.0.0.1:9", "[::1]:1234", "10.1.2.3", "::1"]
    )
    async def test_a_local_api_answers_to_local_names_and_addresses(
        self, api: Api, host: str
    ) -> None:
        expected = 200 if host != "::1" else 403  # an address of IPv6 stands in brackets
        assert (await call(api, "GET", _ALIVE, headers={"Host": host})).status == expected

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:1234", "localhost.evil.example"]
    )
    async def test_a_local_api_has_no_other_name(self, api: Api, host: str) -> None:
        own = {"Host": host, "Origin": f"http://{host}"}
        for headers in ({"Host": host}, own):
            reply = await call(api, "GET", _ALIVE, headers=headers)
            assert reply.status == 403
            assert reply.body["Message"] == f"this server is not {host}"

    async def test_the_name_of_a_listed_origin_is_ours_too(self, api: Api) -> None:
        assert (await call(api, "GET", _ALIVE, headers={"Host": "ui.example"})).status == 200

    async def test_an_api_for_other_machines_has_any_name(self, stage: Stage) -> None:
        door = Door.of(origins=(), host="0.0.0.0")
        api = stage.put_on(make_api(door=door))
        reply = await call(api, "GET", _ALIVE, headers={"Host": "orchestrator.example"})
        assert reply.status == 200


def test_what_is_no_origin_is_refused_at_start() -> None:
    with pytest.raises(UserError, match=r'"ui\.example" is not the origin') as caught:
        local_door("http://ok.example", "ui.example")
    assert caught.value.fields == ("API.AllowedOrigins",)


def test_the_usual_port_of_a_scheme_may_be_left_out() -> None:
    door = local_door("https://ui.example:443")
    assert door.admits_origin("https://ui.example", {})
    assert not door.admits_origin("http://ui.example", {})


class _HandClock(SystemClock):
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


async def test_more_than_so_many_requests_a_second_are_refused() -> None:
    clock = _HandClock()
    async with running_api(requests_per_second=3, clock=clock) as api:
        for _ in range(3):
            assert (await call(api, "GET", _ALIVE)).status == 200
        reply = await call(api, "GET", _ALIVE)
        assert (reply.status, reply.body["Code"]) == (429, "ResourceExhausted")
        assert reply.headers["retry-after"] == "1"
        clock.now = 0.34
        assert (await call(api, "GET", _ALIVE)).status == 200
        assert (await call(api, "GET", _ALIVE)).status == 429
        clock.now = 60
        statuses = [(await call(api, "GET", _ALIVE)).status for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
