"""Jobs over data that are on the node already, and jobs that a node does not want."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from bacalhau.models import JobState
from tests.support.docker import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.models import Job
    from tests.support.cli import Outcome
    from tests.support.docker import DockerDaemon
    from tests.support.env import Env
    from tests.support.s3 import S3Objects

JOB_ID = re.compile(r"j-[0-9a-f-]{36}")


@pytest.fixture
def data(env: Env) -> Path:
    """A directory with data, on the node's list below ``data``."""
    data = env.directory / "data"
    data.mkdir()
    (data / "a.txt").write_text("one two\nthree\n")
    return data


def start(env: Env, *allowed: str, flags: tuple[str, ...] = ()) -> None:
    env.start_node("-c", f"Compute.AllowListedLocalPaths={','.join(allowed)}", *flags)


def finished(env: Env, outcome: Outcome) -> Job:
    found = JOB_ID.search(outcome.stdout)
    assert found, f"{outcome.stdout}\n{outcome.stderr}"
    with env.client() as client:
        return client.job(found[0]).job


def stdout(env: Env, job: Job) -> str:
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    with env.client() as client:
        (execution,) = client.executions(job.id).items
    return execution.run_output.stdout


def submit(env: Env, *, kind: str, params: dict[str, object], command: str) -> Outcome:
    """Run a Docker job with one local input at ``/data``."""
    document = {
        "Type": "batch",
        "Tasks": [
            {
                "Name": "main",
                "Engine": {
                    "Type": "docker",
                    "Params": {"Image": IMAGE, "Parameters": ["sh", "-c", command]},
                },
                "InputSources": [{"Source": {"Type": kind, "Params": params}, "Target": "/data"}],
            }
        ],
    }
    (env.directory / "job.json").write_bytes(msgspec.json.encode(document))
    return env.cli("job", "run", "--show-warnings", "job.json")


# -- webassembly ------------------------------------------------------------------------


def test_webassembly_reads_a_directory_that_is_on_the_list(env: Env, data: Path) -> None:
    start(env, f"{data}/**")

    outcome = env.cli("wasm", "run", "-i", f"file://{data}", "-p", "local", "wordcount.wasm")

    job = finished(env, outcome)
    assert job.state.state_type is JobState.COMPLETED, job.state.message
    target = env.directory / "results"
    target.mkdir()
    assert env.cli("job", "get", job.id, "--output-dir", str(target)).code == 0
    table = (target / "outputs" / "counts.txt").read_text()
    assert ["2", "3", "14", "a.txt"] in [line.split() for line in table.splitlines()]
    assert (data / "a.txt").read_text() == "one two\nthree\n"


def test_webassembly_reads_a_single_file(env: Env, data: Path) -> None:
    start(env, f"{data}/**:rw")

    source = f"file://{data}/a.txt:/inputs/a.txt"
    outcome = env.cli("wasm", "run", "-i", source, "-p", "local", "wordcount.wasm")

    assert finished(env, outcome).state.state_type is JobState.COMPLETED
    assert (data / "a.txt").read_text() == "one two\nthree\n"


def test_what_is_not_on_the_list_is_refused_with_its_reason(env: Env, data: Path) -> None:
    start(env, f"{data}/other/**")

    outcome = env.cli("wasm", "run", "-i", f"file://{data}", "wordcount.wasm")

    job = finished(env, outcome)
    assert job.state.state_type is JobState.FAILED
    assert f"rejected bid: volume {data} is not allowlisted" in job.state.message


def test_a_path_that_climbs_is_refused_before_it_is_a_job(env: Env, data: Path) -> None:
    start(env, f"{data}/**")
    outcome = env.cli("wasm", "run", "-i", f"file://{data}/../secret", "wordcount.wasm")
    assert outcome.code != 0
    assert 'contains ".."' in outcome.stderr
    assert not JOB_ID.search(outcome.stdout)


def test_without_a_list_no_node_offers_local_paths(env: Env, data: Path) -> None:
    env.start_node()
    outcome = env.cli("wasm", "run", "-i", f"file://{data}", "wordcount.wasm")
    job = finished(env, outcome)
    assert job.state.state_type is JobState.FAILED
    assert "localdirectory" in job.state.message


