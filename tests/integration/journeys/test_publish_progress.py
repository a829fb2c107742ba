"""Whoever waits for results sees how far they have come: in run, history, description and API."""

from __future__ import annotations

import asyncio
import re
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import Topic
from tests.support.fault_proxy import fault_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.env import Env, Process
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
is_held: ContextVar[bool] = ContextVar("is_held")


@pytest.mark.parametrize(
    ("encoding", "held", "words"),
    [
        ("plain", "/exitCode", r"Publishing results: 3 of 4 files, (\d+) of (\d+) bytes"),
        ("gzip", ".tar.gz", r"Publishing results: (0) of (\d+) bytes"),
    ],
    ids=["plain", "gzip"],
)
async def test_progress_of_an_upload_that_takes_long(
    env: Env, s3_objects: S3Objects, encoding: str, held: str, words: str
) -> None:
    bucket = s3_objects.new_bucket()
    let_go = asyncio.Event()

    def hold_one(head: str) -> None:
        is_held.set(head.startswith("PUT ") and held in head.partition("\r\n")[0])

    async def pause() -> None:
        if is_held.get():
            await let_go.wait()

    async with fault_proxy(s3_objects.endpoint) as proxy:
        proxy.judge, proxy.pause = hold_one, pause
        await asyncio.to_thread(
            env.start_node, "-c", f"Compute.AllowListedS3Endpoints={proxy.endpoint}"
        )
        place = f"s3://{bucket}/{{executionID}},opt=endpoint={proxy.endpoint}"
        run = env.start_cli(
            "wasm", "run", "-p", f"{place},opt=encoding={encoding}", "wordcount.wasm"
        )
        job_id = await asyncio.to_thread(env.wait_until, lambda: job_of(env), "there is a job")
        for told in await asyncio.to_thread(told_by_all, env, run, job_id, re.compile(words)):
            assert int(told[1]) < int(told[2]), told[0]
        let_go.set()
        await asyncio.to_thread(env.wait_until, lambda: not run.is_alive, "the job ends")
    assert run.popen.returncode == 0, run.tail()
    assert len(re.findall(words, run.log.read_text())) == 1, "the same is not told twice"
    assert publishing(env, job_id) == []
    for command in ("history", "describe"):
        assert "Publishing results" not in env.cli("job", command, job_id).stdout


def told_by_all(env: Env, run: Process, job_id: str, words: re.Pattern[str]) -> list[re.Match[str]]:
    """Wait until everything that shows a job tells of its results."""
    shown = {
        "run": run.log.read_text,
        "history": lambda: env.cli("job", "history", job_id).stdout,
        "describe": lambda: env.cli("job", "describe", job_id).stdout,
        "the API": lambda: "\n".join(publishing(env, job_id)),
    }

    def find(text: Callable[[], str]) -> re.Match[str] | None:
        return words.search(text())

    return [
        env.wait_until(partial(find, text), f"{name} tells of it") for name, text in shown.items()
    ]


def job_of(env: Env) -> str:
    found = JOB_ID.search(env.cli("job", "list", "--output", "json").stdout)
    return found[0] if found else ""


def publishing(env: Env, job_id: str) -> list[str]:
    """Return what the API's history tells of publishing."""
    with env.client() as client:
        events = [item.event for item in client.history(job_id).items]
    return [event.message for event in events if event.topic == Topic.PUBLISHING_RESULTS]
