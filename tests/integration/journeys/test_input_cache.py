"""The cache of inputs of a node that is killed, and of one that is started again."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import urllib.request
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.models import JobState
from tests.support.engines import compile_text
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.input_cache import stored_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.env import Env
    from tests.support.s3 import S3Objects

JOBS = 10
KILLS = 5
SMALL_COUNT = 20
FILES = SMALL_COUNT + 1
LARGE = b"0123456789abcde\n" * (12 * 65536)
FLAGS = ("--name", "n-kept")
ENDLESS = '(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))'


def objects(number: int) -> dict[str, bytes]:
    small = {f"{number}/small{each}": b"few words\n" for each in range(SMALL_COUNT)}
    return {f"{number}/large": LARGE + str(number).encode(), **small}


def submit(env: Env, bucket: str, number: int, endpoint: str) -> str:
    source = f"src=s3://{bucket}/{number}/,dst=/inputs,opt=endpoint={endpoint}"
    outcome = env.cli("wasm", "run", "--wait=false", "-i", source, "wordcount.wasm")
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout.strip()


def wait_completed(env: Env, job_id: str) -> None:
    with env.client() as client:
        env.wait_until(lambda: client.job(job_id).job.is_terminal, "the job has ended")
        assert client.job(job_id).job.state.state_type is JobState.COMPLETED


class StallingJudge:
    """Lets no transfer of large objects end, and every third of small ones stall.

    ``enough`` is set once some have stalled, at places that differ each time.
    """

    def __init__(self, chance: random.Random) -> None:
        self.enough = asyncio.Event()
        self._chance = chance
        self._left = chance.randint(1, 2)

    def __call__(self, head: str) -> Fault | None:
        path = head.split(" ")[1].partition("?")[0]
        if path.endswith("/large"):
            fault = Fault(after_bytes=self._chance.randrange(3 * 2**20), stalls=True)
        elif "/small" in path and self._chance.random() < 1 / 3:
            fault = Fault(after_bytes=self._chance.randrange(200), stalls=True)
        else:
            return None
        self._left -= 1
        if self._left <= 0:
            self.enough.set()
        return fault


def statistics(env: Env) -> dict[str, Any]:
    port = env.variables["BACALHAU_API_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/agent/debug") as answer:
        found: dict[str, Any] = json.load(answer)["InputCache"]
    return found


def check_every_byte_has_an_owner(node_directory: Path, *, files: int) -> None:
    cache = node_directory / "compute" / "cache"
    with closing(sqlite3.connect(cache / "index.db")) as database:
        known = dict(database.execute("SELECT name, size_bytes FROM files"))
    stored = {path.name: path.stat().st_size for path in stored_files(cache)}
    assert stored == known
    assert len(stored) == files
    executions = node_directory / "compute" / "executions"
    assert [path.name for path in executions.iterdir()] == ["output"]


async def test_a_node_killed_while_it_fetches_leaves_no_byte_without_an_owner(
    env: Env, s3_objects: S3Objects
) -> None:
    """Fifty kills: each job is begun anew several times, and ends right."""
    bucket = s3_objects.bucket({k: v for n in range(JOBS) for k, v in objects(n).items()})
    directory = env.directory / "node"
    chance = random.Random(50)
    async with fault_proxy(s3_objects.endpoint) as proxy:
        node = await asyncio.to_thread(env.start_node, *FLAGS)
        for number in range(JOBS):
            judge = proxy.judge = StallingJudge(chance)
            job = await asyncio.to_thread(submit, env, bucket, number, proxy.endpoint)
            for kill in range(KILLS):
                await judge.enough.wait()
                node.signal(signal.SIGKILL)
                node.popen.wait()
                judge = StallingJudge(chance)
                proxy.judge = judge if kill < KILLS - 1 else lambda _: None
                node = await asyncio.to_thread(env.start_node, *FLAGS)
            await asyncio.to_thread(wait_completed, env, job)
            await _check_soon(env, directory, files=FILES * (number + 1))
        await _check_warm(env, bucket, proxy)


async def _check_soon(env: Env, directory: Path, *, files: int) -> None:
    """Once the job has been cleaned up, which is soon after its end is known."""
    executions = directory / "compute" / "executions"
    gone = partial(_only_output, executions)
    await asyncio.to_thread(env.wait_until, gone, "the inputs are removed")
    check_every_byte_has_an_owner(directory, files=files)


def _only_output(executions: Path) -> bool:
    return [path.name for path in executions.iterdir()] == ["output"]


async def _check_warm(env: Env, bucket: str, proxy: FaultProxy) -> None:
    proxy.requests.clear()
    before = await asyncio.to_thread(statistics, env)
    job = await asyncio.to_thread(submit, env, bucket, 0, proxy.endpoint)
    await asyncio.to_thread(wait_completed, env, job)
    after = await asyncio.to_thread(statistics, env)
    asked = [head.split("\r")[0] for head in proxy.requests]
    assert asked
    assert all("list-type=2" in line for line in asked), asked
    assert after["Hits"] - before["Hits"] == FILES
    assert after["Objects"] == FILES * JOBS
    assert after["SizeBytes"] == sum(
        map(len, (d for n in range(JOBS) for d in objects(n).values()))
    )


def test_a_cache_of_no_size_keeps_nothing(env: Env, s3_objects: S3Objects) -> None:
    bucket = s3_objects.bucket(objects(0))
    node = env.start_node(*FLAGS)
    wait_completed(env, submit(env, bucket, 0, s3_objects.endpoint))
    assert node.stop() == 0
    env.start_node(*FLAGS, "-c", "InputSources.Cache.Size=0")
    wait_completed(env, submit(env, bucket, 0, s3_objects.endpoint))
    assert not (env.directory / "node" / "compute" / "cache").exists()


@pytest.mark.parametrize("mount", [(), ("-c", "InputSources.MountReadOnly=true")])
def test_tasks_share_what_they_cannot_write_to(
    env: Env, s3_objects: S3Objects, mount: tuple[str, ...]
) -> None:
    """A module that never ends shows what lies there while it runs: WebAssembly cannot write."""
    bucket = s3_objects.bucket(objects(0))
    env.start_node(*FLAGS, *mount)
    (env.directory / "endless.wasm").write_bytes(compile_text(ENDLESS))
    source = f"src=s3://{bucket}/0/,dst=/inputs,opt=endpoint={s3_objects.endpoint}"
    outcome = env.cli("wasm", "run", "--wait=false", "-i", source, "endless.wasm")
    assert outcome.code == 0, outcome.stderr
    kept = env.directory / "node" / "compute" / "cache"
    env.wait_until(
        lambda: [file.stat().st_nlink for file in stored_files(kept)] == [2] * FILES,
        "the task and the cache share all files",
    )
