"""A data directory that somebody deletes, empties or damages: told clearly, and nothing is lost."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import Code, TransientError
from bacalhau.models import JobState, JobType
from tests.integration.journeys.test_restarts import has_printed, make_job, state_of, wasm_task

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.client import Client
    from tests.support.env import Env, Node

FLAGS = (
    *("--name", "n-files"),
    *("-c", "Compute.Heartbeat.Interval=100ms"),
    *("-c", "Engines.Disabled=docker"),
)
STOP_SECONDS = 10
"""Far below the minute after which a node that does not stop is ended."""


def submit(client: Client, *call: str) -> str:
    return client.submit(make_job(JobType.BATCH, wasm_task(*call))).job_id


def submit_running(env: Env, client: Client) -> str:
    job = submit(client, "sleep", "begun", "60000")
    env.wait_until(lambda: has_printed(client, job, "begun"), "a task runs")
    return job


def stop_soon(node: Node) -> int:
    node.may_fail = True
    node.signal(signal.SIGTERM)
    return node.popen.wait(timeout=STOP_SECONDS)


def refused_start(env: Env, data: Path) -> str:
    """Start a node that cannot, and return what it says."""
    failed = env.cli("serve", "--orchestrator", "--compute", "--data-dir", str(data), *FLAGS)
    assert failed.code == 1
    assert "Traceback" not in failed.stderr
    assert "ExceptionGroup" not in failed.stderr
    assert "Hint:" in failed.stderr
    return failed.stderr


def test_a_data_directory_deleted_under_a_node_is_told_and_nothing_more_is_accepted(
    env: Env,
) -> None:
    data = env.directory / "node"
    node = env.start_node(*FLAGS)
    with env.client() as client:
        running = submit_running(env, client)
        shutil.rmtree(data)
        for _ in range(2):
            with pytest.raises(TransientError) as caught:
                submit(client, "say", "hi", "", "0")
            assert caught.value.code == Code.STORE_MISSING
            assert str(data / "orchestrator" / "jobs.db") in caught.value.message
            assert "from a copy" in caught.value.hint
        assert client.alive() == "OK"
        assert client.job(running).job.id == running

    assert stop_soon(node) == 1

    log = node.log.read_text()
    assert "Traceback" not in log
    assert f"Error: the store's file {data}" in log
    assert "is gone" in log
    # Who deletes all of it begins anew.
    shutil.rmtree(data, ignore_errors=True)
    env.start_node(*FLAGS)
    with env.client() as client:
        job = submit(client, "say", "hi", "", "0")
        env.wait_until(lambda: state_of(client, job) is JobState.COMPLETED, "a job completes")


def test_a_node_whose_executions_are_deleted_accepts_jobs_and_loses_none(env: Env) -> None:
    """Its own part of the work is refused; the orchestrator keeps what it has accepted."""
    data = env.directory / "node"
    node = env.start_node(*FLAGS)
    with env.client() as client:
        shutil.rmtree(data / "compute")
        job = submit(client, "say", "hi", "", "0")
        env.wait_until(lambda: "store_refuses" in node.log.read_text(), "the node says so")

    assert stop_soon(node) == 1

    assert f"Error: the store's file {data / 'compute' / 'executions.db'}" in node.log.read_text()
    shutil.rmtree(data / "compute", ignore_errors=True)
    said = refused_start(env, data)
    assert f"{data / 'compute' / 'executions.db'} is missing" in said
    note = data / "stores.txt"
    assert str(note) in said
    note.write_text(note.read_text().replace("compute/executions.db\n", ""))
    node = env.start_node(*FLAGS)
    with env.client() as client:
        env.wait_until(lambda: state_of(client, job) is JobState.COMPLETED, "the job completes")


@pytest.mark.parametrize("name", ["orchestrator/jobs.db", "compute/executions.db"])
def test_an_emptied_or_damaged_store_is_refused_and_a_copy_puts_it_right(
    env: Env, name: str
) -> None:
    data = env.directory / "node"
    store = data / name
    node = env.start_node(*FLAGS)
    with env.client() as client:
        job = submit(client, "say", "hi", "", "0")
        env.wait_until(lambda: state_of(client, job) is JobState.COMPLETED, "a job completes")
    assert node.stop() == 0
    good = store.read_bytes()

    store.write_bytes(b"")
    assert f"{store} is empty" in refused_start(env, data)
    store.unlink()
    assert f"{store} is missing" in refused_start(env, data)
    store.write_bytes(good[: len(good) // 2] + b"\xa7" * (len(good) // 2))
    assert f"{store} is damaged" in refused_start(env, data)
    store.write_bytes(b"\xa7" * len(good))
    assert f"{store} is damaged" in refused_start(env, data)

    store.write_bytes(good)
    env.start_node(*FLAGS)
    with env.client() as client:
        assert state_of(client, job) is JobState.COMPLETED


@pytest.mark.parametrize("name", ["orchestrator/jobs.db", "compute/executions.db"])
def test_a_log_removed_after_a_kill_is_missed(env: Env, name: str) -> None:
    """What looks like a leftover holds what was acknowledged last."""
    data = env.directory / "node"
    log = data / f"{name}-wal"
    node = env.start_node(*FLAGS)
    with env.client() as client:
        job = submit(client, "say", "hi", "", "0")
        env.wait_until(lambda: state_of(client, job) is JobState.COMPLETED, "a job completes")
    node.signal(signal.SIGKILL)
    node.popen.wait()
    content = log.read_bytes()
    log.unlink()

    said = refused_start(env, data)

    assert f"the log {log}" in said
    assert f"{data / name}-open" in said
    log.write_bytes(content)
    env.start_node(*FLAGS)
    with env.client() as client:
        assert state_of(client, job) is JobState.COMPLETED


@pytest.mark.parametrize("name", ["compute", "engines", "orchestrator"])
def test_a_start_that_fails_within_a_part_names_its_cause(env: Env, name: str) -> None:
    data = env.directory / "node"
    data.mkdir()
    (data / name).write_text("in the way")

    said = refused_start(env, data)

    assert str(data / name) in said
    assert "cannot be used" in said


def test_a_devstack_that_fails_within_a_part_names_its_cause(env: Env) -> None:
    stack = env.directory / "stack"
    (stack / "node-1").mkdir(parents=True)
    (stack / "node-1" / "compute").write_text("in the way")
    env.variables["TMPDIR"] = str(env.directory)

    failed = env.cli("devstack", "-c", "Engines.Disabled=docker", "--stack-repo", str(stack))

    assert failed.code == 1
    assert f"Error: {stack / 'node-1' / 'compute'} cannot be used" in failed.stderr
    assert "Hint:" in failed.stderr
