"""The Docker engine with a real daemon (spec engines.md 7, E01 to E32)."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiodocker.containers import DockerContainer

from bacalhau.engines.docker import DockerEngine
from bacalhau.engines.docker import task as docker_task
from bacalhau.errors import ExecutionError, TransientError, UserError
from bacalhau.models import Resources, SpecConfig, Task
from bacalhau.ports import TaskExit, TaskRun, Volume
from bacalhau.testing.contracts.engine import RESOURCES, CollectingSink, Runs, cleaned, finish, stop
from tests.support.abandoned import abandon
from tests.support.docker import IMAGE, ODD_IMAGE, private_daemon
from tests.support.engines import DockerBench, output_of, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.docker import DockerDaemon

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]
MIB = 2**20


@pytest.fixture
async def engine(tmp_path: Path, docker_daemon: DockerDaemon) -> AsyncIterator[DockerEngine]:
    context = plugin_context(tmp_path, {"Engines.Types.Docker.StopTimeout": "2s"})
    async with DockerEngine.open(context) as engine:
        yield engine


class TestOutput:
    async def test_bytes_that_are_no_text_arrive_exactly(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.script(r"printf 'a\000\377\376b'"))
        await finish(engine, run)
        assert sink.stdout == b"a\x00\xff\xfeb"

    async def test_large_output_arrives_exactly(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "head -c 20000000 /dev/urandom | tee /outputs/copy; echo end >&2"
        run, sink = runs.make(bench.script(script), outputs=("/outputs",))
        await finish(engine, run)
        copy = (run.outputs[0].path / "copy").read_bytes()
        assert len(sink.stdout) == 20_000_000
        assert hashlib.sha256(sink.stdout).digest() == hashlib.sha256(copy).digest()
        assert sink.stderr == b"end\n"

    async def test_a_task_that_closes_its_output_still_runs_to_its_end(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "echo last; exec >&- 2>&-; sleep 0.5; exit 4"
        run, sink = runs.make(bench.script(script))
        assert await finish(engine, run) == TaskExit(exit_code=4)
        assert sink.stdout == b"last\n"

    async def test_a_sink_that_fails_ends_the_task(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        class FullDisk(CollectingSink):
            def write(self, *_: object) -> None:
                raise OSError(28, "No space left on device")

        run, _ = runs.make(bench.forever("begun"))
        with pytest.raises(TransientError, match="No space left on device"):
            await finish(engine, dataclasses.replace(run, sink=FullDisk()))
        await cleaned(bench)


class TestParameters:
    @pytest.mark.parametrize(
        ("params", "printed"),
        [
            ({}, "entry command\n"),
            ({"Entrypoint": None}, "entry command\n"),
            ({"Parameters": ["mine"]}, "entry mine\n"),
            ({"Entrypoint": ["echo", "own"]}, "own\n"),
            ({"Entrypoint": [], "Parameters": ["echo", "bare"]}, "bare\n"),
            ({"Entrypoint": [], "Parameters": ["sh", "-c", "echo $COLOUR"]}, "blue\n"),
            ({"Entrypoint": ["pwd"]}, "/tmp\n"),
            ({"Entrypoint": ["pwd"], "WorkingDirectory": "/new/place"}, "/new/place\n"),
            ({"Entrypoint": ["id", "-u"]}, "1000\n"),
        ],
    )
    async def test_what_is_not_given_comes_from_the_image(
        self, engine: DockerEngine, runs: Runs, params: dict[str, Any], printed: str
    ) -> None:
        spec = SpecConfig(type="docker", params={"Image": ODD_IMAGE, **params})
        run, sink = runs.make(spec)
        assert await output_of(engine, run, sink) == printed

    @pytest.mark.parametrize(
        ("variables", "printed"),
        [
            (["A=2", "B=x=y"], "2 x=y unset"),
            ({"A": "2", "B": ""}, "2  unset"),
            (["A"], "unset unset unset"),
        ],
    )
    async def test_the_environment_is_a_list_or_a_map(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, variables: object, printed: str
    ) -> None:
        script = 'echo "${A-unset} ${B-unset} ${C-unset}"'
        spec = bench.script(script, EnvironmentVariables=variables)
        run, sink = runs.make(spec, env={"A": "1"})
        assert await output_of(engine, run, sink) == printed + "\n"

    async def test_a_program_that_the_image_lacks_is_named(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        spec = bench.script("", Entrypoint=["no-such-program"])
        run, _ = runs.make(spec)
        with pytest.raises(ExecutionError) as caught:
            await finish(engine, run)
        assert caught.value.message == (
            "failed to start container: executable file not found: the image"
            f' "{spec.params["Image"]}" has no program "no-such-program"'
        )
        assert "Entrypoint" in caught.value.hint

    async def test_a_program_that_may_not_run_is_a_failure_to_start(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.script("", Entrypoint=["/etc"]))
        with pytest.raises(ExecutionError, match="failed to start container") as caught:
            await finish(engine, run)
        assert "permission denied" in caught.value.message

    async def test_a_program_that_ends_with_127_itself_is_a_result(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.script("no-such-command"))
        assert await finish(engine, run) == TaskExit(exit_code=127)


async def test_the_container_is_named_labelled_and_limited(
    engine: DockerEngine, bench: DockerBench, runs: Runs, docker_daemon: DockerDaemon
) -> None:
    resources = Resources(cpu=0.5, memory=64 * MIB)
    run, sink = runs.make(bench.forever("begun"), resources=resources)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(engine.run(run))
        await sink.wait_for(b"begun")
        label = f"bacalhau-executionID=bacalhau-n-test{run.execution_id}"
        (listed,) = docker_daemon.containers(label)
        found = docker_daemon.json("GET", f"/containers/{listed['Id']}/json")
        await stop(running)
    assert found["Name"] == f"/bacalhau-bacalhau-n-test-{run.job_id}-{run.execution_id}-executor"
    assert found["Config"]["Labels"]["bacalhau-executor"] == "bacalhau-n-test"
    assert found["Config"]["Labels"]["bacalhau-jobID"] == f"bacalhau-n-test{run.job_id}"
    host = found["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (64 * MIB, 64 * MIB)
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 4096
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["NetworkMode"] == "none"
    assert host["Privileged"] is False


async def test_running_out_of_memory_is_a_failure_that_names_the_limit(
    engine: DockerEngine, bench: DockerBench, runs: Runs
) -> None:
    spec = bench.script("echo before; exec tail /dev/zero")
    run, sink = runs.make(spec, resources=Resources(memory=20_000_000))
    with pytest.raises(ExecutionError) as caught:
        await finish(engine, run)
    assert caught.value.code == "MemoryLimitExceeded"
    assert "memory limit exceeded" in caught.value.message
    assert "20 MB" in caught.value.message
    assert caught.value.details["ExitCode"] == "137"
    assert sink.stdout == b"before\n"
    await cleaned(bench)


@pytest.mark.parametrize("is_told_late", [True, False])
async def test_a_daemon_that_hears_of_the_memory_late_or_never_makes_no_difference(
    *,
    engine: DockerEngine,
    bench: DockerBench,
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
    is_told_late: bool,
) -> None:
    """It hears of the end by another way. Never: the control group was gone before."""
    show = DockerContainer.show

    async def show_early(container: DockerContainer) -> dict[str, Any]:
        shown: dict[str, Any] = await show(container)
        return {**shown, "State": {**shown["State"], "OOMKilled": False}}

    async def nothing(*_: object) -> str:
        return ""

    monkeypatch.setattr(DockerContainer, "show", show_early)
    if is_told_late:
        monkeypatch.setattr(docker_task, "memory_kills", lambda: 0)
    else:
        monkeypatch.setattr(docker_task.ContainerTask, "_event_at_end", nothing)
    run, _ = runs.make(bench.script("exec tail /dev/zero"), resources=Resources(memory=20_000_000))
    with pytest.raises(ExecutionError, match="memory limit exceeded"):
        await finish(engine, run)


async def test_a_child_that_runs_out_of_memory_is_the_tasks_own_business(
    engine: DockerEngine, bench: DockerBench, runs: Runs
) -> None:
    spec = bench.script("tail /dev/zero || echo survived; exit 3")
    run, sink = runs.make(spec, resources=Resources(memory=20_000_000))
    assert await finish(engine, run) == TaskExit(exit_code=3)
    assert sink.stdout == b"survived\n"


class TestStopping:
    async def test_the_task_gets_a_signal_and_its_last_words_are_kept(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "trap 'echo bye; exit' TERM; echo begun; while :; do sleep 0.05; done"
        run, sink = runs.make(bench.script(script))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            await stop(running)
        assert sink.stdout == b"begun\nbye\n"
        assert await bench.leftovers() == []

    async def test_a_task_that_ignores_the_signal_is_killed_after_the_grace_period(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "trap '' TERM; echo begun; while :; do sleep 0.05; done"
        run, sink = runs.make(bench.script(script))
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            begin = loop.time()
            await stop(running)
            assert 1.5 < loop.time() - begin < 10
        assert await bench.leftovers() == []

    async def test_a_second_cancellation_skips_the_grace_period(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        script = "trap 'echo asked' TERM; echo begun; while :; do sleep 0.05; done"
        run, sink = runs.make(bench.script(script))
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            begin = loop.time()
            running.cancel()
            await sink.wait_for(b"asked")
            await stop(running)
            assert loop.time() - begin < 1.9
        assert await bench.leftovers() == []


class TestMounts:
    async def test_another_user_reads_inputs_and_writes_outputs(
        self, engine: DockerEngine, runs: Runs, tmp_path: Path
    ) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "file").write_text("content")
        command = "umask 077; mkdir /outputs/sub; cp /inputs/file /outputs/sub/copy"
        params = {"Image": ODD_IMAGE, "Entrypoint": ["sh", "-c", command]}
        run, sink = runs.make(
            SpecConfig(type="docker", params=params),
            inputs=(Volume(path=tmp_path / "in", target="/inputs"),),
            outputs=("/outputs",),
        )
        await output_of(engine, run, sink)
        assert (run.outputs[0].path / "sub" / "copy").read_text() == "content"

    async def test_only_read_only_inputs_cannot_be_written(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, tmp_path: Path
    ) -> None:
        script = "touch /a/new && echo a; touch /b/new && echo b; true"
        for name in "ab":
            (tmp_path / name).mkdir()
        inputs = (
            Volume(path=tmp_path / "a", target="/a"),
            Volume(path=tmp_path / "b", target="/b", read_only=True),
        )
        run, sink = runs.make(bench.script(script), inputs=inputs)
        assert await output_of(engine, run, sink) == "a\n"

    async def test_a_target_that_fits_no_mount_is_named(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, tmp_path: Path
    ) -> None:
        inputs = (Volume(path=tmp_path, target="/etc/passwd"),)
        run, _ = runs.make(bench.say("hi"), inputs=inputs)
        with pytest.raises(ExecutionError, match="/etc/passwd"):
            await finish(engine, run)
        await cleaned(bench)

    async def test_two_mounts_at_one_target_are_refused(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, tmp_path: Path
    ) -> None:
        volume = Volume(path=tmp_path, target="/data")
        run, _ = runs.make(bench.say("hi"), inputs=(volume,), outputs=("/data",))
        with pytest.raises(ExecutionError, match="Duplicate mount point: /data"):
            await finish(engine, run)


class TestRestart:
    """The node's process is killed; a new one takes over."""

    async def test_a_task_that_still_runs_is_joined_with_all_its_output(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, tmp_path: Path
    ) -> None:
        script = "echo begun; while [ ! -e /outputs/go ]; do sleep 0.05; done; echo end; exit 5"
        run, sink = runs.make(bench.script(script), outputs=("/outputs",))
        abandon(run, tmp_path)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(finish(engine, run))
            await sink.wait_for(b"begun\n")
            (run.outputs[0].path / "go").touch()
        assert running.result() == TaskExit(exit_code=5)
        assert sink.stdout == b"begun\nend\n"
        assert sink.resets >= 1
        await cleaned(bench)

    async def test_a_task_that_ended_meanwhile_is_collected_and_not_run_again(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, tmp_path: Path
    ) -> None:
        script = (
            "echo begun; echo run >> /outputs/runs;"
            " while [ ! -e /outputs/go ]; do sleep 0.05; done; exit 6"
        )
        run, sink = runs.make(bench.script(script), outputs=("/outputs",))
        abandon(run, tmp_path)
        (run.outputs[0].path / "go").touch()
        assert await finish(engine, run) == TaskExit(exit_code=6)
        assert sink.stdout == b"begun\n"
        assert (run.outputs[0].path / "runs").read_text() == "run\n"
        await cleaned(bench)

    async def test_a_joined_task_can_be_stopped(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs, tmp_path: Path
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))
        abandon(run, tmp_path)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            await stop(running)
        await cleaned(bench)

    async def test_a_container_that_never_started_is_made_anew(
        self,
        engine: DockerEngine,
        bench: DockerBench,
        runs: Runs,
        docker_daemon: DockerDaemon,
        tmp_path: Path,
    ) -> None:
        run, sink = runs.make(bench.say("fresh"))
        create(docker_daemon, run, tmp_path)
        assert await output_of(engine, run, sink) == "fresh"
        await cleaned(bench)

    async def test_the_sweep_removes_what_is_not_live_and_ours(
        self,
        engine: DockerEngine,
        bench: DockerBench,
        runs: Runs,
        docker_daemon: DockerDaemon,
        tmp_path: Path,
    ) -> None:
        made = [runs.make(bench.say("x"))[0] for _ in range(4)]
        create(docker_daemon, made[0], tmp_path)
        create(docker_daemon, made[1], tmp_path)
        create(docker_daemon, made[2], tmp_path, node_id="n-other")
        create(docker_daemon, made[3], tmp_path / "elsewhere")
        await engine.sweep(lambda each: each == made[0].execution_id)
        left = " ".join(await bench.leftovers())
        assert [run.execution_id in left for run in made] == [True, False, False, True]
        others = DockerBench(docker_daemon, "n-other")
        assert len(await others.leftovers()) == 1
        for node_id, place in (
            ("n-test", tmp_path),
            ("n-test", tmp_path / "elsewhere"),
            ("n-other", tmp_path),
        ):
            context = plugin_context(place, node_id=node_id)
            async with DockerEngine.open(context) as owner:
                await owner.sweep(lambda _: False)
        assert await bench.leftovers() == []
        assert await others.leftovers() == []


