"""Inputs of jobs, from the command line to the task (spec storage.md 5, J)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.models import JobState
from bacalhau.sources.s3 import S3Source
from bacalhau.testing import s3_server
from tests.support.docker import IMAGE, ODD_IMAGE
from tests.support.env import Env, open_env
from tests.support.inputs import node_with
from tests.support.s3_cases import BOTH, Server, marked, shows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bacalhau.models import Execution, Job
    from tests.support.cli import Outcome
    from tests.support.docker import DockerDaemon
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
F1 = {f"set1/00{n}.txt": b"1" for n in range(1, 4)}


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """An environment without a node, with the credentials of Swift."""
    with open_env(tmp_path) as opened:
        opened.variables.update(s3_server.environment())
        yield opened


@pytest.fixture
def node(env: Env, docker_daemon: DockerDaemon) -> Env:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    env.start_node()
    return env


def ended(env: Env, outcome: Outcome) -> tuple[Job, list[Execution]]:
    found = JOB_ID.search(outcome.stdout)
    assert found, f"{outcome.stdout}\n{outcome.stderr}"
    with env.client() as client:
        return client.job(found[0]).job, list(client.executions(found[0]).items)


def run(env: Env, s3: S3Objects, image: str, script: str, *sources: str) -> str:
    """Run a script with inputs, each ``s3://BUCKET/KEY:TARGET``, and return what it prints."""
    flags: list[str] = []
    for source in sources:
        location, _, target = source.rpartition(":")
        flags += ["-i", f"src={location},dst={target},opt=endpoint={s3.endpoint}"]
    job, executions = ended(
        env, env.cli("docker", "run", *flags, "--entrypoint", "sh", image, "--", "-c", script)
    )
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    return executions[0].run_output.stdout


def left_over(env: Env) -> list[Path]:
    """Return what is left of inputs on the node."""
    root = env.directory / "node" / "compute" / "executions"
    return [path for path in root.glob("*") if path.name != "output"]


def document(s3: S3Objects, bucket: str, inputs: list[dict[str, Any]]) -> str:
    """Return a job that lists what it finds below ``/``; inputs get the server's Endpoint."""
    for item in inputs:
        if "Source" in item:
            item["Source"]["Params"] |= {"Endpoint": s3.endpoint}
            item["Source"]["Params"].setdefault("Bucket", bucket)
    command = {"Image": IMAGE, "Entrypoint": ["sh", "-c"], "Parameters": ["ls /one /two"]}
    task = {"Name": "main", "Engine": {"Type": "docker", "Params": command}}
    return json.dumps({"Type": "batch", "Tasks": [{**task, "InputSources": inputs}]})


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("J01", "Source and Target as separate items of a job file → as one item", Server.SWIFT)
def test_j01_split_items(node: Env, served: S3Objects) -> None:
    items: list[dict[str, Any]] = []
    for target in ("/one", "/two"):
        items += [{"Source": {"Type": "s3", "Params": {"Key": "set1/"}}}, {"Target": target}]
    (node.directory / "job.json").write_text(document(served, served.bucket(F1), items))
    _, (execution,) = ended(node, node.cli("job", "run", "job.json"))
    assert execution.run_output.stdout.count("001.txt\n002.txt\n003.txt\n") == 2


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("A32", "Type `S3` → as `s3`", Server.SWIFT)
def test_a32_type_in_capitals(node: Env, served: S3Objects) -> None:
    items = [
        {"Source": {"Type": "S3", "Params": {"Key": "set1/"}}, "Target": target}
        for target in ("/one", "/two")
    ]
    (node.directory / "job.json").write_text(document(served, served.bucket(F1), items))
    _, (execution,) = ended(node, node.cli("job", "run", "job.json"))
    assert execution.run_output.stdout.count("001.txt\n002.txt\n003.txt\n") == 2


@shows("J02", "two inputs with the same Target → error at submission", Server.SWIFT)
def test_j02_same_target(env: Env, served: S3Objects) -> None:
    env.start_node("-c", "Engines.Disabled=docker")
    items = [
        {"Source": {"Type": "s3", "Params": {"Key": key}}, "Target": "/one"}
        for key in ("set1/", "set1/001.txt")
    ]
    (env.directory / "job.json").write_text(document(served, served.bucket(F1), items))
    outcome = env.cli("job", "run", "job.json")
    assert outcome.code == 1
    assert "input source with target '/one' already exists" in outcome.stderr


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("J03", "`-i` twice with one source and two targets → both", Server.SWIFT)
def test_j03_one_source_twice(node: Env, served: S3Objects) -> None:
    source = f"s3://{served.bucket(F1)}/set1/"
    printed = run(node, served, IMAGE, "ls /one /two", f"{source}:/one", f"{source}:/two")
    assert printed.count("001.txt\n002.txt\n003.txt\n") == 2


