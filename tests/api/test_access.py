"""A server that asks for tokens, endpoint by endpoint (spec security.md 5, T-C1, T-C3, T-C10)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from msgspec.structs import replace

from bacalhau.api import ENDPOINTS
from bacalhau.policy.grant import ALL_NAMESPACES, OWNER, Grant, Permission
from bacalhau.policy.methods import Answers
from bacalhau.policy.passwords import hash_password
from bacalhau.policy.policy_file import Asked, User
from tests.api.test_login import log_in
from tests.support.api_server import Api, Reply, Stage, call, make_api, store_job
from tests.support.jobs import finished_job

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = "/api/v1/orchestrator/jobs"
NODES = "/api/v1/orchestrator/nodes"
NEEDING = [row for row in ENDPOINTS if row.capability]
EVERYWHERE = Grant(namespaces={ALL_NAMESPACES: OWNER}, is_admin=True)
READER = Grant(subject="bob", namespaces={"team": Permission.READ})
OTHER = Grant(subject="eve", namespaces={"other": OWNER})
JOB = {
    "Type": "batch",
    "Namespace": "team",
    "Tasks": [{"Name": "main", "Engine": {"Type": "wasm", "Params": {}}}],
}


@pytest.fixture
async def api(stage: Stage) -> Api:
    served = stage.put_on(make_api(strict=True))
    await store_job(served.store, replace(finished_job(), id="j-1", namespace="team"))
    return served


async def ask(api: Api, grant: Grant, method: str, path: str, **options: Any) -> Reply:
    headers = {"Authorization": f"Bearer {api.tokens.token_for(grant)}"}
    return await call(api, method, path, headers=headers, **options)


def path_of(row: Any) -> str:
    return str(row.path).replace("{id}", "j-1").replace("{name}", "clientkey")


@pytest.mark.parametrize("row", NEEDING, ids=lambda row: f"{row.method} {row.path}")
@pytest.mark.parametrize(
    "header", [None, "Bearer x.y.z", "Bearer ", "Basic Ym9iOmJvYg==", "x"], ids=str
)
async def test_nothing_without_a_valid_token(api: Api, row: Any, header: str | None) -> None:
    headers = {"Authorization": header} if header is not None else {}
    if row.is_stream:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(api.url(path_of(row)), headers=headers)
        assert refused.value.status == 401
        return
    reply = await call(api, row.method, path_of(row), headers=headers, json={})
    assert reply.status == 401
    assert reply.body["Code"] == "Unauthorized"
    assert reply.body["Message"].startswith("Invalid token. ")
    assert "log in" in reply.body["Hint"]


@pytest.mark.parametrize(
    "row", [row for row in ENDPOINTS if not row.capability], ids=lambda row: row.path
)
async def test_what_is_open_stays_so(api: Api, row: Any) -> None:
    reply = await call(api, row.method, path_of(row), headers={"Authorization": "x"})
    assert reply.status in (200, 400)


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/orchestrator/jobs",
        f"{JOBS}/",
        f"{JOBS}/%2e%2e/jobs/j-1",
        "/api/v1/authX",
        "/api/v1/agent/alive/../config",
        "/api/v1/agent/aliveX",
    ],
)
async def test_no_way_around_by_the_path(api: Api, path: str) -> None:
    assert (await call(api, "GET", path)).status in (401, 404)


async def test_the_kinds_of_permission(api: Api) -> None:
    """Every way to a job is judged by the job's own namespace."""
    expected = {
        ("GET", f"{JOBS}/j-1"): Permission.READ,
        ("GET", f"{JOBS}/j-1/executions"): Permission.READ,
        ("GET", f"{JOBS}/j-1/history"): Permission.READ,
        ("GET", f"{JOBS}/j-1/provenance"): Permission.READ,
        ("GET", f"{JOBS}?namespace=team"): Permission.READ,
        ("GET", f"{JOBS}/j-1/results"): Permission.DOWNLOAD,
        ("DELETE", f"{JOBS}/j-1"): Permission.CANCEL,
        ("PUT", JOBS): Permission.WRITE,
    }
    for (method, path), needed in expected.items():
        body = {"Job": JOB} if method == "PUT" else None
        for given in Permission:
            for namespace in ("team", ALL_NAMESPACES, "other"):
                grant = Grant(namespaces={namespace: given})
                reply = await ask(api, grant, method, path, json=body)
                allowed = given is needed and namespace != "other"
                assert (reply.status != 403) is allowed, (method, path, given, namespace)
                if not allowed:
                    assert reply.body["Code"] == "Forbidden"
                    assert reply.body["Message"].startswith("Access denied. ")


