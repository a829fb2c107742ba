"""Processes that are stopped for a while, and go on."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import JobState, JobType
from tests.integration.journeys.test_restarts import has_printed, make_job, state_of, wasm_task

if TYPE_CHECKING:
    from tests.support.env import Env

DISCONNECT_SECONDS = 2
STANDSTILL_SECONDS = 3 * DISCONNECT_SECONDS
FLAGS = (
    *("-c", "Compute.Heartbeat.Interval=200ms"),
    *("-c", f"Orchestrator.NodeManager.DisconnectTimeout={DISCONNECT_SECONDS}s"),
)


@pytest.mark.parametrize("kind", ["node", "devstack"])
def test_a_process_that_was_stopped_for_longer_than_nodes_may_be_silent_loses_nothing(
    env: Env, kind: str
) -> None:
    if kind == "node":
        node = env.start_node(*FLAGS, "-c", "Engines.Disabled=docker")
    else:
        node = env.start_devstack(*FLAGS)
    longer = str(STANDSTILL_SECONDS * 1000 + 2000)
    with env.client() as client:
        batch = [
            client.submit(make_job(JobType.BATCH, wasm_task("sleep", "begun", milliseconds))).job_id
            for milliseconds in ("1500", longer)
        ]
        service = make_job(JobType.SERVICE, wasm_task("sleep", "begun", "600000"))
        lasting = client.submit(service).job_id
        jobs = [*batch, lasting]
        env.wait_until(lambda: all(has_printed(client, job, "begun") for job in jobs), "all run")

    node.signal(signal.SIGSTOP)
    time.sleep(STANDSTILL_SECONDS)
    node.signal(signal.SIGCONT)

    with env.client() as client:
        env.wait_until(
            lambda: all(state_of(client, job) is JobState.COMPLETED for job in batch),
            "all jobs complete",
        )
        assert state_of(client, lasting) is JobState.RUNNING
        assert all(len(client.executions(job).items) == 1 for job in jobs)
    assert "node_lost" not in node.log.read_text()
