"""Commands and services of the operator that judge jobs: a real shell, a real HTTP server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bacalhau.compute.bidding import BidPolicy
from bacalhau.compute.inputs import Share
from bacalhau.compute.options import ComputeOptions
from bacalhau.compute.plugins import Plugins
from bacalhau.compute.probe_command import ask_command
from bacalhau.compute.probe_url import ask_url
from bacalhau.errors import TransientError
from bacalhau.lib.clock import SystemClock
from bacalhau.models import Resources, SpecConfig
from bacalhau.testing.engine_fake import FakeEngine, FakeMachine
from tests.support.records import make_job, make_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bacalhau.models import Job

PAYLOAD = b'{"Job":{"Name":"n"}}'
ANSWER_SECONDS = 20.0


async def ask(command: str, payload: bytes = PAYLOAD, seconds: float = ANSWER_SECONDS) -> str:
    return await ask_command(command, payload, limit_seconds=seconds)


# -- commands ---------------------------------------------------------------------------


async def test_exit_code_0_takes_the_job_whatever_is_printed() -> None:
    assert await ask("echo yes; echo really >&2") == ""


async def test_another_exit_code_is_told() -> None:
    assert await ask("exit 7") == (
        'this node does not accept jobs where external command "exit 7" returns exit code 7'
    )


async def test_what_the_command_complains_of_is_the_reason() -> None:
    text = await ask("echo; echo ' only on Sundays ' >&2; exit 1")
    assert text == "this node does not accept this job: only on Sundays"


async def test_the_job_is_on_standard_input_and_in_a_variable() -> None:
    assert await ask('test "$(cat)" = "$BACALHAU_JOB_SELECTION_PROBE_DATA"') == ""
    text = await ask("cat >&2; exit 1")
    assert text.removeprefix("this node does not accept this job: ") == PAYLOAD.decode()


async def test_nothing_of_the_node_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    text = await ask("exec env >&2; exit 1")
    assert text == ""  # env ended well
    text = await ask("env | cut -d= -f1 | sort | tr '\\n' ' ' >&2; exit 1")
    names = text.removeprefix("this node does not accept this job: ").split()
    ours = [name for name in names if name not in ("_", "PWD", "SHLVL", "OLDPWD")]
    assert ours == ["BACALHAU_JOB_SELECTION_PROBE_DATA", "PATH"]


@pytest.mark.parametrize("text", ["$(exit 3)", "'; exit 3; '", "`exit 3`", '"; exit 3 #'])
async def test_nothing_of_the_job_reaches_the_shell(text: str) -> None:
    payload = msgspec.json.encode({"Job": {"Name": text}})
    assert await ask("cat > /dev/null", payload) == ""


async def test_a_job_too_large_for_a_variable_is_on_standard_input_alone() -> None:
    payload = b"x" * (200 * 2**10)
    command = '[ -z "$BACALHAU_JOB_SELECTION_PROBE_DATA" ] && [ "$(wc -c)" = 204800 ]'
    assert await ask(command, payload) == ""


async def test_a_command_that_reads_nothing_is_fine() -> None:
    assert await ask("true", b"x" * 2**21) == ""


async def test_a_command_that_takes_too_long_does_not_want_the_job(tmp_path: Path) -> None:
    text = await ask(f"sleep 1000 & echo $! $$ > {tmp_path}/pids; wait", seconds=2)
    assert text == (
        f'this node does not accept jobs where external command "sleep 1000 & echo $! $$ > '
        f'{tmp_path}/pids; wait" takes longer than 2s'
    )
    for pid in (tmp_path / "pids").read_text().split():
        await _gone(int(pid))


async def test_a_bid_that_is_dropped_kills_the_command(tmp_path: Path) -> None:
    started = tmp_path / "started"
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask(f"echo $$ > {started}; sleep 1000"))
        async with asyncio.timeout(ANSWER_SECONDS):
            while not (started.exists() and started.read_text()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.01)
        asking.cancel()
    await _gone(int(started.read_text()))


async def test_what_a_command_leaves_behind_keeps_nobody_waiting() -> None:
    assert await ask("sleep 2 & exit 0", seconds=1) == ""


async def test_a_command_that_cannot_be_started_does_not_want_the_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await ask("true") == (
        'this node does not accept jobs where external command "true" cannot be started'
    )


async def _gone(pid: int) -> None:
    """Wait until a process has ended, by whoever collects it."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while _is_running(pid):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        facts = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return facts.rpartition(") ")[2][0] != "Z"


# -- services ---------------------------------------------------------------------------


