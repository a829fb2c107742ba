"""A Docker daemon that goes away for a while, and a node that does without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.models import ComputeState, JobState, JobType
from tests.integration.journeys.test_restarts import (
    WAIT,
    docker_task,
    gate,
    has_printed,
    make_job,
    start,
    state_of,
    wasm_task,
)
from tests.support.docker import private_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.env import Env

__all__ = ["gate"]

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]


def test_a_node_goes_on_without_its_daemon_and_takes_up_with_it_again(env: Env, gate: Path) -> None:
    with private_daemon("--live-restore") as daemon:
        env.variables["DOCKER_HOST"] = daemon.host
        node = start(env, gate)
        with env.client() as client:
            kept = client.submit(make_job(JobType.BATCH, docker_task(WAIT, gate))).job_id
            env.wait_until(lambda: has_printed(client, kept, "begun"), "the task begins")

            daemon.stop()
            env.wait_until(lambda: "docker_daemon_away" in node.log.read_text(), "it is noticed")
            (gate / "open").touch()

            other = client.submit(make_job(JobType.BATCH, wasm_task("say", "hi", "", "0"))).job_id
            env.wait_until(lambda: client.job(other).job.is_terminal, "WebAssembly goes on")
            assert state_of(client, other) is JobState.COMPLETED
            refused = client.submit(make_job(JobType.BATCH, docker_task("true", gate))).job_id
            env.wait_until(lambda: client.job(refused).job.is_terminal, "the job is refused")
            assert "its Docker daemon does not answer" in client.job(refused).job.state.message
            assert not client.job(kept).job.is_terminal

            assert daemon.start()
            env.wait_until(lambda: client.job(kept).job.is_terminal, "its end is found out")
            (execution,) = client.executions(kept).items
            assert execution.compute_state.state_type is ComputeState.COMPLETED
            # What a task prints while nobody listens, Docker does not keep.
            assert execution.run_output.stdout.startswith("begun\n")
            assert execution.run_output.exit_code == 0
            assert "docker_daemon_back" in node.log.read_text()
            later = client.submit(make_job(JobType.BATCH, docker_task("echo new", gate))).job_id
            env.wait_until(lambda: client.job(later).job.is_terminal, "new tasks run")
            assert state_of(client, later) is JobState.COMPLETED


def test_a_task_that_ended_with_its_daemon_is_tried_again(env: Env, gate: Path) -> None:
    with private_daemon() as daemon:
        env.variables["DOCKER_HOST"] = daemon.host
        start(env, gate)
        with env.client() as client:
            job = client.submit(make_job(JobType.BATCH, docker_task(WAIT, gate))).job_id
            env.wait_until(lambda: has_printed(client, job, "begun"), "the task begins")
            daemon.stop()
            (gate / "open").touch()
            assert daemon.start()
            env.wait_until(lambda: client.job(job).job.is_terminal, "the job ends")
            assert state_of(client, job) is JobState.COMPLETED
            states = [each.compute_state.state_type for each in client.executions(job).items]
            assert sorted(states) == sorted([ComputeState.FAILED, ComputeState.COMPLETED])


def test_a_node_that_starts_before_its_daemon_joins_what_runs(env: Env, gate: Path) -> None:
    with private_daemon("--live-restore") as daemon:
        env.variables["DOCKER_HOST"] = daemon.host
        node = start(env, gate)
        with env.client() as client:
            job = client.submit(make_job(JobType.BATCH, docker_task(WAIT, gate))).job_id
            env.wait_until(lambda: has_printed(client, job, "begun"), "the task begins")
        daemon.stop()
        node.kill_group()
        node = start(env, gate)
        env.wait_until(lambda: "docker_daemon_away" in node.log.read_text(), "it is noticed")
        assert daemon.start()
        (gate / "open").touch()
        with env.client() as client:
            env.wait_until(lambda: client.job(job).job.is_terminal, "the job ends")
            (execution,) = client.executions(job).items
            assert execution.run_output.stdout == "begun\nended\n"
