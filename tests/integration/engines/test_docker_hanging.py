"""A daemon that takes connections and never answers (spec engines.md 2.2)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.docker import DockerEngine
from bacalhau.engines.docker import engine as docker_engine
from bacalhau.models import SpecConfig, Task
from bacalhau.testing.contracts.engine import RESOURCES
from tests.support.docker import IMAGE, ODD_IMAGE
from tests.support.engines import plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.docker import DockerDaemon

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

AWAY = 'support "docker" at the moment: its Docker daemon does not answer'


class Relay:
    """Passes on what is said to a daemon, until it is frozen."""

    def __init__(self, daemon: str) -> None:
        self.is_frozen = False
        self._daemon = daemon

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            there_reader, there_writer = await asyncio.open_unix_connection(self._daemon)
            with contextlib.closing(there_writer):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass_on(reader, there_writer))
                    group.create_task(self._pass_on(there_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.is_frozen:
                writer.write(data)
        writer.close()


@pytest.fixture
async def relay(
    tmp_path: Path, docker_daemon: DockerDaemon, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Relay]:
    relay = Relay(docker_daemon.host.removeprefix("unix://"))
    path = str(tmp_path / "relay")
    async with await asyncio.start_unix_server(relay.serve, path):
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        monkeypatch.setattr(docker_engine, "_BID_SECONDS", 0.5)
        yield relay


def task_of(image: str) -> Task:
    return Task(name="main", engine=SpecConfig(type="docker", params={"Image": image}))


async def refusal(engine: DockerEngine, image: str) -> str:
    """Return why a task is refused; that takes no long time."""
    async with asyncio.timeout(10):
        return await engine.refusal(task_of(image), RESOURCES)


async def test_a_bid_does_not_wait_for_a_daemon_that_never_answered(
    relay: Relay, tmp_path: Path
) -> None:
    relay.is_frozen = True
    async with DockerEngine.open(plugin_context(tmp_path)) as engine:
        assert await refusal(engine, IMAGE) == AWAY


async def test_a_bid_does_not_wait_for_a_daemon_that_answers_no_more(
    relay: Relay, tmp_path: Path
) -> None:
    async with DockerEngine.open(plugin_context(tmp_path)) as engine:
        assert await refusal(engine, IMAGE) == ""
        relay.is_frozen = True
        assert await refusal(engine, ODD_IMAGE) == AWAY
