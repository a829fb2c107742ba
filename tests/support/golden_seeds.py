"""Bringing a store into the state in which an exchange was recorded.

Most of it is in the response: what v1.5.2 answered is read as records of ours and stored. Where the
response does not tell, the name of the exchange does.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from bacalhau.lib.timestamps import parse_rfc3339
from bacalhau.lifecycle.changes import HistoryDraft
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Event,
    Execution,
    ExecutionID,
    Job,
    JobID,
    JobState,
    JobType,
    Membership,
    NodeState,
    RunOutput,
    SpecConfig,
    State,
)
from tests.support.api_server import Api, make_node_state, store_job
from tests.support.records import make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.golden_http import Exchange, Values

_NOT_TOLD = ("job-post", "job-put", "job-stop", "logs")
HOUR_NS = 3_600_000_000_000


async def seed(api: Api, exchange: Exchange, values: Values) -> None:
    """Store what the exchange is about."""
    body = {}
    if exchange.kind not in _NOT_TOLD:
        body = values.fill(exchange.response["body"])
    match exchange.kind:
        case "job-describe":
            await _seed_description(api, exchange, values, body)
        case "job-list":
            await _seed_list(api, exchange, body)
        case "job-executions":
            await _seed_executions(api, exchange, values, body)
        case "job-history" | "old-client-history":
            await _seed_history(api, exchange, values, body)
        case "job-results":
            await _seed_results(api, exchange, values, body)
        case "job-stop":
            await _seed_stop(api, exchange, values)
        case "logs":
            await _seed_logs(api, exchange, values)
        case "node-list" | "node-describe" | "agent-debug":
            _seed_nodes(api, body)
        case "node-":
            await _seed_decision(api, exchange, values)


async def _seed_description(api: Api, exchange: Exchange, values: Values, body: Any) -> None:
    if "Job" not in body:
        if body.get("Code") == "MultipleJobsFound":
            for name in ("j-1", "j-2"):
                await store_job(api.store, make_job(id=JobID(name), name=name))
        elif exchange.name == "job-describe-by-name":
            await store_job(api.store, _job(values, name="docker-echo"))
        return
    await store_job(
        api.store,
        msgspec.convert(body["Job"], Job),
        msgspec.convert(body.get("Executions", {}).get("Items", []), list[Execution]),
        _drafts(body.get("History", {}).get("Items", [])),
    )


async def _seed_list(api: Api, exchange: Exchange, body: Any) -> None:
    """Store the jobs of the page in its order, and two more after it if there is a next page."""
    jobs = msgspec.convert(body.get("Items", []), list[Job])
    if body.get("NextToken"):
        jobs += [make_job(id=JobID(f"j-more-{number}")) for number in (1, 2)]
    step = -HOUR_NS if "reverse=true" in exchange.request["path"] else HOUR_NS
    moments = itertools.count(1_732_104_000_000_000_000, step)
    for job, moment in zip(jobs, moments, strict=False):
        changed = msgspec.structs.replace(job, create_time=moment, modify_time=moment + 1)
        await store_job(api.store, changed)


async def _seed_executions(api: Api, exchange: Exchange, values: Values, body: Any) -> None:
    if exchange.name != "job-executions-not-found":
        executions = msgspec.convert(body.get("Items", []), list[Execution])
        await store_job(api.store, _job(values, JobState.COMPLETED), executions)


async def _seed_history(api: Api, exchange: Exchange, values: Values, body: Any) -> None:
    if exchange.name == "job-history-not-found":
        return
    items = {item["SeqNum"]: item for item in body.get("Items", [])}
    for number in range(1, 7):
        items.setdefault(number, _filler(values, number))
    execution = make_execution(
        ComputeState.COMPLETED,
        DesiredState.STOPPED,
        id=ExecutionID(values.bound("execution_id")),
        job_id=JobID(values.bound("job_id")),
    )
    history = _drafts([items[number] for number in sorted(items)])
    await store_job(api.store, _job(values, JobState.COMPLETED), [execution], history)


def _filler(values: Values, number: int) -> dict[str, Any]:
    """Make an event that the response left out: as recorded, 1, 3 and 6 concern the job."""
    item = values.fill(
        {"Event": {"Message": "m", "Topic": "t", "Timestamp": "<time>"}, "Time": "<time>"}
    )
    if number not in (1, 3, 6):
        item["ExecutionID"] = values.bound("execution_id")
    assert isinstance(item, dict)
    return item


async def _seed_results(api: Api, exchange: Exchange, values: Values, body: Any) -> None:
    if exchange.name == "job-results-not-found":
        return
    is_running = exchange.name == "job-results-running"
    job = _job(values, type=JobType.SERVICE if is_running else JobType.BATCH)
    published = msgspec.convert(body.get("Items", []), list[SpecConfig]) or [SpecConfig()]
    executions = [
        make_execution(
            ComputeState.COMPLETED,
            id=ExecutionID(f"e-{number}"),
            job_id=job.id,
            published_result=spec,
        )
        for number, spec in enumerate(published)
    ]
    await store_job(api.store, job, executions)


async def _seed_stop(api: Api, exchange: Exchange, values: Values) -> None:
    state = {
        "job-stop-again": JobState.STOPPED,
        "job-stop-completed": JobState.COMPLETED,
        "job-stop-failed": JobState.FAILED,
    }.get(exchange.name, JobState.RUNNING)
    if exchange.name != "job-stop-not-found":
        await store_job(api.store, _job(values, state))


async def _seed_logs(api: Api, exchange: Exchange, values: Values) -> None:
    name, frames = exchange.name, exchange.response["frames"]
    if name in ("logs-not-found", "logs-plain-http"):
        return
    if name in ("logs-no-executions", "logs-queued-stopped"):
        await store_job(api.store, _job(values, JobState.STOPPED))
        return
    streams = {
        number: "".join(f["value"]["Line"] for f in frames if f["value"]["Type"] == number)
        for number in (1, 2)
    }
    compute = ComputeState.RUNNING if "running" in name else ComputeState.COMPLETED
    if name == "logs-stopped-service":
        compute = ComputeState.CANCELLED
    job = _job(values)
    execution = make_execution(
        compute,
        job_id=job.id,
        id=ExecutionID(values.bound("execution_id")),
        run_output=RunOutput(stdout=streams[1], stderr=streams[2]),
        node_id=api.agent.node_id,
    )
    await store_job(api.store, job, [execution])


def _seed_nodes(api: Api, body: Any) -> None:
    one = [body["Node"]] if "Node" in body else []
    found = body.get("Nodes", body.get("DiscoveredNodes", one))
    api.nodes.listed = msgspec.convert(found, list[NodeState]) or [make_node_state()]


async def _seed_decision(api: Api, exchange: Exchange, values: Values) -> None:
    membership = {
        "node-approve-pending": Membership.PENDING,
        "node-approve-after-reject": Membership.REJECTED,
        "node-reject-twice": Membership.REJECTED,
    }.get(exchange.name, Membership.APPROVED)
    if exchange.name != "node-delete-twice":
        await api.store.put_node(make_node_state(values.bound("node_id"), membership=membership))
    await api.registry.load()


def _job(values: Values, state: JobState = JobState.RUNNING, **changes: Any) -> Job:
    return make_job(
        id=JobID(values.bound("job_id")), state=State[JobState](state_type=state), **changes
    )


def _drafts(items: Sequence[dict[str, Any]]) -> list[HistoryDraft]:
    return [
        HistoryDraft(
            event=msgspec.convert(item["Event"], Event),
            time_ns=parse_rfc3339(item["Time"]),
            execution_id=ExecutionID(item.get("ExecutionID", "")),
        )
        for item in items
    ]
