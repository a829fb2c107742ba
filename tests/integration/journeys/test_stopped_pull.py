"""A job that is stopped while Docker pulls its image from a slow registry (spec engines.md 2.4)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import ComputeState, JobState
from tests.support.docker import publish_foreign_image
from tests.support.fault_proxy import fault_proxy

if TYPE_CHECKING:
    from bacalhau.client import Client
    from tests.support.docker import DockerDaemon
    from tests.support.env import Env

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

NODE = "n-slow-registry"
LABEL = f"bacalhau-executor=bacalhau-{NODE}"
NETWORKED = ("-c", "JobAdmissionControl.AcceptNetworkedJobs=true")


@pytest.mark.parametrize("network", [(), ("--network", "http", "--domain", "a.example")])
async def test_the_pull_is_broken_off_and_nothing_is_left(
    env: Env, docker_daemon: DockerDaemon, docker_registry: str, network: tuple[str, ...]
) -> None:
    version = docker_daemon.json("GET", "/version")
    platform = f"{version['Os']}/{version['Arch']}"
    # Docker would not fetch a layer that it has.
    publish_foreign_image(docker_registry, "slow/tool", "1", platform, os.urandom(2**20))
    env.variables["DOCKER_HOST"] = docker_daemon.host
    await asyncio.to_thread(env.start_node, "--name", NODE, *NETWORKED)
    async with fault_proxy(f"http://{docker_registry}") as proxy:
        image = f"{proxy.endpoint.removeprefix('http://')}/slow/tool:1"
        # The layer has a megabyte, so that it would take a minute.
        proxy.piece_bytes, proxy.pause = 1024, lambda: asyncio.sleep(0.05)

        def is_underway() -> bool:
            return proxy.sent_bytes > 20_000

        def is_broken_off() -> bool:
            return not proxy.open_connections

        submit = ("docker", "run", "--wait=false", *network, image, "true")
        job = (await asyncio.to_thread(env.cli, *submit)).stdout.strip()
        await asyncio.to_thread(env.wait_until, is_underway, "the layer arrives")
        done = await asyncio.to_thread(env.cli, "job", "stop", job)
        assert done.code == 0, done.stderr
        await asyncio.to_thread(env.wait_until, is_broken_off, "Docker hangs up", 10)

        with env.client() as client:
            await asyncio.to_thread(env.wait_until, lambda: is_idle(client), "the node is free")
            assert client.job(job).job.state.state_type is JobState.STOPPED
            (execution,) = client.executions(job).items
        assert execution.compute_state.state_type is ComputeState.CANCELLED
        assert docker_daemon.containers(LABEL) == []
        assert docker_daemon.networks(LABEL) == []
        assert docker_daemon.request("GET", f"/images/{image}/json")[0] == 404


def is_idle(client: Client) -> bool:
    info = client.node(NODE).info.compute_node_info
    return info is not None and info.running_executions == 0
