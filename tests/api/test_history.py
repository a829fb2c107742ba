"""Reading a job's history until it ends: what ``job run`` waits by (spec api.md 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bacalhau.lib.timestamps import rfc3339
from bacalhau.lifecycle.changes import HistoryDraft, JobChanges
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Event,
    ExecutionID,
    JobID,
    JobState,
    State,
)
from tests.support.api_server import Api, Stage, call, make_api, store_job
from tests.support.records import SECOND, START_NS, make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.asyncio(loop_scope="module")

_HISTORY = "/api/v1/orchestrator/jobs/j-1/history"
_COMPLETED = State[JobState](state_type=JobState.COMPLETED)


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api())


def _drafts(levels: str) -> list[HistoryDraft]:
    """Make events: ``j`` of the job, a digit of that execution; one each second."""
    return [
        HistoryDraft(
            event=Event(message=f"m{number}", topic="t", timestamp=rfc3339(START_NS)),
            time_ns=START_NS + number * SECOND,
            execution_id=ExecutionID("" if level == "j" else f"e-{level}"),
        )
        for number, level in enumerate(levels, start=1)
    ]


async def _store(api: Api, levels: str, *, ended: bool = True, executions: str = "") -> None:
    job = make_job(state=_COMPLETED) if ended else make_job()
    attempts = [
        make_execution(ComputeState.COMPLETED, DesiredState.STOPPED, id=ExecutionID(f"e-{name}"))
        for name in executions
    ]
    await store_job(api.store, job, attempts, _drafts(levels))


async def _page(api: Api, query: str) -> tuple[list[int], str]:
    reply = await call(api, "GET", f"{_HISTORY}?{query}")
    assert reply.status == 200, reply.body
    return [item["SeqNum"] for item in reply.body["Items"]], reply.body["NextToken"]


async def test_a_token_is_given_until_the_job_has_ended_and_all_is_told(api: Api) -> None:
    await _store(api, "jjj", ended=False)
    first, token = await _page(api, "event_type=all&limit=2")
    second, token = await _page(api, f"event_type=all&limit=2&next_token={token}")
    third, waiting = await _page(api, f"event_type=all&limit=2&next_token={token}")
    assert (first, second, third) == ([1, 2], [3], [])
    assert waiting == token, "nothing new: the same place again"
    done = msgspec.structs.replace(make_job(state=_COMPLETED), revision=2)
    await api.store.apply(JobChanges(job_id=done.id, job=done, history=tuple(_drafts("j"))))
    last = await _page(api, f"event_type=all&limit=2&next_token={waiting}")
    assert last == ([4], "")


async def test_a_full_last_page_ends_without_a_token(api: Api) -> None:
    await _store(api, "jj")
    assert await _page(api, "limit=2") == ([1, 2], "")


async def test_the_limit_of_the_token_holds_unless_another_is_given(api: Api) -> None:
    await _store(api, "jjjjj")
    _, token = await _page(api, "limit=1")
    assert (await _page(api, f"next_token={token}"))[0] == [2]
    assert (await _page(api, f"next_token={token}&limit=3"))[0] == [2, 3, 4]


async def test_events_that_are_filtered_out_are_passed_over(api: Api) -> None:
    await _store(api, "j" + "1" * 450 + "jj", executions="1")
    first, token = await _page(api, "event_type=job&limit=1")
    second, token = await _page(api, f"event_type=job&limit=1&next_token={token}")
    third, end = await _page(api, f"event_type=job&limit=1&next_token={token}")
    assert (first, second, third, end) == ([1], [452], [453], "")


async def test_a_page_has_100_events_by_default_and_a_description_has_all(api: Api) -> None:
    await _store(api, "j" * 120)
    first, token = await _page(api, "")
    second, end = await _page(api, f"next_token={token}")
    assert (first, second, end) == (list(range(1, 101)), list(range(101, 121)), "")
    described = await call(api, "GET", "/api/v1/orchestrator/jobs/j-1?include=history")
    assert len(described.body["History"]["Items"]) == 120


async def test_events_of_one_execution_end_with_that_execution(api: Api) -> None:
    await _store(api, "j1j22j", ended=False, executions="12")
    for name in ("e-2", "2"):
        assert await _page(api, f"execution_id={name}") == ([4, 5], "")


@pytest.mark.parametrize(
    ("since_seconds", "expected"), [(1, [1, 2, 3]), (2, [2, 3]), (4, []), (10**11, [])]
)
async def test_since_keeps_what_was_recorded_from_then_on(
    api: Api, since_seconds: int, expected: list[int]
) -> None:
    await _store(api, "jjj")
    since = START_NS // SECOND + since_seconds
    assert await _page(api, f"since={since}") == (expected, "")


@pytest.mark.parametrize(
    "query", ["event_type=nonsense", "since=-1", "since=abc", "limit=x", "next_token=%21"]
)
async def test_bad_parameters_are_named(api: Api, query: str) -> None:
    await _store(api, "j")
    reply = await call(api, "GET", f"{_HISTORY}?{query}")
    assert reply.status == 400
    assert query.partition("=")[0] in reply.body["Message"]


async def test_what_clients_send_for_nothing_is_ignored(api: Api) -> None:
    await _store(api, "j1", executions="1")
    query = "order_by=time&reverse=False&node_id=n-9&namespace=&next_token=&execution_id="
    assert await _page(api, query) == ([1, 2], "")


async def test_waiting_sees_every_event_of_a_job_that_is_running(api: Api) -> None:
    """A client that polls while events are written gets each of them, once, in order."""
    await _store(api, "j", ended=False)
    seen: list[int] = []
    token = ""
    for revision in range(2, 12):
        job = make_job(**_at(revision, ends=revision == 11))
        await api.store.apply(JobChanges(job_id=job.id, job=job, history=tuple(_drafts("jj"))))
        items, token = await _page(api, f"limit=1&next_token={token}")
        seen += items
    while token:
        items, token = await _page(api, f"limit=1&next_token={token}")
        seen += items
    assert seen == _counted(await api.store.history(JobID("j-1")))


def _at(revision: int, *, ends: bool) -> dict[str, Any]:
    return {"revision": revision, "state": _COMPLETED} if ends else {"revision": revision}


def _counted(events: Iterable[Any]) -> list[int]:
    return [event.seq_num for event in events]
