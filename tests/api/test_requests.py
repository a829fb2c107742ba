"""What holds for every request: ids, versions, limits, content types, origins, failures."""

from __future__ import annotations

import asyncio
import gzip
import re
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.support.api_server import Api, Stage, call, make_api, store_job
from tests.support.records import make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

_ALIVE = "/api/v1/agent/alive"
_JOBS = "/api/v1/orchestrator/jobs"


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api())


async def test_a_request_id_is_echoed_in_header_and_error(api: Api) -> None:
    reply = await call(api, "GET", f"{_JOBS}/x", headers={"X-Request-Id": "mine-1"})
    assert reply.headers["x-request-id"] == "mine-1"
    assert reply.body["RequestID"] == "mine-1"


@pytest.mark.parametrize("given", ["", "x" * 129, "a b"])
async def test_a_request_id_is_made_when_none_can_be_used(api: Api, given: str) -> None:
    reply = await call(api, "GET", f"{_JOBS}/x", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
    assert reply.body["RequestID"] == reply.headers["x-request-id"]


@pytest.mark.parametrize("path", [_ALIVE, f"{_JOBS}/x", "/nowhere", f"{_JOBS}?limit=x"])
async def test_every_answer_tells_the_version(api: Api, path: str) -> None:
    reply = await call(api, "GET", path)
    assert reply.headers["x-bacalhau-git-version"] == "v1.5.2"
    assert reply.headers["x-bacalhau-build-date"] == "2024-10-29 15:51:32 +0000 UTC"


@pytest.mark.parametrize("version", ["v1.4.0", "v1.5.2", "1.9.3", "v0.0.0", "v0.0.0-xxxxxxx", ""])
async def test_clients_of_known_age_are_served(api: Api, version: str) -> None:
    reply = await call(api, "GET", _ALIVE, headers={"X-Bacalhau-Git-Version": version})
    assert reply.status == 200


@pytest.mark.parametrize("version", ["v1.3.9", "v1.4.0-rc1", "v1.2"])
async def test_older_clients_are_told_to_update(api: Api, version: str) -> None:
    reply = await call(api, "GET", _ALIVE, headers={"X-Bacalhau-Git-Version": version})
    assert reply.status == 403
    assert reply.body["ClientVersion"] == version[1:]
    assert reply.body["MinVersion"] == "1.4.0"


async def test_old_clients_get_their_form_of_history_in_a_description_too(api: Api) -> None:
    await call(api, "PUT", _JOBS, json={"Job": _job_spec()})
    reply = await call(
        api, "GET", f"{_JOBS}/j?include=history", headers={"X-Bacalhau-Git-Version": "v1.4.0"}
    )
    assert reply.body["History"]["Items"][0]["JobState"] == {}


def _job_spec() -> dict[str, Any]:
    return {"Type": "batch", "Tasks": [{"Name": "main", "Engine": {"Type": "noop"}}]}


async def test_pretty_answers_are_indented(api: Api) -> None:
    for path in (_ALIVE, f"{_JOBS}/x"):
        pretty, plain = [await call(api, "GET", path + end) for end in ("?pretty", "")]
        assert int(pretty.headers["content-length"]) > int(plain.headers["content-length"])
        assert pretty.body.keys() == plain.body.keys()


@pytest.mark.parametrize("path", [_ALIVE, _JOBS, "/api/v1/livez", "/"])
async def test_head_is_answered_like_get_without_a_body(api: Api, path: str) -> None:
    head, get = [await call(api, method, path) for method in ("HEAD", "GET")]
    assert (head.status, head.body) == (200, "")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/orchestrator/nodes/x/y"),
        ("GET", f"{_JOBS}/"),
        ("PATCH", _JOBS),
        ("HEAD", "/nowhere"),
        ("POST", _ALIVE),
        ("TRACE", _ALIVE),
    ],
)
async def test_unknown_paths_and_methods_are_not_found(api: Api, method: str, path: str) -> None:
    reply = await call(api, method, path)
    assert reply.status == 404
    if method != "HEAD":
        assert (reply.body["Code"], reply.body["Component"]) == ("NotFound", "APIServer")
        assert "openapi.json" in reply.body["Hint"]


