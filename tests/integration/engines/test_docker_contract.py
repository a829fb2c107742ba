"""The Docker engine under the contract of engines, with a real daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.docker import DockerEngine
from bacalhau.testing.contracts.engine import EngineContract
from tests.support.engines import DockerBench, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.docker import DockerDaemon


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
class TestDockerEngine(EngineContract):
    @pytest.fixture
    async def engine(
        self, tmp_path: Path, docker_daemon: DockerDaemon
    ) -> AsyncIterator[DockerEngine]:
        context = plugin_context(tmp_path, {"Engines.Types.Docker.StopTimeout": "0s"})
        async with DockerEngine.open(context) as engine:
            yield engine

    @pytest.fixture
    def bench(self, docker_daemon: DockerDaemon) -> DockerBench:
        return DockerBench(docker_daemon)
