"""Submitting, reading, listing and stopping jobs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bacalhau.models import (
    ComputeState,
    DesiredState,
    ExecutionID,
    Job,
    JobID,
    JobState,
    JobType,
    SpecConfig,
    State,
)
from tests.support.api_server import Api, Stage, call, make_api, store_job
from tests.support.records import START_NS, make_execution, make_job

pytestmark = pytest.mark.asyncio(loop_scope="module")

_JOBS = "/api/v1/orchestrator/jobs"
_SPEC: dict[str, Any] = {
    "Type": "batch",
    "Count": 1,
    "Tasks": [{"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "shell"}}}],
}


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api())


def _numbered(number: int, **changes: Any) -> Job:
    """Make a job; later numbers were created later and modified earlier."""
    return make_job(
        id=JobID(f"j-{number:03d}"),
        create_time=START_NS + number,
        modify_time=START_NS + 1000 - number,
        **changes,
    )


async def test_a_submitted_job_can_be_read_at_once(api: Api) -> None:
    put = await call(api, "PUT", _JOBS, json={"Job": _SPEC})
    read = await call(api, "GET", f"{_JOBS}/{put.body['JobID']}?include=executions,%20history,,x")
    assert (put.status, read.status) == (200, 200)
    assert read.body["Job"]["State"] == {"StateType": "Pending"}
    assert read.body["Executions"] == {"NextToken": "", "Items": []}
    assert [item["Event"]["Message"] for item in read.body["History"]["Items"]] == ["Job submitted"]


async def test_ids_of_the_client_program_end_up_in_the_meta(api: Api) -> None:
    headers = {"X-Bacalhau-InstallationID": "i-1", "X-Bacalhau-InstanceID": "in-2"}
    put = await call(api, "PUT", _JOBS, json={"Job": _SPEC}, headers=headers)
    job = api.store.job(JobID(put.body["JobID"]))
    assert job is not None
    assert job.meta["bacalhau.org/client.installation.id"] == "i-1"
    assert job.meta["bacalhau.org/client.instance.id"] == "in-2"


async def test_what_go_clients_send_beside_the_job_is_dropped(api: Api) -> None:
    body = {"Namespace": "", "Credential": None, "IdempotencyToken": "t", "Job": _SPEC}
    put = await call(api, "PUT", f"{_JOBS}?limit=nonsense", json=body)
    assert put.status == 200


async def test_all_problems_of_a_job_are_told_at_once(api: Api) -> None:
    broken = {**_SPEC, "Count": -1, "Tasks": [{"Name": "", "Engine": {"Type": ""}}]}
    put = await call(api, "PUT", _JOBS, json={"Job": broken})
    assert (put.status, put.body["Code"]) == (400, "ValidationError")
    assert len(put.body["Message"].splitlines()) == 3
    assert await api.store.unfinished_jobs() == []


async def test_a_shortened_id_that_several_jobs_share_names_the_remedy(api: Api) -> None:
    for number in (1, 2):
        await store_job(api.store, _numbered(number))
    read = await call(api, "GET", f"{_JOBS}/j-0")
    assert (read.status, read.body["Code"]) == (500, "MultipleJobsFound")
    assert read.body["Message"] == "multiple jobs found for id j-0"
    assert read.body["Hint"] == "Use full job ID"


@pytest.mark.parametrize("written", ["a%2Fb", "a%0Ab", "%2e%2e", "a%20b", "a%2fb"])
async def test_what_can_be_no_id_is_refused(api: Api, written: str) -> None:
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/executions"), ("GET", "/history")):
        reply = await call(api, method, f"{_JOBS}/{written}{rest}")
        assert (reply.status, reply.body["Code"]) == (400, "BadRequest"), (method, rest)


@pytest.mark.parametrize(
    ("written", "meant"), [("..%2F..%2fx", "../../x"), ("a%252Fb", "a%2Fb"), ("a%25b", "a%b")]
)
async def test_what_can_be_no_id_is_shown_as_it_was_meant(
    api: Api, written: str, meant: str
) -> None:
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/executions")):
        reply = await call(api, method, f"{_JOBS}/{written}{rest}")
        assert reply.body["Message"] == f"'{meant}' is not the id of a job"


async def test_paging_through_the_list_meets_every_job_once(api: Api) -> None:
    for number in range(7):
        await store_job(api.store, _numbered(number))
    for query in ("order_by=created_at", "order_by=modified_at&reverse=1", "order_by=id", ""):
        seen: list[str] = []
        token = ""
        while True:
            page = await call(api, "GET", f"{_JOBS}?{query}&limit=3&next_token={token}")
            seen += [job["ID"] for job in page.body["Items"]]
            token = page.body["NextToken"]
            if not token:
                break
        assert seen == [f"j-{number:03d}" for number in range(7)]


async def test_a_token_overrides_order_and_limit(api: Api) -> None:
    for number in range(5):
        await store_job(api.store, _numbered(number))
    first = await call(api, "GET", f"{_JOBS}?limit=2&reverse=true")
    token = first.body["NextToken"]
    second = await call(api, "GET", f"{_JOBS}?limit=4&order_by=id&next_token={token}")
    assert [job["ID"] for job in second.body["Items"]] == ["j-002", "j-001"]


async def test_jobs_are_listed_by_namespace_and_labels(api: Api) -> None:
    await store_job(api.store, _numbered(1, namespace="a", labels={"team": "x"}))
    await store_job(api.store, _numbered(2, namespace="b", labels={"team": "y", "old": ""}))
    expected = {
        "": ["j-001", "j-002"],
        "namespace=*": ["j-001", "j-002"],
        "NAMESPACE=b": ["j-002"],
        "labels=team%3Dx": ["j-001"],
        "labels=team+in+(x,y)&labels=!old": ["j-001"],
        "labels=bacalhau_canary!%3Dtrue": ["j-001", "j-002"],
    }
    for query, ids in expected.items():
        page = await call(api, "GET", f"{_JOBS}?{query}")
        assert [job["ID"] for job in page.body["Items"]] == ids, query


async def test_executions_are_sorted_and_cut(api: Api) -> None:
    executions = [
        make_execution(
            id=ExecutionID(f"e-{number}"),
            job_id=JobID("j-001"),
            create_time=START_NS + number,
            modify_time=START_NS - number,
        )
        for number in range(3)
    ]
    await store_job(api.store, _numbered(1), executions)
    expected = {
        "": "e-0 e-1 e-2",
        "order_by=create_time&reverse=t": "e-2 e-1 e-0",
        "order_by=modified_at": "e-2 e-1 e-0",
        "order_by=modify_time&limit=2": "e-2 e-1",
    }
    for query, ids in expected.items():
        page = await call(api, "GET", f"{_JOBS}/j-001/executions?{query}")
        assert " ".join(item["ID"] for item in page.body["Items"]) == ids, query


async def test_results_are_those_of_completed_executions_and_signed(api: Api) -> None:
    states = [ComputeState.COMPLETED, ComputeState.FAILED, ComputeState.COMPLETED]
    published = [SpecConfig(type="s3"), SpecConfig(type="s3"), SpecConfig()]
    executions = [
        make_execution(state, DesiredState.STOPPED, id=ExecutionID(f"e-{n}"), published_result=spec)
        for n, (state, spec) in enumerate(zip(states, published, strict=True))
    ]
    await store_job(api.store, make_job(), executions)
    results = await call(api, "GET", f"{_JOBS}/j-1/results")
    assert results.body["Items"] == [
        {"Type": "s3PreSigned", "Params": {"PreSignedURL": "https://signed"}}
    ]


@pytest.mark.parametrize("kind", [JobType.SERVICE, JobType.DAEMON])
async def test_jobs_without_end_have_no_results(api: Api, kind: JobType) -> None:
    await store_job(api.store, make_job(type=kind))
    results = await call(api, "GET", f"{_JOBS}/j-1/results")
    assert (results.status, results.body["Code"]) == (400, "BadRequest")
    assert kind.value in results.body["Message"]


@pytest.mark.parametrize(
    ("query", "body", "reason"),
    [
        ("", {"reason": "enough"}, "enough"),
        ("?reason=asked", {}, "asked"),
        ("?reason=asked", None, "asked"),
        ("?reason=asked", {"Reason": "enough"}, "enough"),
        ("", None, ""),
    ],
)
async def test_a_stop_keeps_its_reason(
    api: Api, query: str, body: dict[str, str] | None, reason: str
) -> None:
    await store_job(api.store, make_job())
    stopped = await call(api, "DELETE", f"{_JOBS}/j-1{query}", json=body)
    again = await call(api, "DELETE", f"{_JOBS}/j-1", json={"reason": "twice"})
    assert (stopped.status, bool(stopped.body["EvaluationID"])) == (200, True)
    assert (again.status, again.body) == (200, {"EvaluationID": ""})
    (event,) = await api.store.history(JobID("j-1"))
    assert event.event.details["Reason"] == reason


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.FAILED])
async def test_a_job_that_has_ended_cannot_be_stopped(api: Api, state: JobState) -> None:
    await store_job(api.store, make_job(state=State[JobState](state_type=state)))
    stopped = await call(api, "DELETE", f"{_JOBS}/j-1")
    assert (stopped.status, stopped.body["Code"]) == (409, "ConflictJobState")
    assert state.value in stopped.body["Message"]


async def test_many_readers_at_once_are_all_answered(api: Api) -> None:
    await store_job(api.store, make_job())
    replies = await asyncio.gather(*(call(api, "GET", f"{_JOBS}/j-1") for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.headers["x-request-id"] for reply in replies}) == 50
