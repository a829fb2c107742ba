"""Tasks of every job type over the end of their node's process, however it ends."""

from __future__ import annotations

import base64
import signal
from typing import TYPE_CHECKING

import msgspec
import pytest

from bacalhau.errors import BacalhauError
from bacalhau.models import (
    ComputeState,
    InputSource,
    Job,
    JobState,
    JobType,
    ResourcesConfig,
    ResultPath,
    SpecConfig,
    Task,
    TimeoutConfig,
)
from tests.integration.journeys.conftest import REPOSITORY
from tests.support.docker import IMAGE
from tests.support.engines import compile_text

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.client import Client
    from tests.support.docker import DockerDaemon
    from tests.support.env import Env, Node

pytestmark = pytest.mark.xdist_group("docker")

PROBE = REPOSITORY / "tests" / "data" / "wasm" / "probe.wat"
NODE = "n-restarted"
STOP_SECONDS = 10.0
FLAGS = ("--name", NODE, "-c", "Compute.Heartbeat.Interval=100ms")
ENDINGS = pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
WAIT = "echo begun; while [ ! -e /gate/open ]; do sleep 0.1; done; echo ended"


@pytest.fixture
def gate(env: Env) -> Path:
    """A directory that tasks see at ``/gate`` and wait at, until there is a file ``open``."""
    gate = env.directory / "gate"
    gate.mkdir()
    return gate


def make_job(kind: JobType, task: Task) -> Job:
    count = 1 if kind in (JobType.BATCH, JobType.SERVICE) else 0
    return Job(name=f"a-{kind.value}", type=kind, count=count, tasks=[task])


def docker_task(script: str, gate: Path) -> Task:
    source = SpecConfig(type="local", params={"SourcePath": str(gate)})
    return Task(
        name="main",
        engine=SpecConfig(
            type="docker", params={"Image": IMAGE, "Parameters": ["sh", "-c", script]}
        ),
        input_sources=[InputSource(source=source, target="/gate")],
        resources=ResourcesConfig(cpu="100m", memory="10mb"),
    )


def wasm_task(function: str, *arguments: str) -> Task:
    module = base64.b64encode(compile_text(PROBE.read_text())).decode()
    url = f"data:application/wasm;base64,{module}"
    source = {"Source": {"Type": "inline", "Params": {"URL": url}}}
    params = {"EntryModule": source, "EntryPoint": function, "Parameters": list(arguments)}
    return Task(name="main", engine=SpecConfig(type="wasm", params=params))


def start(env: Env, gate: Path) -> Node:
    return env.start_node(*FLAGS, "-c", f"Compute.AllowListedLocalPaths={gate}/**")


def end(node: Node, how: signal.Signals) -> None:
    """End a node; told to, it does so soon, and with success."""
    node.signal(how)
    code = node.popen.wait(timeout=STOP_SECONDS)
    assert code == (0 if how is signal.SIGTERM else -how), node.tail()


def has_printed(client: Client, job: str, text: str) -> bool:
    try:
        return any(text in line.line for line in client.logs(job))
    except BacalhauError:
        return False


def wait_printed(env: Env, client: Client, *jobs: str) -> None:
    env.wait_until(lambda: all(has_printed(client, job, "begun") for job in jobs), "tasks begin")


def wait_ended(env: Env, client: Client, job: str) -> None:
    env.wait_until(lambda: client.job(job).job.is_terminal, "the job ends")


def state_of(client: Client, job: str) -> JobState:
    return client.job(job).job.state.state_type


def containers(env: Env, daemon: DockerDaemon, *states: str) -> list[str]:
    """Return the ids of the node's containers, all or those in a state."""
    found = daemon.containers(f"bacalhau-dataDirectory={env.directory.resolve()}/node")
    return sorted(each["Id"] for each in found if not states or each["State"] in states)