@asynccontextmanager
async def service(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve a judge, and yield its address."""
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/judge", handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/judge"))


async def judged(response: web.Response, seconds: float = ANSWER_SECONDS) -> tuple[str, str]:
    """Return what a service's answer means, and its address."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.headers["Content-Type"] == "application/json"
        assert await request.read() == PAYLOAD
        return response

    async with service(handle) as url:
        return await ask_url(url, PAYLOAD, limit_seconds=seconds), url


@pytest.mark.parametrize(
    "response",
    [
        lambda: web.Response(),
        lambda: web.Response(status=204),
        lambda: web.Response(text="no", content_type="text/plain"),
        lambda: web.json_response({"ShouldBid": True}),
        lambda: web.json_response({"shouldbid": True, "Reason": "", "shouldWait": True}),
    ],
)
async def test_the_service_takes_the_job(response: Callable[[], web.Response]) -> None:
    assert (await judged(response()))[0] == ""


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (lambda: web.Response(status=403), 'where url "{url}" returns HTTP status code 403'),
        (lambda: web.Response(status=500), 'where url "{url}" returns HTTP status code 500'),
        (lambda: web.json_response({}), 'where url "{url}" answers ShouldBid false'),
        (lambda: web.json_response([]), "cannot be read: expected an object"),
        (lambda: web.json_response({"ShouldBid": "yes"}), "ShouldBid: expected a boolean"),
        (lambda: web.Response(text="{", content_type="application/json"), "cannot be read"),
        (lambda: web.Response(content_type="application/json"), "cannot be read"),
        (
            lambda: web.Response(text=" " * 2**21, content_type="application/json"),
            "answers more than 1 MiB",
        ),
    ],
)
async def test_the_service_does_not(response: Callable[[], web.Response], reason: str) -> None:
    text, url = await judged(response())
    assert text.startswith(f'this node does not accept jobs where url "{url}" ')
    assert reason.format(url=url) in text


async def test_the_services_own_reason_is_told_as_it_is() -> None:
    text, _ = await judged(web.json_response({"should_bid": 1, "shouldBid": False, "reason": "n"}))
    assert text == "n"


async def test_parameters_of_the_media_type_do_not_let_a_job_in() -> None:
    response = web.Response(
        text='{"ShouldBid": false, "Reason": "not today"}',
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert (await judged(response))[0] == "not today"


async def test_an_answer_in_chunks_is_understood() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for chunk in (b'{"ShouldBid": fal', b'se, "Reason": "in ', b'pieces"}'):
            await response.write(chunk)
        return response

    async with service(handle) as url:
        assert await ask_url(url, PAYLOAD, limit_seconds=ANSWER_SECONDS) == "in pieces"


async def test_a_service_that_takes_too_long_does_not_want_the_job() -> None:
    done = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        await done.wait()
        return web.Response()

    async with service(handle) as url:
        text = await ask_url(f"{url}?token=secret", PAYLOAD, limit_seconds=0.3)
        done.set()
    assert text == (
        f'this node does not accept jobs where url "{url}" takes longer than 300ms to answer'
    )


async def test_when_nobody_answers_nobody_knows() -> None:
    address = f"127.0.0.1:{unused_port()}/judge"
    with pytest.raises(TransientError) as caught:
        await ask_url(f"http://me:secret@{address}", PAYLOAD, limit_seconds=ANSWER_SECONDS)
    assert caught.value.message.startswith(f'url "http://{address}" cannot be asked')
    assert "secret" not in caught.value.message
    assert "JobAdmissionControl.ProbeHTTP" in caught.value.hint
    assert caught.value.retryable


@pytest.mark.parametrize("url", ["not a url", "ftp://h/judge", "http://"])
async def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(TransientError) as caught:
        await ask_url(url, PAYLOAD, limit_seconds=ANSWER_SECONDS)
    assert "cannot be asked" in caught.value.message


# -- in a bid ---------------------------------------------------------------------------


def policy(**options: str) -> BidPolicy:
    clock = SystemClock()
    plugins = Plugins(
        engines={"fake": FakeEngine(clock, FakeMachine())}, sources={}, publishers={}, clock=clock
    )
    return BidPolicy(
        plugins=plugins,
        capacity=Resources(cpu=4, memory=2**34, disk=2**34),
        options=ComputeOptions(**options),  # type: ignore[arg-type]
    )


def job(**params: object) -> Job:
    return make_job(task=make_task(engine=SpecConfig(type="fake", params=dict(params))))


async def test_a_bid_asks_both() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        seen = msgspec.json.decode(await request.read())
        assert seen["Job"]["Tasks"][0]["Engine"]["Type"] == "fake"
        return web.json_response({"ShouldBid": False, "Reason": "the service is against it"})

    async with service(handle) as url:
        bid = await policy(probe_exec="grep -q fake && exit 3", probe_http=url).judge(
            job(), Share()
        )
    assert bid.reasons == (
        'this node does not accept jobs where external command "grep -q fake && exit 3" '
        "returns exit code 3",
        "the service is against it",
    )


async def test_a_bid_that_nobody_is_against() -> None:
    assert (await policy(probe_exec="exit 0").judge(job(), Share())).reasons == ()


async def test_a_job_that_is_too_large_to_be_judged_is_refused() -> None:
    bid = await policy(probe_exec="exit 0").judge(job(Arguments=["x"] * 1001), Share())
    assert bid.reasons == ("this node does not accept jobs with lists of more than 1000 elements",)


async def test_nobody_is_asked_about_a_job_that_does_not_fit(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    huge = make_task(engine=SpecConfig(type="fake"), resources=job().task.resources)
    huge = msgspec.structs.replace(
        huge, resources=msgspec.structs.replace(huge.resources, cpu="1000")
    )
    bid = await policy(probe_exec=f"touch {asked}").judge(make_job(task=huge), Share())
    assert "insufficient resources" in bid.reasons[0]
    assert not asked.exists()
