"""Results in S3, from the task that writes them to a user who has no credentials for S3."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.models import JobState
from bacalhau.testing import s3_server
from tests.support import rgw
from tests.support.docker import IMAGE
from tests.support.s3_cases import BOTH, Server

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.models import SpecConfig
    from tests.support.cli import Outcome
    from tests.support.docker import DockerDaemon
    from tests.support.env import Env
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3
JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
MEBIBYTES = 20
SCRIPT = f"""
echo said
mkdir -p "/outputs/deep/a b+c%20d"
echo odd > "/outputs/deep/a b+c%20d/é&=?#.txt"
head -c {MEBIBYTES * 1024 * 1024} /dev/zero > /outputs/large
"""
FILES = {
    "stdout": b"said\n",
    "stderr": b"",
    "exitCode": b"0",
    "outputs/deep/a b+c%20d/é&=?#.txt": b"odd\n",
    "outputs/large": bytes(MEBIBYTES * 1024 * 1024),
}


@pytest.fixture
def docker_host(env: Env, docker_daemon: DockerDaemon) -> None:
    """Let the node that is started next find Docker."""
    env.variables["DOCKER_HOST"] = docker_daemon.host


@pytest.fixture
def node(request: pytest.FixtureRequest, env: Env) -> tuple[Env, S3Objects]:
    """A node with credentials for a server; commands of the same environment have none."""
    is_swift = request.param is Server.SWIFT
    objects: S3Objects = request.getfixturevalue("s3_objects" if is_swift else "rgw_objects")
    if not is_swift:
        env.variables.update(rgw.OWNER.environment)
    env.start_node()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del env.variables[name]
    return env, objects


EACH_SERVER = pytest.mark.parametrize(
    "node", BOTH, indirect=True, ids=[server.name.lower() for server in BOTH]
)


def completed(env: Env, outcome: Outcome) -> tuple[str, SpecConfig]:
    """Return the id of a job that has completed, and its result as the API tells it."""
    found = JOB_ID.search(outcome.stdout)
    assert found, f"{outcome.stdout}\n{outcome.stderr}"
    with env.client() as client:
        job = client.job(found[0]).job
        assert job.state.state_type is JobState.COMPLETED, outcome.stdout
        (result,) = client.results(found[0])
    return found[0], result


def downloaded(env: Env, job_id: str, name: str) -> dict[str, bytes]:
    """Run ``job get``, and return the files that it leaves."""
    target = env.directory / name
    target.mkdir()
    outcome = env.cli("job", "get", job_id, "--output-dir", str(target))
    assert outcome.code == 0, f"{outcome.stdout}\n{outcome.stderr}"
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def got(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


@EACH_SERVER
@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_results_of_a_container_arrive_without_credentials(
    docker_host: None, node: tuple[Env, S3Objects]
) -> None:
    env, objects = node
    bucket = objects.new_bucket()
    for encoding in ("gzip", "plain"):
        place = f"s3://{bucket}/r {encoding}/{{jobID}}/{{executionID}}"
        publisher = f"{place},opt=endpoint={objects.endpoint},opt=encoding={encoding}"
        outcome = env.cli(
            *("docker", "run", "-p", publisher, "-o", "outputs:/outputs"),
            *(IMAGE, "--", "sh", "-c", SCRIPT),
        )
        job_id, result = completed(env, outcome)
        assert result.type == "s3PreSigned"
        assert downloaded(env, job_id, f"got-{encoding}") == FILES
    links = {file["Path"]: file["PreSignedURL"] for file in result.params["Files"]}
    assert {name: got(link) for name, link in links.items()} == FILES
    with pytest.raises(urllib.error.HTTPError) as caught:
        got(links["stdout"].partition("?")[0])
    with caught.value as refusal:
        assert refusal.code in (400, 403)  # Swift takes it for a request of its own protocol


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@pytest.mark.parametrize("node", [Server.SWIFT], indirect=True)
def test_names_that_are_no_utf8_arrive_as_they_are(
    docker_host: None, node: tuple[Env, S3Objects]
) -> None:
    env, objects = node
    publisher = f"s3://{objects.new_bucket()}/{{executionID}},opt=endpoint={objects.endpoint}"
    script = r"""echo said > "$(printf '/outputs/a\377b')" """
    flags = ("-p", publisher, "-o", "outputs:/outputs")
    outcome = env.cli("docker", "run", *flags, IMAGE, "--", "sh", "-c", script)
    job_id, _ = completed(env, outcome)
    files = downloaded(env, job_id, "got")
    assert files[os.fsdecode(b"outputs/a\xffb")] == b"said\n"
    assert r"outputs/a\xffb" in env.cli("job", "describe", job_id).stdout
    assert downloaded(env, job_id, "path") == files


@EACH_SERVER
@pytest.mark.parametrize("encoding", ["gzip", "plain"])
def test_results_of_webassembly_arrive_without_credentials(
    node: tuple[Env, S3Objects], encoding: str
) -> None:
    env, objects = node
    bucket = objects.new_bucket()
    objects.client.put_object(Bucket=bucket, Key="in/a.txt", Body=b"one two\n")
    endpoint = f"opt=endpoint={objects.endpoint}"
    outcome = env.cli(
        *("wasm", "run", "-i", f"src=s3://{bucket}/in/,dst=/inputs,{endpoint}"),
        *("-p", f"s3://{bucket}/out/,{endpoint},opt=encoding={encoding}", "wordcount.wasm"),
    )
    job_id, result = completed(env, outcome)
    assert result.type == "s3PreSigned"
    files = downloaded(env, job_id, "got")
    assert set(files) == {"stdout", "stderr", "exitCode", "outputs/counts.txt"}
    assert b"a.txt" in files["outputs/counts.txt"]
    assert downloaded(env, f"{job_id}/outputs/counts.txt", "path") == {
        "outputs/counts.txt": files["outputs/counts.txt"]
    }
    again = env.cli("job", "get", job_id, "--output-dir", str(env.directory / "got"))
    assert again.code == 0, f"{again.stdout}\n{again.stderr}"


def test_place_of_results_is_all_that_there_is_without_signing(
    env: Env, s3_objects: S3Objects, tmp_path: Path
) -> None:
    env.start_node("-c", "Publishers.Types.S3.PreSignedURLDisabled=true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del env.variables[name]
    bucket = s3_objects.new_bucket()
    s3_objects.client.put_object(Bucket=bucket, Key="in/a.txt", Body=b"one two\n")
    endpoint = f"opt=endpoint={s3_objects.endpoint}"
    outcome = env.cli(
        *("wasm", "run", "-i", f"src=s3://{bucket}/in/,dst=/inputs,{endpoint}"),
        *("-p", f"s3://{bucket}/out/{{executionID}},{endpoint}", "wordcount.wasm"),
    )
    job_id, result = completed(env, outcome)
    assert result.type == "s3"
    told = env.cli("job", "get", job_id, "--output-dir", str(tmp_path))
    assert "s3" in told.stdout + told.stderr
    assert not (tmp_path / "stdout").exists()


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@pytest.mark.parametrize("node", [Server.SWIFT], indirect=True)
def test_node_that_is_killed_while_it_publishes_publishes_anew(
    docker_host: None, node: tuple[Env, S3Objects]
) -> None:
    env, objects = node
    bucket = objects.new_bucket()
    env.variables.update(s3_server.environment())
    size = 200 * 1024 * 1024
    script = f"head -c {size} /dev/zero > /outputs/large"
    publisher = f"s3://{bucket}/{{executionID}},opt=endpoint={objects.endpoint},opt=encoding=plain"
    flags = ("--wait=false", "--id-only", "-p", publisher, "-o", "outputs:/outputs")
    outcome = env.cli("docker", "run", *flags, IMAGE, "--", "sh", "-c", script)
    job_id = outcome.stdout.strip()

    def begun() -> list[Any]:
        return list(objects.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []))

    env.wait_until(begun, "an upload has begun")
    killed = env.processes[0]
    killed.kill_group()
    assert begun(), "the node is killed amid the upload"
    env.start_node()

    def state() -> bool:
        with env.client() as client:
            return client.job(job_id).job.is_terminal

    env.wait_until(state, "the job has ended")
    with env.client() as client:
        (result,) = client.results(job_id)
        assert client.job(job_id).job.state.state_type is JobState.COMPLETED
    assert begun() == []
    files = {file["Path"]: file for file in result.params["Files"]}
    assert files["outputs/large"]["SizeBytes"] == size
    assert files["outputs/large"]["SHA256"] == hashlib.sha256(bytes(size)).hexdigest()