async def test_bodies_up_to_the_limit_pass_whether_declared_or_not(stage: Stage) -> None:
    stage.put_on(api := make_api(body_limit_bytes=1000))
    for size, expected in ((1000, 400), (1001, 413)):
        for data in (b"x" * size, _chunks(size)):
            reply = await call(api, "PUT", _JOBS, data=data, headers={"Content-Type": "text/x"})
            assert reply.status == expected, (size, data)
    assert reply.body["Message"] == "Request Entity Too Large"
    assert "1000 bytes" in reply.body["Hint"]


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100):
        yield b"x" * 100
    yield b"x" * (size % 100)


async def test_a_chunked_job_is_accepted(api: Api) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"Job": {"Type": "batch", "Tasks": [{"Name": "m",'
        yield b'"Engine": {"Type": "noop"}}]}}'

    headers = {"Content-Type": "Application/JSON;charset=utf-8"}
    assert (await call(api, "PUT", _JOBS, data=parts(), headers=headers)).status == 200


async def test_a_get_may_declare_json_without_having_any(api: Api) -> None:
    reply = await call(api, "GET", _JOBS, headers={"Content-Type": "application/json"})
    assert reply.status == 200


@pytest.mark.parametrize("declared", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_must_be_declared_as_json(api: Api, declared: str) -> None:
    await store_job(api.store, make_job())
    for method, path in (("PUT", _JOBS), ("DELETE", f"{_JOBS}/j-1")):
        headers = {"Content-Type": declared} if declared else {}
        reply = await call(api, method, path, data=b"{}", headers=headers)
        assert reply.status == 400
        assert "Content-Type application/json" in reply.body["Message"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, deflate"])
async def test_a_body_must_not_be_encoded(api: Api, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    reply = await call(api, "PUT", _JOBS, data=gzip.compress(b"{}"), headers=headers)
    assert (reply.status, reply.body["Code"]) == (415, "UnsupportedMediaType")
    assert f'Content-Encoding "{encoding}"' in reply.body["Message"]
    assert "without" in reply.body["Hint"]


async def test_a_body_may_say_that_it_is_not_encoded(api: Api) -> None:
    job = b'{"Job": {"Type": "batch", "Tasks": [{"Name": "m", "Engine": {"Type": "noop"}}]}}'
    headers = {"Content-Type": "application/json", "Content-Encoding": "Identity"}
    assert (await call(api, "PUT", _JOBS, data=job, headers=headers)).status == 200


async def test_lists_of_one_page_take_no_token(api: Api) -> None:
    await store_job(api.store, make_job())
    for path in (f"{_JOBS}/j-1/executions", "/api/v1/orchestrator/nodes"):
        reply = await call(api, "GET", f"{path}?next_token=bogus")
        assert (reply.status, reply.body["Code"]) == (400, "BadRequest")
        assert reply.body["Message"] == 'query parameter next_token must be empty, not "bogus"'
        assert "one page" in reply.body["Hint"]
        assert (await call(api, "GET", f"{path}?next_token=")).status == 200


async def test_what_takes_too_long_is_answered_with_503(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.put_on(api := make_api(handler_seconds=0.01))
    monkeypatch.setattr(api.queries, "jobs", lambda _query: asyncio.Event().wait())
    reply = await call(api, "GET", _JOBS)
    assert (reply.status, reply.body["Code"]) == (503, "ServiceUnavailable")
    assert reply.headers["retry-after"] == "1"
    assert "0.01 seconds" in reply.body["Message"]


async def test_a_defect_is_answered_with_500_and_logged_once(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_reference: str) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(api.queries, "job", broken)
    with structlog.testing.capture_logs() as logs:
        reply = await call(api, "GET", f"{_JOBS}/j-1", headers={"X-Request-Id": "r-7"})
    assert (reply.status, reply.body["Code"]) == (500, "InternalError")
    assert "secret" not in str(reply.body)
    assert "r-7" in reply.body["Hint"]
    failures = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["event"], entry["request_id"]) for entry in failures] == [
        ("request_failed", "r-7")
    ]
    assert caplog.records == [], "the server has nothing to add"


async def test_the_api_describes_itself_at_two_places(api: Api) -> None:
    first, second = [await call(api, "GET", p) for p in ("/swagger.json", "/api/v1/openapi.json")]
    assert first.body == second.body
    assert first.body["openapi"] == "3.1.0"
    assert first.body["info"]["version"] == "1.5.2"
    assert _JOBS in first.body["paths"]
