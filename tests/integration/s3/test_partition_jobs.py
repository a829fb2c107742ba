"""Jobs whose executions share an input: real server, real node (spec storage.md 9.1, P)."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.models import ComputeState, JobState
from bacalhau.testing import s3_server
from tests.support.engines import compile_text
from tests.support.env import Env, open_env
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.s3_cases import Server, shows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models import Execution, Job
    from tests.support.cli import Outcome
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

WORDCOUNT = Path(__file__).parents[3] / "examples" / "wordcount" / "wordcount.wat"
JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
COUNTED = re.compile(r"^ +\d+ +\d+ +\d+  (\S+\.txt)$", re.MULTILINE)
CHANGED = b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
EIGHT = {f"b/{n}.txt": b"word " * (n + 1) for n in range(8)}


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """An environment without a node, with the credentials of Swift, and the word counter."""
    (tmp_path / "wordcount.wasm").write_bytes(compile_text(WORDCOUNT.read_text()))
    with open_env(tmp_path) as opened:
        opened.variables.update(s3_server.environment())
        yield opened


def document(env: Env, kind: str, count: int, params: dict[str, Any]) -> str:
    """Write a job that counts the words of an input, and return the file's name."""
    module = base64.b64encode((env.directory / "wordcount.wasm").read_bytes()).decode()
    entry = {"Type": "inline", "Params": {"URL": f"data:application/wasm;base64,{module}"}}
    task = {
        "Name": "main",
        "Engine": {"Type": "wasm", "Params": {"EntryModule": {"Source": entry}}},
        "InputSources": [{"Source": {"Type": "s3", "Params": params}, "Target": "/inputs"}],
    }
    text = json.dumps({"Type": kind, "Count": count, "Tasks": [task]})
    (env.directory / "job.json").write_text(text)
    return "job.json"


def ended(env: Env, outcome: Outcome) -> tuple[Job, list[Execution]]:
    found = JOB_ID.search(outcome.stdout)
    assert found, f"{outcome.stdout}\n{outcome.stderr}"
    with env.client() as client:
        return client.job(found[0]).job, list(client.executions(found[0]).items)


def read_by(execution: Execution) -> list[str]:
    """Return the names of the files that the task has counted."""
    return COUNTED.findall(execution.run_output.stdout)


def completed(executions: list[Execution]) -> dict[int, list[str]]:
    """Return what was read, by partition."""
    done = [run for run in executions if run.compute_state.state_type is ComputeState.COMPLETED]
    read = {run.partition_index: read_by(run) for run in done}
    assert len(read) == len(done), "no partition is done twice"
    return read


def all_of(read: dict[int, list[str]]) -> list[str]:
    """Return everything that was read, as often as it was, sorted."""
    return sorted(name for names in read.values() for name in names)


@pytest.mark.parametrize("partition", [None, {"Type": "object"}], ids=["none", "object"])
@shows("P10", "an ops job reads everything, with a Partition or without", Server.SWIFT)
def test_p10_ops_job(env: Env, served: S3Objects, partition: dict[str, Any] | None) -> None:
    """v1.9.3 fails here: it divides by a count of 0."""
    env.start_node("-c", "Engines.Disabled=docker")
    params = {"Bucket": served.bucket(EIGHT), "Key": "b/", "Endpoint": served.endpoint}
    name = document(env, "ops", 5, {**params, **({"Partition": partition} if partition else {})})
    job, executions = ended(env, env.cli("job", "run", name))
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    assert [sorted(read_by(run)) for run in executions] == [[f"{n}.txt" for n in range(8)]]


@shows("P05b", "an execution without objects runs; its history tells it", Server.SWIFT)
def test_p05b_empty_part(env: Env, served: S3Objects) -> None:
    env.start_node("-c", "Engines.Disabled=docker")
    params = {"Bucket": served.bucket(EIGHT), "Key": "b/", "Endpoint": served.endpoint}
    partition = {"Type": "regex", "Pattern": "()"}
    name = document(env, "batch", 2, {**params, "Partition": partition})
    job, executions = ended(env, env.cli("job", "run", name))
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    assert {run: len(names) for run, names in completed(executions).items()} == {0: 8, 1: 0}
    history = env.cli("job", "history", job.id, "--wide").stdout
    assert history.count("b/: no object of 8 belongs to partition 1 (of 0 to 1)") == 1


