"""Two compute nodes and an S3 server: jobs go where their inputs are, and wait for that a while."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bacalhau.models import (
    InputSource,
    Job,
    JobState,
    JobType,
    LabelSelectorRequirement,
    ResourcesConfig,
    SpecConfig,
)
from tests.integration.journeys.test_restarts import has_printed, wasm_task
from tests.support.fault_proxy import fault_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.client import Client
    from bacalhau.models import JobHistory
    from tests.support.env import Env
    from tests.support.fault_proxy import FaultProxy
    from tests.support.s3 import S3Objects

OBJECTS = {f"data/{number}": bytes([number]) * (30 << 20) for number in range(3)}
SIZE = sum(map(len, OBJECTS.values()))
WAIT_SECONDS = SIZE / 100e6
PATIENCE_SECONDS = 10.0
STACK = (
    *("--compute-nodes", "2"),
    *("-c", "Compute.AllocatedCapacity.CPU=2"),
    *("-c", "Compute.AllocatedCapacity.Memory=2GB"),
    *("-c", "Compute.AllocatedCapacity.Disk=2GB"),
)


@dataclass
class Stack:
    """Two nodes, and a proxy before the server that counts what is fetched."""

    env: Env
    client: Client
    proxy: FaultProxy
    bucket: str

    def submit(self) -> str:
        """Submit a job over the data."""
        params = {"Bucket": self.bucket, "Key": "data/", "Endpoint": self.proxy.endpoint}
        source = InputSource(source=SpecConfig(type="s3", params=params), target="/inputs")
        task = replace(wasm_task("sleep", "begun", "1"), input_sources=[source])
        job = Job(name="reads", type=JobType.BATCH, count=1, tasks=[task])
        return self.client.submit(job).job_id

    def run(self) -> tuple[str, str]:
        """Run a job over the data to its end; return its id, and the node that it ran on."""
        return self.wait(self.submit())

    def wait(self, job: str) -> tuple[str, str]:
        """Wait until a job has ended well; return its id, and the node that it ran on."""
        self.env.wait_until(lambda: self.client.job(job).job.is_terminal, "the job ends")
        assert self.client.job(job).job.state.state_type is JobState.COMPLETED
        (execution,) = self.client.executions(job).items
        return job, execution.node_id

    def fill(self, node: str) -> str:
        """Let a job take all of a node's cores."""
        whole = ResourcesConfig(cpu="2")
        here = LabelSelectorRequirement(key="name", operator="=", values=[node])
        task = replace(wasm_task("sleep", "begun", "60000"), resources=whole)
        job = Job(name="fills", type=JobType.BATCH, count=1, tasks=[task], constraints=[here])
        job_id = self.client.submit(job).job_id
        self.env.wait_until(lambda: has_printed(self.client, job_id, "begun"), "a task runs")
        return job_id

    def wait_known(self, node: str) -> None:
        """Wait until the orchestrator knows that a node has the data."""
        url = f"http://127.0.0.1:{self.env.variables['BACALHAU_API_PORT']}/api/v1/agent/debug"

        def is_known() -> bool:
            with urllib.request.urlopen(url) as answer:
                return bool(json.load(answer).get("HeldInputs", {}).get(node) == SIZE)

        self.env.wait_until(is_known, "the data of the node are known")

    def history(self, job: str) -> list[JobHistory]:
        """Return what happened to a job."""
        return list(self.client.history(job).items)

    def fetched(self) -> list[str]:
        """Return which objects were asked for since the last time, and forget them."""
        paths = [head.split(" ")[1].partition("?")[0] for head in self.proxy.requests]
        self.proxy.requests.clear()
        return sorted({path.partition("/data/")[2] for path in paths if "/data/" in path})


@asynccontextmanager
async def stack(env: Env, s3_objects: S3Objects) -> AsyncIterator[Stack]:
    bucket = s3_objects.bucket(OBJECTS)
    async with fault_proxy(s3_objects.endpoint) as proxy:
        await asyncio.to_thread(env.start_devstack, *STACK)
        with env.client() as client:
            yield Stack(env, client, proxy, bucket)


def moment(history: list[JobHistory], text: str) -> datetime:
    return datetime.fromisoformat(next(item.time for item in history if text in item.event.message))


async def test_jobs_go_to_the_node_that_has_their_inputs_and_wait_for_it_a_while(
    env: Env, s3_objects: S3Objects
) -> None:
    async with stack(env, s3_objects) as nodes:
        _, near = await asyncio.to_thread(nodes.run)
        assert nodes.fetched() == ["0", "1", "2"]
        await asyncio.to_thread(nodes.wait_known, near)
        sent_bytes = nodes.proxy.sent_bytes

        for _ in range(4):
            _, where = await asyncio.to_thread(nodes.run)
            assert where == near
        assert nodes.fetched() == []
        assert nodes.proxy.sent_bytes - sent_bytes < SIZE / 100, "listings alone"

        filler = await asyncio.to_thread(nodes.fill, near)
        job, where = await asyncio.to_thread(nodes.run)
        assert where != near
        assert nodes.fetched() == ["0", "1", "2"]
        history = await asyncio.to_thread(nodes.history, job)
        why = f"Job queued. waiting up to 1 s for node {near} which has 94 MB of the inputs"
        waited = moment(history, "Requested execution") - moment(history, why)
        assert WAIT_SECONDS - 0.1 < waited.total_seconds() < PATIENCE_SECONDS

        await asyncio.to_thread(partial(nodes.client.stop, filler, reason="enough"))
