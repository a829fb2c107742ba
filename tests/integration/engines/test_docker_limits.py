"""What a container may use, with a real daemon (spec engines.md 2.5, E13, E14, security T-J4)."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines import _disk_limit
from bacalhau.engines.docker import DockerEngine
from bacalhau.errors import ExecutionError
from bacalhau.models import Resources
from bacalhau.ports import TaskExit
from bacalhau.testing.contracts.engine import Runs, cleaned, finish, stop
from tests.support.engines import DockerBench, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.docker import DockerDaemon

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]
MB = 1_000_000
# The two places where kernels of one kind and the other tell a container its share of CPU.
READ_CPU = (
    "cat /sys/fs/cgroup/cpu.max 2> /dev/null || cd /sys/fs/cgroup/cpu &&"
    " echo $(cat cpu.cfs_quota_us cpu.cfs_period_us)"
)


@pytest.fixture
async def engine(tmp_path: Path, docker_daemon: DockerDaemon) -> AsyncIterator[DockerEngine]:
    context = plugin_context(tmp_path, {"Engines.Types.Docker.StopTimeout": "1s"})
    async with DockerEngine.open(context) as engine:
        yield engine


async def test_a_share_of_a_processor(engine: DockerEngine, bench: DockerBench, runs: Runs) -> None:
    run, sink = runs.make(bench.script(READ_CPU), resources=Resources(cpu=0.5))
    await finish(engine, run)
    assert sink.stdout == b"50000 100000\n"


async def test_a_task_of_a_node_that_promises_more_cpu_than_there_is_gets_all_there_is(
    engine: DockerEngine, bench: DockerBench, runs: Runs, docker_daemon: DockerDaemon
) -> None:
    there = docker_daemon.json("GET", "/info")["NCPU"]
    run, sink = runs.make(bench.script(READ_CPU), resources=Resources(cpu=there + 0.5))
    await finish(engine, run)
    assert sink.stdout == f"{there * 100_000} 100000\n".encode()


class TestDisk:
    async def test_a_task_that_fills_its_result_path_is_ended(
        self,
        engine: DockerEngine,
        bench: DockerBench,
        runs: Runs,
        docker_daemon: DockerDaemon,
    ) -> None:
        script = "echo begun; head -c 30000000 /dev/zero > /outputs/file; exec sleep 100"
        run, sink = runs.make(bench.script(script), outputs=("/outputs",))
        with pytest.raises(ExecutionError) as caught:
            await finish(engine, dataclasses.replace(run, disk_bytes=20 * MB))
        assert caught.value.code == "DiskLimitExceeded"
        # It may be caught while it writes.
        assert re.fullmatch(
            r"disk limit exceeded: the task has written (2\d|30) MB, and 20 MB are allowed",
            caught.value.message,
        )
        assert "Resources.Disk" in caught.value.hint
        assert sink.stdout == b"begun\n"
        (left,) = docker_daemon.containers("bacalhau-executor=bacalhau-n-test")
        assert left["State"] == "exited"
        await engine.forget(run.execution_id)
        await cleaned(bench)

    async def test_what_is_written_inside_the_container_counts_too(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "head -c 15000000 /dev/zero > /file; cp /file /outputs/file; exec sleep 100"
        run, _ = runs.make(bench.script(script), outputs=("/outputs",))
        with pytest.raises(ExecutionError, match="disk limit exceeded"):
            await finish(engine, dataclasses.replace(run, disk_bytes=20 * MB))

    async def test_a_task_that_ends_before_it_is_measured_has_failed_too(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_disk_limit, "_FIRST_SECONDS", 60.0)
        for place in ("/outputs/file", "/file"):
            script = f"head -c 30000000 /dev/zero > {place}"
            run, _ = runs.make(bench.script(script), outputs=("/outputs",))
            with pytest.raises(ExecutionError) as caught:
                await finish(engine, dataclasses.replace(run, disk_bytes=20 * MB))
            assert caught.value.message == (
                "disk limit exceeded: the task has written 30 MB, and 20 MB are allowed"
            )

    async def test_a_task_that_stays_below_is_left_alone(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "head -c 15000000 /dev/zero > /outputs/file; sleep 2.5; exit 3"
        run, _ = runs.make(bench.script(script), outputs=("/outputs",))
        limited = dataclasses.replace(run, disk_bytes=20 * MB)
        assert await finish(engine, limited) == TaskExit(exit_code=3)

    async def test_a_task_with_a_limit_can_be_stopped_like_any_other(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))
        limited = dataclasses.replace(run, disk_bytes=20 * MB)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(limited))
            await sink.wait_for(b"begun")
            await stop(running)
        assert await bench.leftovers() == []


class TestPrivileges:
    async def test_a_task_cannot_make_processes_without_end(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        run, sink = runs.make(
            bench.script("cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max")
        )
        await finish(engine, run)
        assert sink.stdout == b"4096\n"

    async def test_root_in_a_container_may_not_do_everything(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "mknod /device b 7 0 2>&1; grep -E 'CapBnd|NoNewPrivs' /proc/self/status"
        run, sink = runs.make(bench.script(script))
        await finish(engine, run)
        printed = sink.stdout.decode()
        assert "Operation not permitted" in printed
        assert "NoNewPrivs:\t1" in printed

    async def test_the_operator_can_take_everything_from_root(
        self, bench: DockerBench, runs: Runs, tmp_path: Path
    ) -> None:
        settings: dict[str, str | tuple[str, ...]] = {
            "Engines.Types.Docker.DropCapabilities": ("ALL",),
            "Engines.Types.Docker.ShmSize": "8MiB",
        }
        script = "grep CapBnd /proc/self/status; df -k /dev/shm | tail -1"
        run, sink = runs.make(bench.script(script))
        async with DockerEngine.open(plugin_context(tmp_path, settings)) as engine:
            await finish(engine, run)
        bounds, shared = sink.stdout.decode().splitlines()
        assert bounds == "CapBnd:\t0000000000000000"
        assert shared.split()[1] == "8192"


class TestKeepStack:
    async def test_containers_stay_for_whoever_looks_for_a_fault(
        self,
        bench: DockerBench,
        runs: Runs,
        docker_daemon: DockerDaemon,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("KEEP_STACK", "1")
        ended, _ = runs.make(bench.say("done", exit_code=3))
        stopped, sink = runs.make(bench.forever("begun"))
        async with DockerEngine.open(plugin_context(tmp_path)) as engine:
            await finish(engine, ended)
            await engine.forget(ended.execution_id)
            async with asyncio.TaskGroup() as group:
                running = group.create_task(engine.run(stopped))
                await sink.wait_for(b"begun")
                await stop(running)
            await engine.sweep(lambda _: False)
        found = docker_daemon.containers("bacalhau-executor=bacalhau-n-test")
        assert {each["State"] for each in found} == {"exited"}
        assert len(found) == 2
        monkeypatch.delenv("KEEP_STACK")
        async with DockerEngine.open(plugin_context(tmp_path)) as engine:
            await engine.sweep(lambda _: False)
        assert await bench.leftovers() == []