TARGETS = {
    "J04": ("set1/001.txt", "/in", "/in/001.txt"),
    "J05": ("set1/001.txt", "/in/001.txt", "/in/001.txt"),
    "J06": ("set1/001.txt", "/in/001.txt/", "/in/001.txt/001.txt"),
    "J07": ("data", "/data", "/data/data"),
}


@pytest.mark.parametrize(
    ("key", "target", "path", "served"),
    [
        pytest.param(
            *case,
            server,
            id=f"{row}-{server.name.lower()}",
            marks=marked(row, "Key `{}`, Target `{}` → `{}`".format(*case), server),
        )
        for row, case in TARGETS.items()
        for server in BOTH
    ],
    indirect=["served"],
)
async def test_target(served: S3Objects, tmp_path: Path, key: str, target: str, path: str) -> None:
    bucket = served.bucket({"set1/001.txt": b"1", "data": b"d"})
    async with node_with(S3Source, tmp_path) as place:
        found = await place.fetch(
            {"Bucket": bucket, "Key": key, "Endpoint": served.endpoint}, target
        )
    (name,) = found.seen
    assert found.volume.target == target
    assert (f"{target.rstrip('/')}/{name}" if name else target) == path
    assert found.plan.is_file is (name == "")


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("J08", "an image with `USER 1000` reads its input", Server.SWIFT)
def test_j08_ordinary_user(node: Env, served: S3Objects) -> None:
    bucket = served.bucket({"d/deep/a": b"readable"})
    printed = run(node, served, ODD_IMAGE, "id -u; cat /in/deep/a", f"s3://{bucket}/d/:/in")
    assert printed == "1000\nreadable"


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("J09", "a task writes into its input → the bucket stays as it is", Server.SWIFT)
def test_j09_writing_into_the_input(node: Env, served: S3Objects) -> None:
    bucket = served.bucket({"d/a": b"before"})
    script = "echo after > /in/a; echo new > /in/b; cat /in/a /in/b"
    printed = run(node, served, IMAGE, script, f"s3://{bucket}/d/:/in")
    assert printed == "after\nnew\n"
    assert served.client.get_object(Bucket=bucket, Key="d/a")["Body"].read() == b"before"
    assert served.client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    node.wait_until(lambda: not left_over(node), "the input directory is gone")


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("J10", "the execution has ended → its inputs are gone", Server.SWIFT)
def test_j10_inputs_end_with_the_execution(node: Env, served: S3Objects) -> None:
    source = f"s3://{served.bucket(F1)}/set1/:/in"
    script = "ls /in | wc -l"
    assert run(node, served, IMAGE, script, source) == "3\n"
    node.wait_until(lambda: not left_over(node), "the input directory is gone")


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("J11", "the second of three inputs fails → nothing is left of any", Server.SWIFT)
def test_j11_one_input_fails(node: Env, served: S3Objects) -> None:
    bucket = served.bucket({"a": b"1", "b": b"2", "c": b"3"})
    wrong = f',"opt=checksum256={"0" * 64}"'
    flags: list[str] = []
    for key, option in (("a", ""), ("b", wrong), ("c", "")):
        place = f"src=s3://{bucket}/{key},dst=/{key},opt=endpoint={served.endpoint}"
        flags += ["-i", place + option]
    job, _ = ended(node, node.cli("docker", "run", *flags, IMAGE, "true"))
    assert job.state.state_type is JobState.FAILED
    assert f"checksum mismatch for s3://{bucket}/b" in job.state.message
    node.wait_until(lambda: not left_over(node), "the input directories are gone")


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@shows("I21", "more bytes than the node has disk for → no bid, with both amounts", Server.SWIFT)
def test_i21_more_than_the_disk(env: Env, docker_daemon: DockerDaemon, served: S3Objects) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    env.start_node("-c", "Compute.AllocatedCapacity.Disk=1MB")
    bucket = served.bucket({"p/a": bytes(600_000), "p/b": bytes(600_000)})
    source = f"src=s3://{bucket}/p/,dst=/in,opt=endpoint={served.endpoint}"
    job, _ = ended(env, env.cli("docker", "run", "-i", source, IMAGE, "true"))
    assert job.state.state_type is JobState.FAILED
    assert "1.2" in job.state.message + str(job.state.details)