async def fails_when(
    interfere: Callable[[str], object],
    engine: DockerEngine,
    bench: DockerBench,
    runs: Runs,
    docker_daemon: DockerDaemon,
    *,
    match: str,
) -> None:
    """Do something to the container of a running task, and expect the task to fail by it."""
    run, sink = runs.make(bench.forever("begun"))

    async def expect_the_error() -> None:
        with pytest.raises(TransientError, match=match):
            await finish(engine, run)

    async with asyncio.TaskGroup() as group:
        group.create_task(expect_the_error())
        await sink.wait_for(b"begun")
        label = f"bacalhau-executionID=bacalhau-n-test{run.execution_id}"
        (listed,) = docker_daemon.containers(label)
        interfere(listed["Id"])


async def test_a_container_that_somebody_removes_is_a_transient_error(
    engine: DockerEngine, bench: DockerBench, runs: Runs, docker_daemon: DockerDaemon
) -> None:
    def remove(container: str) -> None:
        docker_daemon.request("DELETE", f"/containers/{container}", force="1")

    await fails_when(remove, engine, bench, runs, docker_daemon, match="removed by somebody else")


class TestStoppedFromOutside:
    """As by the end of the daemon, or of the machine: what the task did is no result."""

    @pytest.mark.parametrize("action", ["stop", "restart"])
    async def test_a_container_that_somebody_ends_has_no_result(
        self,
        engine: DockerEngine,
        bench: DockerBench,
        runs: Runs,
        docker_daemon: DockerDaemon,
        action: str,
    ) -> None:
        def end(container: str) -> None:
            docker_daemon.request("POST", f"/containers/{container}/{action}", t="5")

        await fails_when(end, engine, bench, runs, docker_daemon, match="ended from outside")
        await cleaned(bench)

    async def test_a_task_that_kills_itself_has_one(
        self, engine: DockerEngine, bench: DockerBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.script("kill -9 $$"))
        assert await finish(engine, run) == TaskExit(exit_code=137)

    async def test_one_that_was_stopped_while_nobody_looked_has_none(
        self,
        engine: DockerEngine,
        bench: DockerBench,
        runs: Runs,
        docker_daemon: DockerDaemon,
        tmp_path: Path,
    ) -> None:
        run, _ = runs.make(bench.forever("begun"))
        abandon(run, tmp_path)
        label = f"bacalhau-executionID=bacalhau-n-test{run.execution_id}"
        (listed,) = docker_daemon.containers(label)
        docker_daemon.request("POST", f"/containers/{listed['Id']}/stop", t="5")
        assert await engine.holds(run.execution_id)
        with pytest.raises(TransientError, match="ended from outside"):
            await finish(engine, run)
        await cleaned(bench)


