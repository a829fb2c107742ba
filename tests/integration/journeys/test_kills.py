"""Seventy jobs, and a node that is killed five times before they are done.

The node has room for twenty. Docker itself tells how often each task was started.
"""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bacalhau.client import Client
from bacalhau.models import (
    ComputeState,
    Job,
    JobState,
    JobType,
    ResourcesConfig,
    ResultPath,
    SpecConfig,
    Task,
)
from tests.support.docker import IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.docker import DockerDaemon
    from tests.support.env import Env, Node

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

JOBS, ROOM = 70, 20
NODE = "n-killed"
EXECUTOR = f"bacalhau-executor=bacalhau-{NODE}"
FLAGS = (
    *("-c", "Compute.AllocatedCapacity.CPU=2"),
    *("-c", "Compute.Heartbeat.Interval=100ms"),
    *("--name", NODE),
)
SCRIPT = "for n in 1 2 3 4; do echo $n; sleep 0.5; done; echo kept > /outputs/file"
PRINTED = "1\n2\n3\n4\n"
KILLED_AFTER = (0, 0, 15, 35, 50)
"""How many jobs have ended, at least, when the node is killed; others run and wait."""


def make_job(number: int) -> Job:
    return Job(
        name=f"job-{number}",
        type=JobType.BATCH,
        count=1,
        tasks=[
            Task(
                name="main",
                engine=SpecConfig(
                    type="docker", params={"Image": IMAGE, "Parameters": ["sh", "-c", SCRIPT]}
                ),
                publisher=SpecConfig(type="local"),
                result_paths=[ResultPath(name="outputs", path="/outputs")],
                resources=ResourcesConfig(cpu="100m", memory="10mb"),
            )
        ],
    )


def count_ended(client: Client, jobs: Sequence[str]) -> int:
    return sum(client.job(job).job.is_terminal for job in jobs)


def count_running(client: Client) -> int:
    info = client.node(NODE).info.compute_node_info
    return info.running_executions if info is not None else 0


def kill_when(env: Env, node: Node, jobs: Sequence[str], *, ended: int) -> None:
    """Kill the node when so many jobs have ended and as many tasks run as there is room for."""
    running = min(ROOM, JOBS - ended)
    with Client(port=node.port) as client:
        env.wait_until(
            lambda: count_ended(client, jobs) >= ended and count_running(client) > 0,
            f"{ended} jobs have ended",
        )
        if not ended:
            env.wait_until(lambda: count_running(client) == running, f"{running} tasks run")
        assert count_ended(client, jobs) < JOBS
    node.signal(signal.SIGKILL)
    node.popen.wait()


def check_one_accepted_execution(client: Client, job: str) -> None:
    (execution,) = client.executions(job).items
    assert execution.compute_state.state_type is ComputeState.COMPLETED
    assert execution.run_output.stdout == PRINTED
    assert execution.run_output.exit_code == 0
    assert execution.published_result.kind == "urldownload"


def test_seventy_jobs_outlive_five_kills(env: Env, docker_daemon: DockerDaemon) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    node = env.start_node(*FLAGS)
    with docker_daemon.watch_starts(EXECUTOR) as started:
        with env.client() as client:
            jobs = [client.submit(make_job(number)).job_id for number in range(JOBS)]
        for ended in KILLED_AFTER:
            kill_when(env, node, jobs, ended=ended)
            node = env.start_node(*FLAGS)
        with env.client() as client:
            env.wait_until(lambda: count_ended(client, jobs) == JOBS, "all jobs have ended", 60)
            states = Counter(client.job(job).job.state.state_type for job in jobs)
            assert states == {JobState.COMPLETED: JOBS}
            for job in jobs:
                check_one_accepted_execution(client, job)
        env.wait_until(lambda: not docker_daemon.containers(EXECUTOR), "no container is left")
    starts = Counter(each["bacalhau-executionID"] for each in started)
    assert len(starts) == JOBS
    assert set(starts.values()) == {1}, starts.most_common(3)
    executions = env.directory / "node" / "compute" / "executions"
    env.wait_until(
        lambda: [path.name for path in executions.iterdir()] == ["output"], "no input is left"
    )
    assert not list(executions.glob("output/*/results"))
