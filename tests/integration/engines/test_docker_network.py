"""Networks of containers, with a real daemon (spec engines.md 2.8, 2.9, E20 to E23)."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.docker import DockerEngine
from bacalhau.errors import ExecutionError
from bacalhau.models import NetworkConfig, NetworkType, Task
from bacalhau.ports import TaskExit
from bacalhau.testing.contracts.engine import RESOURCES, Runs, cleaned, finish
from tests.support.abandoned import abandon
from tests.support.engines import DockerBench, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.docker import DockerDaemon

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

LOCAL = {"Engines.Types.Docker.AllowedPrivateNetworks": ("127.0.0.0/8", "::1/128")}


@pytest.fixture
async def engine(tmp_path: Path, docker_daemon: DockerDaemon) -> AsyncIterator[DockerEngine]:
    async with DockerEngine.open(plugin_context(tmp_path, LOCAL)) as engine:
        yield engine


class Origin:
    """A web server on loopback that answers with the head of the request."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Origin]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        body = b"it works"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin().serving() as origin:
        yield origin


def http(*domains: str) -> NetworkConfig:
    return NetworkConfig(type=NetworkType.HTTP, domains=list(domains))


@pytest.mark.parametrize("kind", [NetworkType.NONE, NetworkType.FULL])
async def test_a_task_sees_no_network_or_that_of_the_host(
    engine: DockerEngine, bench: DockerBench, runs: Runs, kind: NetworkType
) -> None:
    run, sink = runs.make(bench.script("ls /sys/class/net"), network=NetworkConfig(type=kind))
    assert await finish(engine, run) == TaskExit(exit_code=0)
    found = sink.stdout.decode().split()
    if kind is NetworkType.NONE:
        assert found == ["lo"]
    else:
        # Those of other containers come and go.
        virtual = ("br-", "veth", "docker")
        names = [each.name for each in Path("/sys/class/net").iterdir()]
        assert {name for name in names if not name.startswith(virtual)} <= set(found)


class TestHTTP:
    async def test_a_listed_domain_is_reached_and_told_the_job(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, origin: Origin
    ) -> None:
        script = f"wget -q -O - --header 'X-Mine: 1' 'http://localhost:{origin.port}/a/b?c=d'"
        run, sink = runs.make(bench.script(script), network=http("localhost"))
        task = Task(name="main", engine=run.engine, network=run.network)
        assert await engine.refusal(task, RESOURCES) == ""
        assert await finish(engine, run) == TaskExit(exit_code=0), sink.stderr
        assert sink.stdout == b"it works"
        (head,) = origin.heads
        line, *headers = head.strip().split("\r\n")
        assert line == "GET /a/b?c=d HTTP/1.1"
        assert {
            f"Host: localhost:{origin.port}",
            f"X-Bacalhau-Job-ID: {run.job_id}",
            "X-Mine: 1",
        } <= set(headers)
        await cleaned(bench)

    async def test_what_is_encrypted_goes_through_a_tunnel(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, origin: Origin
    ) -> None:
        script = (
            rf"printf 'CONNECT localhost:{origin.port} HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n'"
            " | nc ${https_proxy%:*} ${https_proxy#*:}"
        )
        run, sink = runs.make(bench.script(script), network=http("localhost"))
        await finish(engine, run)
        assert sink.stdout.startswith(b"HTTP/1.1 200 Connection established\r\n\r\n")
        assert sink.stdout.endswith(b"it works")
        assert origin.heads == ["GET / HTTP/1.0\r\n\r\n"]

    async def test_another_domain_is_refused_with_a_reason(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, origin: Origin
    ) -> None:
        request = f"GET http://127.0.0.1:{origin.port}/ HTTP/1.1"
        script = rf"printf '{request}\r\n\r\n' | nc ${{http_proxy%:*}} ${{http_proxy#*:}}"
        run, sink = runs.make(bench.script(script), network=http("localhost"))
        await finish(engine, run)
        assert sink.stdout.startswith(b"HTTP/1.1 403 ")
        assert b"the job's domains do not include 127.0.0.1" in sink.stdout
        assert origin.heads == []

    async def test_an_address_that_is_not_public_is_refused_unless_the_operator_lists_it(
        self,
        bench: DockerBench,
        runs: Runs,
        origin: Origin,
        tmp_path: Path,
    ) -> None:
        script = f"wget -q -O - http://localhost:{origin.port}/"
        run, sink = runs.make(bench.script(script), network=http("localhost"))
        async with DockerEngine.open(plugin_context(tmp_path)) as strict:
            assert await finish(strict, run) == TaskExit(exit_code=1)
        assert b"403 Forbidden" in sink.stderr
        assert origin.heads == []

    async def test_nothing_is_reached_without_the_proxy(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "nc -w 1 192.0.2.1 80 || echo no way; nslookup example.com >&2 || echo no name"
        run, sink = runs.make(bench.script(script), network=http("example.com"))
        await finish(engine, run)
        assert sink.stdout == b"no way\nno name\n"

    async def test_variables_name_the_proxy_as_programs_look_for_it(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        names = "$http_proxy $https_proxy $HTTP_PROXY $HTTPS_PROXY $NO_PROXY"
        run, sink = runs.make(bench.script(f"echo {names}"), network=http("example.com"))
        await finish(engine, run)
        plain, tunnel, upper, upper_tunnel, exempt = sink.stdout.decode().split()
        assert plain == tunnel
        assert upper == upper_tunnel == f"http://{plain}"
        assert exempt == "localhost,127.0.0.1"

    async def test_without_domains_it_is_refused_and_leaves_nothing(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.say("hi"), network=http())
        with pytest.raises(ExecutionError, match="at least one domain is required"):
            await finish(engine, run)
        assert await bench.leftovers() == []

    async def test_a_failure_to_start_leaves_no_network(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        spec, text = bench.unstartable()
        run, _ = runs.make(spec, network=http("example.com"))
        with pytest.raises(ExecutionError, match=text):
            await finish(engine, run)
        await cleaned(bench)

    async def test_a_joined_task_is_served_again(
        self,
        engine: DockerEngine,
        bench: DockerBench,
        runs: Runs,
        origin: Origin,
        tmp_path: Path,
    ) -> None:
        script = (
            "echo begun; while [ ! -e /outputs/go ]; do sleep 0.05; done;"
            f" wget -q -O - http://localhost:{origin.port}/"
        )
        run, sink = runs.make(
            bench.script(script), outputs=("/outputs",), network=http("localhost")
        )
        await asyncio.to_thread(abandon, run, tmp_path)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(finish(engine, run))
            await sink.wait_for(b"begun\n")
            (run.outputs[0].path / "go").touch()
        assert running.result() == TaskExit(exit_code=0), sink.stderr
        assert sink.stdout == b"begun\nit works"
        await cleaned(bench)