async def test_a_refusal_says_where_it_would_be_allowed(api: Api) -> None:
    reply = await ask(api, OTHER, "PUT", JOBS, json={"Job": JOB})
    assert reply.body["Message"] == ("Access denied. eve may not write jobs in namespace team")
    assert reply.body["Hint"] == "use a namespace in which that is allowed: other"
    reply = await ask(api, READER, "PUT", JOBS, json={"Job": JOB})
    assert "ask the operator" in reply.body["Hint"]


async def test_a_job_without_a_namespace_is_one_of_the_default(api: Api) -> None:
    job = {key: value for key, value in JOB.items() if key != "Namespace"}
    reply = await ask(api, OTHER, "PUT", JOBS, json={"Job": job})
    assert "in namespace default" in reply.body["Message"]


async def test_only_readers_of_everything_list_everything(api: Api) -> None:
    assert (await ask(api, READER, "GET", JOBS)).status == 403
    assert (await ask(api, READER, "GET", f"{JOBS}?namespace=*")).status == 403
    listed = await ask(api, READER, "GET", f"{JOBS}?namespace=team")
    assert [job["ID"] for job in listed.body["Items"]] == ["j-1"]
    assert (await ask(api, EVERYWHERE, "GET", JOBS)).status == 200


async def test_output_needs_the_right_to_download(api: Api) -> None:
    path = api.url(f"{JOBS}/j-1/logs")
    reader = {"Authorization": f"Bearer {api.tokens.token_for(READER)}"}
    loader = Grant(namespaces={"team": Permission.DOWNLOAD})
    headers = {"Authorization": f"Bearer {api.tokens.token_for(loader)}"}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(path, headers=reader)
        assert refused.value.status == 403
        async with session.ws_connect(path, headers=headers):
            pass


async def test_nodes_are_for_administrators(api: Api) -> None:
    body = {"Action": "approve", "NodeID": "n-here"}
    for method, path in (("PUT", f"{NODES}/n-here"), ("POST", NODES)):
        assert (await ask(api, READER, method, path, json=body)).status == 403
        assert (await ask(api, EVERYWHERE, method, path, json=body)).status == 200
    assert (await ask(api, READER, "GET", NODES)).status == 200


async def test_what_clients_put_into_their_bodies_is_no_token(api: Api) -> None:
    token = api.tokens.token_for(EVERYWHERE)
    credential = {"Scheme": "Bearer", "Value": token, "Params": None}
    reply = await call(api, "PUT", JOBS, json={"Job": JOB, "Credential": credential})
    assert reply.status == 401


async def test_who_logs_in_with_a_key_reads_all_and_writes_what_is_its_own(stage: Stage) -> None:
    from tests.api.test_login import answer_to, challenge

    api = stage.put_on(make_api(strict=True))
    reply = await log_in(api, answer_to(await challenge(api)))
    token = reply.body["Authentication"]["token"]
    own = api.tokens.grant_of(token).subject
    headers = {"Authorization": f"Bearer {token}"}
    assert (await call(api, "GET", JOBS, headers=headers)).status == 200
    for namespace, allowed in (("default", False), (own, True)):
        body = {"Job": {**JOB, "Namespace": namespace}}
        reply = await call(api, "PUT", JOBS, json=body, headers=headers)
        assert (reply.status != 403) is allowed


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


async def test_logging_in_with_a_password(stage: Stage, executor: ThreadPoolExecutor) -> None:
    user = User(hash_password("right", b"salt"), "c2FsdA==", READER)
    api = stage.put_on(
        make_api(strict=True, methods={"password": Answers(Asked({"bob": user}), executor)})
    )
    path = "/api/v1/auth/password"
    schema = (await call(api, "GET", path)).body
    assert schema["type"] == "ask"
    assert schema["params"]["required"] == ["username", "password"]
    assert schema["params"]["properties"]["password"]["writeOnly"] is True
    good = await log_in(api, {"username": "bob", "password": "right"}, path)
    assert api.tokens.grant_of(good.body["Authentication"]["token"]) == READER
    for answers in (
        {"username": "bob", "password": "wrong"},
        {"username": "nobody", "password": "right"},
        {},
    ):
        refused = await log_in(api, answers, path)
        assert refused.status == 401
        assert refused.body == {
            "Authentication": {"success": False, "reason": "credentials rejected"}
        }
    assert (await log_in(api, {"username": 7}, path)).status == 400


async def test_logging_in_with_a_secret(stage: Stage, executor: ThreadPoolExecutor) -> None:
    asked = Asked({}, "s3cret", EVERYWHERE)
    api = stage.put_on(make_api(strict=True, methods={"secret": Answers(asked, executor)}))
    path = "/api/v1/auth/secret"
    assert json.dumps((await call(api, "GET", path)).body).count("s3cret") == 0
    good = await log_in(api, {"token": "s3cret"}, path)
    assert api.tokens.grant_of(good.body["Authentication"]["token"]) == EVERYWHERE
    assert (await log_in(api, {"token": "S3CRET"}, path)).status == 401
