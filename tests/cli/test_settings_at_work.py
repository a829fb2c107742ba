"""Settings of a node, by what they change for those who use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.env import Env, open_env

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    with open_env(tmp_path) as opened:
        yield opened


def submitted(env: Env, job_type: str) -> dict[str, Any]:
    """Submit a job that says as little as possible; return it as the server has it."""
    path = env.directory / f"{job_type}.yaml"
    task = {"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "ubuntu"}}}
    path.write_text(yaml.safe_dump({"Type": job_type, "Tasks": [task]}))
    job_id = env.cli("job", "run", "--wait=false", str(path)).stdout.strip()
    described = env.cli("job", "describe", "--output", "json", job_id)
    job: dict[str, Any] = json.loads(described.stdout)["Job"]
    return job


def test_defaults_of_jobs_by_their_type(env: Env) -> None:
    settings = {
        "Batch.Priority": "3",
        "Batch.Task.Resources.CPU": "200m",
        "Batch.Task.Publisher.Type": "s3",
        "Batch.Task.Publisher.Params": "bucket=results,key=k",
        "Batch.Task.Timeouts.TotalTimeout": "1h",
        "Ops.Task.Timeouts.ExecutionTimeout": "90500ms",
        "Service.Task.Resources.Memory": "50Mb",
        "Daemon.Task.Resources.Disk": "1Gb",
    }
    env.start_node(
        *("-c", "Engines.Disabled=wasm", "-c", "Compute.Enabled=false"),
        *(part for key, text in settings.items() for part in ("-c", f"JobDefaults.{key}={text}")),
    )
    batch = submitted(env, "batch")
    (task,) = batch["Tasks"]
    assert batch["Priority"] == 3
    assert task["Resources"] == {"CPU": "200m", "Memory": "1gb"}
    assert task["Publisher"] == {"Type": "s3", "Params": {"bucket": "results", "key": "k"}}
    assert task["Timeouts"]["TotalTimeout"] == 3600
    (task,) = submitted(env, "ops")["Tasks"]
    assert task["Timeouts"]["ExecutionTimeout"] == 90
    assert task["Resources"]["CPU"] == "500m"
    (task,) = submitted(env, "service")["Tasks"]
    assert task["Resources"] == {"CPU": "500m", "Memory": "50mb"}
    (task,) = submitted(env, "daemon")["Tasks"]
    assert task["Resources"]["Disk"] == "1gb"


def test_logs_as_json_with_regular_accounts(env: Env) -> None:
    node = env.start_node(
        *("-c", "Logging.Mode=json", "-c", "Logging.Level=debug"),
        *("-c", "Logging.LogDebugInfoInterval=50ms", "-c", "Engines.Disabled=docker"),
    )
    env.wait_until(lambda: "node_activity" in node.log.read_text(), "an account")
    lines = [json.loads(line) for line in node.log.read_text().splitlines() if line[:1] == "{"]
    (running,) = [line for line in lines if line["message"] == "node_running"]
    assert running["level"] == "info"
    assert running["compute_enabled"] is True
    account = next(line for line in lines if line["message"] == "node_activity")
    assert (account["executions"], account["completed"]) == ([], 0)


def test_logs_without_time_and_level_and_nothing_below_a_level(env: Env) -> None:
    node = env.start_node("-c", "Logging.Mode=cmd", "-c", "Engines.Disabled=docker")
    assert "\nnode_running [node_id:n-" in node.log.read_text()
    node.stop()
    quiet = env.start_node("-c", "Logging.Level=disabled", "-c", "Engines.Disabled=docker")
    assert quiet.stop() == 0
    assert "node_running" not in quiet.log.read_text()
