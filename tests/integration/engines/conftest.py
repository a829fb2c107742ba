"""What tests of the Docker engine share. Those of other engines bring a bench of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.testing.contracts.engine import Runs
from tests.support.docker import (  # noqa: F401
    docker_daemon,
    docker_registry,
    private_registry,
)
from tests.support.engines import DockerBench

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.testing.contracts.engine import Bench
    from tests.support.docker import DockerDaemon


@pytest.fixture
def bench(docker_daemon: DockerDaemon) -> DockerBench:  # noqa: F811
    return DockerBench(docker_daemon)


@pytest.fixture
def runs(bench: Bench, tmp_path: Path) -> Runs:
    return Runs(bench, tmp_path / "runs")
