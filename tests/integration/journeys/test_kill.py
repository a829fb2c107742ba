"""A node that is killed, and started again on its data."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import ComputeState, JobState
from tests.integration.journeys.conftest import REPOSITORY
from tests.support.docker import IMAGE
from tests.support.engines import compile_text

if TYPE_CHECKING:
    from tests.support.docker import DockerDaemon
    from tests.support.env import Env, Node

JOBS, RUNNING = 25, 5
SECONDS = "4"
PROBE = REPOSITORY / "tests" / "data" / "wasm" / "probe.wat"
FLAGS = (
    *("-c", "Compute.AllocatedCapacity.CPU=500m"),
    *("-c", "Compute.Heartbeat.Interval=100ms"),
    *("--name", "n-killed-once"),
)
SUBMIT = ("--wait=false", "--cpu", "100m", "--memory", "10mb")


def submit_all(env: Env, *command: str) -> list[str]:
    jobs = [env.cli(*command) for _ in range(JOBS)]
    assert all(outcome.code == 0 for outcome in jobs), jobs[0].stderr
    return [outcome.stdout.strip() for outcome in jobs]


def kill_when_busy(env: Env, node: Node, jobs: list[str]) -> None:
    """Kill the node when as many tasks run as it has room for, and others wait."""

    with env.client() as client:

        def is_busy() -> bool:
            info = client.node("n-killed-once").info.compute_node_info
            return info is not None and info.running_executions == RUNNING

        env.wait_until(is_busy, f"{RUNNING} tasks run")
    node.signal(signal.SIGKILL)
    node.popen.wait()
    assert len(jobs) == JOBS


def check_all_end_once(env: Env, jobs: list[str]) -> None:
    with env.client() as client:

        def ended() -> bool:
            return all(client.job(job).job.is_terminal for job in jobs)

        env.wait_until(ended, "all jobs have ended", seconds=120)
        states = Counter(client.job(job).job.state.state_type for job in jobs)
        assert states == {JobState.COMPLETED: JOBS}
        for job in jobs:
            (execution,) = client.executions(job).items
            assert execution.compute_state.state_type is ComputeState.COMPLETED
            assert execution.run_output.stdout == "slept\n"


def test_every_webassembly_job_completes_once(env: Env) -> None:
    (env.directory / "probe.wasm").write_bytes(compile_text(PROBE.read_text()))
    node = env.start_node(*FLAGS)
    milliseconds = f"{SECONDS}000"
    command = ("wasm", "run", "--entry-point", "sleep", *SUBMIT, "probe.wasm")
    jobs = submit_all(env, *command, "slept", milliseconds)

    kill_when_busy(env, node, jobs)
    env.start_node(*FLAGS)

    check_all_end_once(env, jobs)


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_every_docker_job_completes_once_and_no_container_is_left(
    env: Env, docker_daemon: DockerDaemon
) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    node = env.start_node(*FLAGS)
    command = ("docker", "run", *SUBMIT, IMAGE, "--", "sh", "-c")
    jobs = submit_all(env, *command, f"sleep {SECONDS}; echo slept")

    kill_when_busy(env, node, jobs)
    env.start_node(*FLAGS)

    check_all_end_once(env, jobs)
    env.wait_until(
        lambda: not docker_daemon.containers("bacalhau-executor=bacalhau-n-killed-once"),
        "no container is left",
    )
