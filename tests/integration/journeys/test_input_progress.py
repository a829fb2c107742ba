"""Whoever waits for inputs sees how far they have come: in run, history and description."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.fault_proxy import fault_proxy

if TYPE_CHECKING:
    from tests.support.cli import Outcome
    from tests.support.env import Env
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

OBJECTS = {f"data/{n:02}": bytes([n]) * 100_000 for n in range(20)}
JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
# The module that is run is one of them.
TOLD = re.compile(r"Fetching inputs: (\d+) of 21 objects, \d\.\d of 2\.0 MB")


async def test_progress_of_a_slow_download(env: Env, s3_objects: S3Objects) -> None:
    bucket = s3_objects.bucket(OBJECTS)
    node = await asyncio.to_thread(env.start_node)
    async with fault_proxy(s3_objects.endpoint) as proxy, asyncio.TaskGroup() as group:
        proxy.piece_bytes = 20_000
        proxy.pause = lambda: asyncio.sleep(0.7 + len(proxy.requests) % 10 / 10)
        source = f"src=s3://{bucket}/data/,dst=/inputs,opt=endpoint={proxy.endpoint}"
        command = ("wasm", "run", "--wait-timeout-secs", "60", "-i", source, "wordcount.wasm")
        run = group.create_task(asyncio.to_thread(env.cli, *command))
        job_id, seen = await seen_until(run, env)
    outcome = run.result()
    assert outcome.code == 0, f"{outcome.stderr}\n{node.tail()}"
    told = TOLD.findall(outcome.stdout)
    assert told, outcome.stdout
    assert len(set(told)) == len(told), "the same is not told twice"
    assert seen == {"history", "describe"}
    after = await asyncio.to_thread(env.cli, "job", "history", job_id)
    assert "Fetching inputs" not in after.stdout


async def seen_until(run: asyncio.Task[Outcome], env: Env) -> tuple[str, set[str]]:
    """Return the job, and which commands told of its progress before the run was over."""
    seen: set[str] = set()
    job_id = ""
    while not run.done():
        if not job_id:
            listed = await asyncio.to_thread(env.cli, "job", "list", "--output", "json")
            found = JOB_ID.search(listed.stdout)
            job_id = found[0] if found else ""
            continue
        for command in ("history", "describe"):
            shown = await asyncio.to_thread(env.cli, "job", command, job_id)
            if "Fetching inputs: " in shown.stdout:
                seen.add(command)
    return job_id, seen
