"""What the API tells of inputs and outputs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.models import ExecutionID
from bacalhau.models.provenance import FileRecord, InputRecord
from bacalhau.orchestrator import provenance
from bacalhau.testing.contracts._store_records import make_input, make_outputs
from tests.support.api_server import Api, Stage, call, make_api, store_job
from tests.support.records import make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PATH = "/api/v1/orchestrator/jobs/j-1/provenance"
EXECUTIONS = 25


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api())


async def fill(api: Api, count: int, *, files: int = 1, outputs: bool = True) -> None:
    """Store a job whose executions have read something; only the first told of none."""
    runs = [make_execution(id=ExecutionID(f"e-{number:02}")) for number in range(count)]
    await store_job(api.store, make_job(), runs)
    drafts = [
        ProvenanceDraft(
            execution_id=run.id,
            inputs=(many_files(files),),
            outputs=make_outputs() if outputs else None,
        )
        for run in runs[1:]
    ]
    await api.store.apply(JobChanges(job_id=make_job().id, provenance=tuple(drafts)))


def many_files(count: int) -> InputRecord:
    files = [FileRecord(key=f"k/{n} &<ä>", path=f"{n}", size_bytes=n) for n in range(count)]
    lines = b"".join(msgspec.json.encode(file) + b"\n" for file in files)
    digest = hashlib.sha256(lines).hexdigest()
    return msgspec.structs.replace(make_input(), files=files, objects=count, digest=digest)


def ids(items: Sequence[dict[str, Any]]) -> list[str]:
    return [item["ExecutionID"] for item in items]


async def test_inputs_and_outputs_are_told_by_the_names_of_the_api(api: Api) -> None:
    await fill(api, 2)
    reply = await call(api, "GET", _PATH)
    assert reply.status == 200
    assert reply.body["NextToken"] == ""
    (item,) = reply.body["Items"]
    assert (item["ExecutionID"], item["NodeID"]) == ("e-01", "n-1")
    (read,) = item["Inputs"]
    assert {key: read[key] for key in ("Target", "Type", "Origin", "Endpoint")} == {
        "Target": "/inputs",
        "Type": "s3",
        "Origin": "s3://b/k/",
        "Endpoint": "http://localhost:9000",
    }
    assert item["Outputs"]["Files"] == [{"Path": "stdout", "SizeBytes": 3, "SHA256": "ef" * 32}]


async def test_the_digest_can_be_computed_from_what_is_told(api: Api) -> None:
    """As by ``jq -c '.Items[0].Inputs[0].Files[] | del(.ETag, .VersionID)' | sha256sum``."""
    await fill(api, 2, files=30)
    (item,) = (await call(api, "GET", _PATH)).body["Items"]
    lines = [msgspec.json.encode(file) + b"\n" for file in item["Inputs"][0]["Files"]]
    assert hashlib.sha256(b"".join(lines)).hexdigest() == item["Inputs"][0]["Digest"]


async def test_lists_are_cut_to_as_many_files_as_are_wanted(api: Api) -> None:
    await fill(api, 2, files=30)
    (item,) = (await call(api, "GET", f"{_PATH}?files=3")).body["Items"]
    (read,) = item["Inputs"]
    assert (len(read["Files"]), read["Objects"]) == (3, 30)


async def test_executions_come_in_pages(api: Api) -> None:
    await fill(api, EXECUTIONS + 1, outputs=False)
    first = (await call(api, "GET", _PATH)).body
    assert len(first["Items"]) == 20
    rest = (await call(api, "GET", f"{_PATH}?next_token={first['NextToken']}")).body
    assert rest["NextToken"] == ""
    assert ids([*first["Items"], *rest["Items"]]) == [
        f"e-{number:02}" for number in range(1, EXECUTIONS + 1)
    ]
    exact = (await call(api, "GET", f"{_PATH}?limit={EXECUTIONS}")).body
    assert (len(exact["Items"]), exact["NextToken"]) == (EXECUTIONS, "")


async def test_a_page_is_never_larger_than_it_may_be(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "MAX_PROVENANCE_LIMIT", 3)
    await fill(api, 5)
    page = (await call(api, "GET", f"{_PATH}?limit=1000")).body
    assert (len(page["Items"]), page["NextToken"]) == (3, "e-03")


@pytest.mark.parametrize(("asked", "told"), [("e-03", ["e-03"]), ("01", ["e-01"]), ("e-00", [])])
async def test_one_execution_alone(api: Api, asked: str, told: list[str]) -> None:
    await fill(api, 5)
    reply = await call(api, "GET", f"{_PATH}?execution_id={asked}")
    assert ids(reply.body["Items"]) == told


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("execution_id=e-99", 404, "execution not found: e-99"),
        ("next_token=e-99", 400, 'next_token "e-99" is not one of this list'),
        ("files=x", 400, "files"),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, query: str, status: int, said: str) -> None:
    await fill(api, 2)
    reply = await call(api, "GET", f"{_PATH}?{query}")
    assert reply.status == status
    assert said in reply.body["Message"]


async def test_a_job_that_is_not_there(api: Api) -> None:
    reply = await call(api, "GET", _PATH)
    assert (reply.status, reply.body["Code"]) == (404, "NotFound")
