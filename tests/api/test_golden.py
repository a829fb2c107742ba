"""Exchanges recorded from v1.5.2 give the same here, but for what we chose to do otherwise."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from websockets.asyncio.client import connect

from bacalhau.models import NodeState
from bacalhau.ports import JobQuery
from bacalhau.protocol.messages import LogFrame, LogRequest
from tests.support.api_server import Api, Stage, call, make_api, make_node_state
from tests.support.golden_http import (
    FOLDER,
    OVERRIDES,
    Exchange,
    Values,
    error_differences,
    load,
    names,
)
from tests.support.golden_seeds import seed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_EVERYWHERE = (
    "x-bacalhau-arch",
    "x-bacalhau-build-date",
    "x-bacalhau-build-os",
    "x-bacalhau-git-commit",
    "x-bacalhau-git-version",
    "x-request-id",
)
_RULES = ("codes", "request_id", "hint")
_STREAMS = [name for name in names("logs") if name != "logs-plain-http"]
_PLAIN = sorted(set(names("")) - set(_STREAMS))


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", _PLAIN)
async def test_answers_as_recorded(name: str, stage: Stage) -> None:
    exchange, values = load(name), Values()
    api = stage.put_on(make_api(node=_own_node(exchange, values)))
    await seed(api, exchange, values)
    request, recorded = exchange.request, exchange.response
    reply = await call(
        api,
        request["method"],
        values.fill(request["path"]),
        data=_body(request["body"], values),
        headers=request["headers"],
    )
    assert recorded["status"] == reply.status, reply.body
    assert _differences(exchange, values, reply.body) == []
    declared = recorded["headers"].get("Content-Type")
    assert _main_type(declared) == _main_type(reply.headers.get("content-type"))
    assert [header for header in _EVERYWHERE if header not in reply.headers] == []
    assert "Origin" in reply.headers["vary"]
    if exchange.kind == "job-put" and reply.status != 200:
        assert list((await api.store.list_jobs(JobQuery())).jobs) == []


def _own_node(exchange: Exchange, values: Values) -> NodeState:
    """Return the node that answers, as the response describes it where it does."""
    if exchange.name in ("agent-node", "legacy-node-info"):
        return msgspec.convert(values.fill(exchange.response["body"]), NodeState)
    return make_node_state(values.bound("node_id"))


def _body(body: Any, values: Values) -> io.BytesIO | None:
    if body is None:
        return None
    if body == "<a JSON body of a little more than 10 MiB>":
        return io.BytesIO(b'{"Job": "' + b"x" * 10_500_000 + b'"}')
    filled = values.fill(body)
    text = filled if isinstance(filled, str) else json.dumps(filled)
    return io.BytesIO(text.encode())


def _differences(exchange: Exchange, values: Values, body: Any) -> list[str]:
    recorded = exchange.response["body"]
    if isinstance(recorded, dict) and "RequestID" in recorded:
        return error_differences(recorded, body, values)
    if exchange.name == "agent-config":
        body = _without_keys_of_ours(body, recorded)
    if exchange.kind == "job-list" and isinstance(body, dict):
        # Tokens of the job list are opaque: there is one exactly where there was one.
        body = {**body, "NextToken": recorded["NextToken"] if body["NextToken"] else ""}
    return list(values.differences(recorded, body))


def _without_keys_of_ours(body: Any, recorded: Any) -> Any:
    if not isinstance(body, dict) or not isinstance(recorded, dict):
        return body
    return {
        key: _without_keys_of_ours(value, recorded[key])
        for key, value in body.items()
        if key in recorded
    }


def _main_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0]


@pytest.mark.parametrize("name", _STREAMS)
async def test_streams_as_recorded(name: str, stage: Stage) -> None:
    exchange, values = load(name), Values()

    async def running_output(request: LogRequest) -> AsyncIterator[LogFrame]:
        for frame in exchange.response["frames"]:
            value = frame["value"]
            yield LogFrame(stream=value["Type"], data=value["Line"].encode())

    api = stage.put_on(make_api())
    await seed(api, exchange, values)
    logs = running_output if "running" in name else None
    async with api.transport.endpoint(api.agent.node_id, logs=logs):
        frames, code = await _stream(api, values.fill(exchange.request["path"]))
    assert list(values.differences(exchange.response["frames"], frames)) == []
    assert code == exchange.response["close"]["code"]


async def _stream(api: Api, path: str) -> tuple[list[Any], int]:
    async with connect(f"ws://{api.address}{path}", proxy=None) as socket:
        frames = [json.loads(frame) async for frame in socket]
        assert socket.close_code is not None
        return frames, socket.close_code


async def test_every_override_says_why_in_words_of_the_documentation() -> None:
    assert set(OVERRIDES["exchanges"]) <= set(names(""))
    entries = [*OVERRIDES["exchanges"].values(), *(OVERRIDES[key] for key in _RULES)]
    page = (FOLDER.parents[2] / "docs" / "reference" / "differences.md").read_text()
    assert [entry["reason"] for entry in entries if entry["reason"] not in page] == []