# -- docker -----------------------------------------------------------------------------


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@pytest.mark.parametrize("kind", ["local", "localDirectory"])
def test_docker_sees_the_data_itself_and_may_not_write(
    env: Env, data: Path, docker_daemon: DockerDaemon, kind: str
) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    start(env, f"{data}/**:rw")

    outcome = submit(
        env,
        kind=kind,
        params={"Path": str(data)},
        command="cat /data/a.txt; touch /data/new || echo refused",
    )

    assert stdout(env, finished(env, outcome)) == "one two\nthree\nrefused\n"
    assert "Path is understood as SourcePath" in outcome.stdout + outcome.stderr
    assert [path.name for path in data.iterdir()] == ["a.txt"]


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_docker_writes_where_it_may_and_nothing_is_removed(
    env: Env, data: Path, docker_daemon: DockerDaemon
) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    start(env, f"{data}/**:rw")

    outcome = submit(
        env,
        kind="local",
        params={"SourcePath": f"{data}/out", "ReadWrite": True, "CreateAs": "dir"},
        command="echo done > /data/result",
    )

    assert stdout(env, finished(env, outcome)) == ""
    root = env.directory / "node" / "compute" / "executions"
    env.wait_until(
        lambda: [path.name for path in root.iterdir()] == ["output"], "the inputs are gone"
    )
    assert (data / "out" / "result").read_text() == "done\n"
    assert (data / "a.txt").exists()


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_a_link_that_one_job_leaves_does_not_lead_another_out(
    env: Env, data: Path, docker_daemon: DockerDaemon
) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    start(env, f"{data}/**:rw")
    params: dict[str, object] = {"SourcePath": str(data), "ReadWrite": True}
    first = submit(env, kind="local", params=params, command="ln -s / /data/root")
    assert finished(env, first).state.state_type is JobState.COMPLETED

    through: dict[str, object] = {"SourcePath": f"{data}/root{env.directory}"}
    second = submit(env, kind="local", params=through, command="ls /data")

    assert (data / "root").is_symlink()
    job = finished(env, second)
    assert job.state.state_type is JobState.FAILED
    assert f"volume {data}/root{env.directory} is not allowlisted" in job.state.message


# -- admission --------------------------------------------------------------------------


def test_locality_takes_local_data_and_no_others(
    env: Env, data: Path, s3_objects: S3Objects
) -> None:
    start(env, f"{data}/**", flags=("-c", "JobAdmissionControl.Locality=Local"))
    bucket = s3_objects.bucket({"a": b"1"})
    remote = f"src=s3://{bucket}/a,dst=/more,opt=endpoint={s3_objects.endpoint}"
    command = ("wasm", "run", "-i", f"file://{data}", "-p", "local")

    local = env.cli(*command, "wordcount.wasm")
    both = env.cli(*command, "-i", remote, "wordcount.wasm")

    assert finished(env, local).state.state_type is JobState.COMPLETED
    assert (
        "this node does not have all input data locally (1 inputs require downloading)"
        in finished(env, both).state.message
    )


def test_a_probe_of_the_operator_judges_jobs(env: Env) -> None:
    probe = 'grep -q \'"Namespace":"default"\' && echo not here >&2 && exit 2'
    env.start_node("-c", f"JobAdmissionControl.ProbeExec={probe}")
    job = finished(env, env.cli("wasm", "run", "wordcount.wasm"))
    assert job.state.state_type is JobState.FAILED
    assert "rejected bid: this node does not accept this job: not here" in job.state.message


def test_a_private_bucket_is_refused_by_a_node_without_credentials(
    env: Env, s3_objects: S3Objects
) -> None:
    for name in [name for name in env.variables if name.startswith("AWS_")]:
        del env.variables[name]
    env.variables["AWS_EC2_METADATA_DISABLED"] = "true"
    bucket = s3_objects.bucket({"a": b"1"})
    env.start_node()

    source = f"src=s3://{bucket}/a,dst=/inputs,opt=endpoint={s3_objects.endpoint}"
    job = finished(env, env.cli("wasm", "run", "-i", source, "wordcount.wasm"))

    assert job.state.state_type is JobState.FAILED
    assert f"rejected bid: this node has no credentials for bucket {bucket}" in job.state.message