@shows("P05c", "one object for two executions: told at once, and by who gets none", Server.SWIFT)
def test_p05c_single_object(env: Env, served: S3Objects) -> None:
    env.start_node("-c", "Engines.Disabled=docker")
    params = {"Bucket": served.bucket(EIGHT), "Key": "b/0.txt", "Endpoint": served.endpoint}
    name = document(env, "batch", 2, {**params, "Partition": {"Type": "object"}})
    result = env.cli("job", "run", "--show-warnings", name)
    assert 'Partition gives "b/0.txt", a single object, to one execution alone' in (
        result.stdout + result.stderr
    )
    job, executions = ended(env, result)
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    assert sorted(len(names) for names in completed(executions).values()) == [0, 1]
    history = env.cli("job", "history", job.id, "--wide").stdout
    assert history.count("b/0.txt: no object of 1 belongs to partition") == 1


TYPES = {
    "object": [],
    "regex": [r"opt=partition-pattern=(\d)\.txt"],
    "substring": ["opt=partition-start-index=0", "opt=partition-end-index=2"],
    "date": ["opt=partition-date-format=02"],
    "balanced": [],
}


@pytest.mark.parametrize("kind", TYPES)
@shows("P12", "Count 3, every type, from the command line → each object is read once", Server.SWIFT)
def test_p12_each_object_is_read_once(env: Env, served: S3Objects, kind: str) -> None:
    objects = {f"d/{n:02}.txt": b"word " * n for n in range(1, 25)}
    env.start_node("-c", "Engines.Disabled=docker")
    source = f"src=s3://{served.bucket(objects)}/d/,dst=/inputs,opt=endpoint={served.endpoint}"
    options = ",".join([source, f"opt=partition-type={kind}", *TYPES[kind]])
    command = ("wasm", "run", "--count", "3", "-i", options, "wordcount.wasm")
    job, executions = ended(env, env.cli(*command))
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    read = completed(executions)
    assert sorted(read) == [0, 1, 2]
    assert all(read.values())
    assert all_of(read) == sorted(key.removeprefix("d/") for key in objects)


@pytest.mark.parametrize("kind", ["object", "balanced"])
@shows("P13", "one execution fails and is tried again → it reads the same objects", Server.SWIFT)
async def test_p13_one_partition_is_tried_again(env: Env, served: S3Objects, kind: str) -> None:
    """The others go on; nothing is read twice, and nothing is left out."""
    await asyncio.to_thread(env.start_node, "-c", "Engines.Disabled=docker")
    failed: list[str] = []

    def judge(head: str) -> Fault | None:
        is_object = re.match(r"GET /\S+/2\.txt", head)
        if not is_object or failed:
            return None
        failed.append(head)
        return Fault(instead=CHANGED)

    async with fault_proxy(served.endpoint) as proxy:
        proxy.judge = judge
        params = {"Bucket": served.bucket(EIGHT), "Key": "b/", "Endpoint": proxy.endpoint}
        name = document(env, "batch", 4, {**params, "Partition": {"Type": kind}})
        job, executions = ended(env, await asyncio.to_thread(env.cli, "job", "run", name))
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    (lost,) = [run for run in executions if run.compute_state.state_type is ComputeState.FAILED]
    read = completed(executions)
    assert sorted(read) == [0, 1, 2, 3]
    assert "2.txt" in read[lost.partition_index]
    assert all_of(read) == sorted(key.removeprefix("b/") for key in EIGHT)


@shows("P14", "`balanced`, and the bucket changes before a retry → the job ends", Server.SWIFT)
async def test_p14_another_listing_is_refused(env: Env, served: S3Objects) -> None:
    """With another division, objects would be read twice or never."""
    await asyncio.to_thread(env.start_node, "-c", "Engines.Disabled=docker")
    bucket = served.new_bucket()
    for key, data in EIGHT.items():
        served.client.put_object(Bucket=bucket, Key=key, Body=data)
    failed: list[str] = []

    def judge(head: str) -> Fault | None:
        if failed or not re.match(r"GET /\S+/2\.txt", head):
            return None
        failed.append(head)
        served.client.put_object(Bucket=bucket, Key="b/8.txt", Body=b"word " * 100)
        return Fault(instead=CHANGED)

    async with fault_proxy(served.endpoint) as proxy:
        proxy.judge = judge
        params = {"Bucket": bucket, "Key": "b/", "Endpoint": proxy.endpoint}
        name = document(env, "batch", 4, {**params, "Partition": {"Type": "balanced"}})
        outcome = await asyncio.to_thread(env.cli, "job", "run", name)
        job, executions = ended(env, outcome)
    assert job.state.state_type is JobState.FAILED
    assert 'the input for "/inputs" has changed since the job began' in job.state.message
    codes = {run.compute_state.details.get("ErrorCode") for run in executions}
    assert "InputSources:InputListingChanged" in codes
    assert "run the job again; or divide by object, regex" in outcome.stderr
    assert "8.txt" not in all_of(completed(executions))