async def test_many_tasks_at_once_do_not_wait_for_connections(
    engine: DockerEngine, bench: DockerBench, runs: Runs
) -> None:
    made = [runs.make(bench.say(f"task-{number}")) for number in range(12)]
    async with asyncio.TaskGroup() as group:
        for run, _ in made:
            group.create_task(finish(engine, run))
    assert [sink.stdout for _, sink in made] == [b"task-%d" % number for number in range(12)]


def create(daemon: DockerDaemon, run: TaskRun, directory: Path, *, node_id: str = "n-test") -> None:
    """Create the container of a run, as a process that died just then would leave it."""
    executor = f"bacalhau-{node_id}"
    body = {
        "Image": IMAGE,
        "HostConfig": {"NetworkMode": "none"},
        "Labels": {
            "bacalhau-executor": executor,
            "bacalhau-executionID": f"{executor}{run.execution_id}",
            "bacalhau-dataDirectory": str(directory),
        },
    }
    status, answer = daemon.request(
        "POST",
        "/containers/create",
        json.dumps(body).encode(),
        name=f"{node_id}-{directory.name}-{run.execution_id}",
    )
    assert status == 201, answer


class TestDaemonRestart:
    async def test_a_task_that_outlives_the_daemon_is_seen_through_to_its_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with private_daemon("--live-restore") as daemon:
            monkeypatch.setenv("DOCKER_HOST", daemon.host)
            script = "echo begun; while [ ! -e /outputs/go ]; do sleep 0.05; done; echo end; exit 7"
            bench = DockerBench(daemon)
            run, sink = Runs(bench, tmp_path).make(bench.script(script), outputs=("/outputs",))
            async with (
                DockerEngine.open(plugin_context(tmp_path)) as engine,
                asyncio.TaskGroup() as group,
            ):
                running = group.create_task(finish(engine, run))
                await sink.wait_for(b"begun")
                daemon.stop()
                await asyncio.to_thread(daemon.start)
                (run.outputs[0].path / "go").touch()
            assert running.result() == TaskExit(exit_code=7)
            assert sink.stdout == b"begun\nend\n"
            await cleaned(bench)

    async def test_a_task_that_ends_with_the_daemon_may_be_tried_elsewhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with private_daemon() as daemon:
            monkeypatch.setenv("DOCKER_HOST", daemon.host)
            bench = DockerBench(daemon)
            run, sink = Runs(bench, tmp_path).make(bench.forever("begun"))

            async def expect_the_error(engine: DockerEngine) -> None:
                with pytest.raises(TransientError, match="ended from outside"):
                    await finish(engine, run)

            async with (
                DockerEngine.open(plugin_context(tmp_path)) as engine,
                asyncio.TaskGroup() as group,
            ):
                group.create_task(expect_the_error(engine))
                await sink.wait_for(b"begun")
                daemon.stop()
                await asyncio.to_thread(daemon.start)
            await cleaned(bench)

    async def test_what_is_to_start_waits_for_the_daemon(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with private_daemon() as daemon:
            monkeypatch.setenv("DOCKER_HOST", daemon.host)
            bench = DockerBench(daemon)
            run, sink = Runs(bench, tmp_path).make(bench.say("late", exit_code=3))
            task = Task(name="main", engine=run.engine)
            async with (
                DockerEngine.open(plugin_context(tmp_path)) as engine,
                asyncio.TaskGroup() as group,
            ):
                assert await engine.refusal(task, RESOURCES) == ""
                daemon.stop()
                running = group.create_task(finish(engine, run))
                held = group.create_task(engine.holds(run.execution_id))
                while "does not answer" not in await engine.refusal(  # noqa: ASYNC110
                    task, RESOURCES
                ):
                    await asyncio.sleep(0.01)
                assert await engine.is_available()
                await asyncio.to_thread(daemon.start)
                assert await running == TaskExit(exit_code=3)
                assert await engine.refusal(task, RESOURCES) == ""
            assert sink.stdout == b"late"
            assert held.result() in (True, False)


class TestDaemonAway:
    async def test_is_told_and_not_raised(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = Task(name="main", engine=SpecConfig(type="docker", params={"Image": "busybox"}))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
        async with DockerEngine.open(plugin_context(tmp_path)) as engine:
            assert await engine.is_available() is False
            assert "Docker daemon does not answer" in await engine.refusal(task, RESOURCES)

    async def test_an_address_that_makes_no_sense_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", "somewhere")
        with pytest.raises(UserError, match='DOCKER_HOST="somewhere"'):
            async with DockerEngine.open(plugin_context(tmp_path)):
                pass