@pytest.mark.docker
@ENDINGS
def test_containers_of_every_job_type_are_found_again(
    env: Env, docker_daemon: DockerDaemon, gate: Path, ending: signal.Signals
) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    node = start(env, gate)
    with env.client() as client:
        jobs = {
            kind: client.submit(make_job(kind, docker_task(WAIT, gate))).job_id for kind in JobType
        }
        wait_printed(env, client, *jobs.values())
    before = containers(env, docker_daemon, "running")
    assert len(before) == len(JobType)

    end(node, ending)
    assert containers(env, docker_daemon, "running") == before
    start(env, gate)

    with env.client() as client:
        wait_printed(env, client, *jobs.values())
        assert containers(env, docker_daemon, "running") == before
        for kind in (JobType.SERVICE, JobType.DAEMON):
            client.stop(jobs[kind], "enough")
        (gate / "open").touch()
        for kind in (JobType.BATCH, JobType.OPS):
            wait_ended(env, client, jobs[kind])
            assert state_of(client, jobs[kind]) is JobState.COMPLETED
            (execution,) = client.executions(jobs[kind]).items
            assert execution.run_output.stdout == "begun\nended\n"
        for kind in (JobType.SERVICE, JobType.DAEMON):
            (execution,) = client.executions(jobs[kind]).items
            assert execution.compute_state.state_type is ComputeState.CANCELLED
    env.wait_until(lambda: not containers(env, docker_daemon), "no container is left")


@ENDINGS
def test_webassembly_starts_again_with_empty_result_paths(
    env: Env, gate: Path, ending: signal.Signals
) -> None:
    node = start(env, gate)
    task = msgspec.structs.replace(
        wasm_task("claim", "begun", "2000", "/outputs/mine"),
        publisher=SpecConfig(type="local"),
        result_paths=[ResultPath(name="outputs", path="/outputs")],
    )
    with env.client() as client:
        job = client.submit(make_job(JobType.BATCH, task)).job_id
        wait_printed(env, client, job)

    end(node, ending)
    start(env, gate)

    with env.client() as client:
        wait_ended(env, client, job)
        (execution,) = client.executions(job).items
    assert execution.compute_state.state_type is ComputeState.COMPLETED
    assert (execution.run_output.stdout, execution.run_output.exit_code) == ("begun\n", 0)


@pytest.mark.docker
def test_a_time_out_counts_on(env: Env, docker_daemon: DockerDaemon, gate: Path) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    node = start(env, gate)
    task = msgspec.structs.replace(
        docker_task(WAIT, gate), timeouts=TimeoutConfig(execution_timeout=6)
    )
    with env.client() as client:
        job = client.submit(make_job(JobType.OPS, task)).job_id
        wait_printed(env, client, job)
    for _ in range(3):
        end(node, signal.SIGKILL)
        node = start(env, gate)
    with env.client() as client:
        wait_ended(env, client, job)
        (execution,) = client.executions(job).items
        assert execution.compute_state.state_type is ComputeState.FAILED
        assert execution.compute_state.message == "Execution timed out after 6s"
        lived_ns = execution.modify_time - execution.create_time
        assert 5.5 < lived_ns / 1e9 < 9
    env.wait_until(lambda: not containers(env, docker_daemon), "no container is left")


def test_a_node_that_is_told_to_stop_says_what_it_does(env: Env, gate: Path) -> None:
    node = start(env, gate)
    with env.client() as client:
        job = client.submit(make_job(JobType.BATCH, wasm_task("sleep", "begun", "60000"))).job_id
        wait_printed(env, client, job)
        follower = env.start_cli("job", "logs", "--follow", job)
        env.wait_until(lambda: "begun" in follower.log.read_text(), "the output is followed")
    end(node, signal.SIGTERM)
    said = node.log.read_text()
    for event in ("node_stopping", "executions_draining", "execution_let_go", "node_stopped"):
        assert f"event={event}" in said, said
    assert "Traceback" not in said
