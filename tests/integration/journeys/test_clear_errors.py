"""Whatever a user does wrong: one message, a remedy, exit code 1, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.client import Page
from bacalhau.models import JobState
from bacalhau.testing import s3_server
from tests.integration.journeys.conftest import REPOSITORY
from tests.support.docker import IMAGE
from tests.support.engines import compile_text
from tests.support.env import Env, free_port, open_env

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bacalhau.models import Job
    from tests.support.cli import Outcome
    from tests.support.docker import DockerDaemon
    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]
NODE = "n-clear"
OBJECTS = {"data/a.txt": b"one\n"}
PROBE = REPOSITORY / "tests" / "data" / "wasm" / "probe.wat"


@dataclass(eq=False)
class Stage:
    """A node that runs, and what is left there."""

    env: Env
    daemon: DockerDaemon
    data: Path

    def run(self, text: str, *flags: str, name: str = "job.yaml") -> Outcome:
        """Run a job file."""
        (self.env.directory / name).write_text(text)
        return self.env.cli("job", "run", *flags, name)

    def jobs(self) -> list[Job]:
        """Return all jobs, oldest first."""
        with self.env.client() as client:
            return client.list_jobs(Page(limit=1000)).items

    def executions_of(self, job: Job) -> int:
        with self.env.client() as client:
            return len(client.executions(job.id).items)

    def is_clean(self) -> bool:
        """Tell that no container, and no directory of an execution but for its output, is left."""
        root = self.data / "compute" / "executions"
        left = [path for path in root.glob("*/*") if path.parent.name != "output"]
        return not left and not self.daemon.containers(f"bacalhau-executor=bacalhau-{NODE}")

    def refused_at_once(self, outcome: Outcome, *said: str) -> None:
        """Assert that the user was told, and that no job was made of it."""
        check_told(outcome, *said)
        assert outcome.stdout == ""
        assert self.jobs() == []

    def failed(self, outcome: Outcome, *said: str, attempts: int = 1) -> Job:
        """Assert that the newest job ended with its reason, told once, and left nothing."""
        check_told(outcome, "Error: job failed: ", *said)
        both = outcome.stdout + outcome.stderr
        assert both.count("Error: ") == attempts or attempts == 0
        assert both.count("Hint: ") == max(attempts, 1)
        job = self.jobs()[-1]
        assert job.state.state_type is JobState.FAILED
        assert self.executions_of(job) == attempts
        self.env.wait_until(self.is_clean, "nothing is left of it")
        return job


def check_told(outcome: Outcome, *said: str) -> None:
    assert outcome.code == 1, outcome
    assert outcome.stderr.startswith("\nError: "), outcome
    assert [text for text in said if text not in outcome.stderr] == [], outcome.stderr
    assert "\nHint:  " in outcome.stderr
    assert "Traceback" not in outcome.stdout + outcome.stderr
    assert "internal error" not in outcome.stderr


def job_text(*, engine: str = "docker", image: str = IMAGE, **fields: Any) -> str:
    """Return a job as JSON, which is YAML; ``task`` holds further fields of its task."""
    task = {
        "Name": "main",
        "Engine": {"Type": engine, "Params": {"Image": image}},
        **fields.pop("task", {}),
    }
    return json.dumps({"Name": "job", "Type": "batch", "Tasks": [task], **fields})


def with_input(kind: str, **params: str) -> str:
    source = {"Target": "/inputs", "Source": {"Type": kind, "Params": params}}
    return job_text(task={"InputSources": [source]})


def serve(env: Env, daemon: DockerDaemon, *flags: str) -> Stage:
    env.variables["DOCKER_HOST"] = daemon.host
    env.start_node("--name", NODE, *flags)
    return Stage(env, daemon, env.directory / "node")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, docker_daemon: DockerDaemon) -> Iterator[Stage]:
    """A node on which no job ever comes to be."""
    with open_env(tmp_path_factory.mktemp("quiet")) as env:
        yield serve(env, docker_daemon)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, docker_daemon: DockerDaemon) -> Iterator[Stage]:
    """A node that may read a bucket, and one local directory."""
    with open_env(tmp_path_factory.mktemp("busy")) as env:
        env.variables.update(s3_server.environment())
        allowed = f"Compute.AllowListedLocalPaths={env.directory}/allowed/**"
        yield serve(env, docker_daemon, "-c", allowed)


# -- refused before there is a job ------------------------------------------------------

FILES = {
    "indentation": (
        "Type: batch\nTasks:\n  - Name: main\n   Engine: x\n",
        ["line 4, column 4", "Hint:  ", "   Engine: x"],
    ),
    "bracket": ("Type: [batch\nTasks: []\n", ["line 2, column 6"]),
    "tab": ("Type: batch\nTasks:\n\t- Name: main\n", ["line 3, column 1", "spaces"]),
    "unknown field": (
        job_text(Taskz=[]),
        ["unknown field: 'Taskz' in 'Job'", "did you mean Tasks?"],
    ),
    "missing target": (
        job_text(
            task={
                "InputSources": [{"Source": {"Type": "s3", "Params": {"Bucket": "b", "Key": "k"}}}]
            }
        ),
        ["missing artifact target", "Tasks[0].InputSources[0].Target", "absolute path"],
    ),
    "malformed constraint": (
        job_text(Constraints=[{"Key": "zone", "Operator": "~", "Values": ["mars"]}]),
        ["constraint 1", 'unknown operator "~"', "Constraints[0]"],
    ),
    "unknown variable": (
        'Name: "{{.greeting}}"\n' + job_text(),
        [":1:9", '"greeting"', "job.yaml, line 1, column 10", "-V greeting=VALUE"],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_faulty_file_is_refused_at_once(quiet: Stage, name: str) -> None:
    text, said = FILES[name]
    quiet.refused_at_once(quiet.run(text), "the job provided is invalid: ", *said)


def test_a_malformed_selector_is_refused_at_once(quiet: Stage) -> None:
    outcome = quiet.env.cli("docker", "run", "--constraints", "zone=mars=x", IMAGE, "true")
    quiet.refused_at_once(outcome, '"zone=mars=x"', "at character 10", "key=value")
    outcome = quiet.env.cli("job", "list", "--labels", "a in (b")
    quiet.refused_at_once(outcome, '"a in (b"', "key in (a,b)")


# -- known only to the nodes ------------------------------------------------------------


def test_an_engine_that_no_node_offers(busy: Stage) -> None:
    outcome = busy.run(job_text(engine="dokcer"))
    said = f"• Node {NODE}: does not support dokcer, only docker, wasm"
    busy.failed(outcome, said, "did you mean docker?", "node list --show features", attempts=0)


def test_constraints_that_no_node_meets(busy: Stage) -> None:
    outcome = busy.env.cli("docker", "run", "--constraints", "zone=mars", IMAGE, "true")
    busy.failed(outcome, "[zone=mars]", "available: 1, suitable: 0", "Constraints", attempts=0)


def test_more_memory_than_any_node_has(busy: Stage) -> None:
    outcome = busy.env.cli("docker", "run", "--memory", "900Tb", IMAGE, "true")
    said = "job requires more memory (900 TB) than the maximum available"
    busy.failed(outcome, said, "ask for less in Resources", attempts=0)


def test_a_missing_image(busy: Stage, docker_registry: str) -> None:
    image = f"{docker_registry}/none:1"
    outcome = busy.env.cli("docker", "run", image, "true")
    busy.failed(outcome, f'image not available: "{image}"', "DOCKER_USERNAME")


def test_a_local_path_that_is_not_allowed(busy: Stage) -> None:
    outcome = busy.run(with_input("localDirectory", SourcePath="/etc"))
    said = f"• Node {NODE}: rejected bid: volume /etc is not allowlisted"
    busy.failed(outcome, said, "add /etc to Compute.AllowListedLocalPaths")


@pytest.mark.s3
@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Key": "none.txt"}, ["s3://{bucket}/none.txt", "no object", "check the key"]),
        ({"Bucket": "not-there", "Key": "a"}, ["s3://not-there/a", "check the name of the bucket"]),
        (
            {"Key": "data/a.txt", "Region": "eu-west-1"},
            ["s3://{bucket}/data/a.txt", "region us-east-1", "set Region to us-east-1"],
        ),
    ],
    ids=["key", "bucket", "region"],
)
def test_what_is_not_in_s3(
    busy: Stage, s3_objects: S3Objects, params: dict[str, str], said: list[str]
) -> None:
    bucket = s3_objects.bucket(OBJECTS)
    text = with_input("s3", **{"Bucket": bucket, "Endpoint": s3_objects.endpoint, **params})
    busy.failed(busy.run(text), *(part.format(bucket=bucket) for part in said))


@pytest.mark.s3
def test_s3_that_refuses(env: Env, docker_daemon: DockerDaemon, s3_objects: S3Objects) -> None:
    env.variables["AWS_SECRET_ACCESS_KEY"] = "wrong"
    stage = serve(env, docker_daemon)
    bucket = s3_objects.bucket(OBJECTS)
    outcome = stage.run(
        with_input("s3", Bucket=bucket, Key="data/a.txt", Endpoint=s3_objects.endpoint)
    )
    stage.failed(
        outcome,
        f"s3://{bucket}/data/a.txt",
        "credentials were refused (SignatureDoesNotMatch)",
        "status 403",
        "check the AWS credentials of the node",
    )


def test_reasons_are_counted_over_nodes(env: Env) -> None:
    env.start_devstack("--compute-nodes", "3")
    outcome = env.cli("wasm", "run", "--constraints", "zone=mars", "wordcount.wasm")
    check_told(outcome, "available: 3, suitable: 0.", "• 3 of 3 nodes: ", "[zone=mars]")


def test_follow_ends_with_the_reason_too(busy: Stage) -> None:
    (busy.env.directory / "job.yaml").write_text(job_text(engine="dokcer"))
    outcome = busy.env.cli("job", "run", "--follow", "job.yaml")
    busy.failed(outcome, "does not support dokcer", attempts=0)


# -- servers ----------------------------------------------------------------------------


def test_no_server_runs(env: Env) -> None:
    port = free_port()
    (env.directory / "job.yaml").write_text(job_text())
    before = listing(env.directory)
    outcome = env.cli("job", "run", "--api-port", str(port), "job.yaml")
    check_told(outcome, f"not reachable at http://127.0.0.1:{port}", "bacalhau serve")
    assert outcome.stdout == ""
    assert listing(env.directory) == before


def test_a_server_that_is_lost_while_a_job_is_waited_for(env: Env) -> None:
    (env.directory / "probe.wasm").write_bytes(compile_text(PROBE.read_text()))
    node = env.start_node("-c", "Engines.Disabled=docker")
    waiting = env.start_cli("wasm", "run", "--entry-point", "forever", "probe.wasm")
    env.wait_until(lambda: " Running" in waiting.log.read_text(), "the task runs")
    node.signal(signal.SIGKILL)
    assert waiting.popen.wait(timeout=30) == 1
    told = waiting.log.read_text()
    assert "\nError: server is not running or not reachable at " in told
    assert "\nHint:  1. Start a server" in told
    assert "\tbacalhau job describe j-" in told
    assert "Traceback" not in told


def test_a_port_that_is_in_use(quiet: Stage) -> None:
    port = quiet.env.variables["BACALHAU_API_PORT"]
    data = quiet.env.directory / "second"
    outcome = start(quiet.env, data, "--api-port", port)
    check_told(outcome, f"cannot listen on 127.0.0.1:{port}", "another program", "API.Port")
    assert not data.exists()


def test_a_data_directory_that_another_node_uses(quiet: Stage) -> None:
    before = listing(quiet.data)
    outcome = start(quiet.env, quiet.data, "--api-port", "0")
    check_told(outcome, f"data directory {quiet.data} is in use", "--data-dir")
    assert listing(quiet.data) == before


def test_a_data_directory_that_cannot_be_written(env: Env) -> None:
    parent = env.directory / "parent"
    if os.geteuid() == 0:
        parent.write_text("root may write into every directory, and into no file")
    else:
        parent.mkdir(mode=0o500)
    data = parent / "data"
    before = listing(env.directory)
    outcome = start(env, data, "--api-port", "0")
    check_told(outcome, f"data directory {data} cannot be written", "--data-dir")
    assert listing(env.directory) == before


def start(env: Env, data: Path, *flags: str) -> Outcome:
    """Start a node that is expected to give up."""
    return env.cli("serve", "--orchestrator", "--compute", "--data-dir", str(data), *flags)


def listing(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))
