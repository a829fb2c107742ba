"""What every engine must do (``ports.Engine``).

Subclass ``EngineContract`` in a test module and give it the fixtures ``engine`` and ``bench``.
A bench makes, for one engine, tasks with the behaviour that the suite asks for.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec
import pytest

from bacalhau.errors import BacalhauError, ExecutionError, ValidationError
from bacalhau.models import (
    ExecutionID,
    JobID,
    NetworkConfig,
    Resources,
    SpecConfig,
    Task,
)
from bacalhau.ports.engine import Stream, TaskExit, TaskRun
from bacalhau.ports.plugin import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bacalhau.ports.engine import Engine

PATIENCE_SECONDS = 30.0
RESOURCES = Resources(cpu=0.5, memory=256 * 2**20)


class CollectingSink:
    """Keeps output in memory, and lets a test wait for it. Written to from any thread."""

    def __init__(self) -> None:
        self.resets = 0
        self._parts: dict[Stream, bytearray] = {stream: bytearray() for stream in Stream}
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def stdout(self) -> bytes:
        """All standard output since the last reset."""
        return bytes(self._parts[Stream.STDOUT])

    @property
    def stderr(self) -> bytes:
        """All standard error since the last reset."""
        return bytes(self._parts[Stream.STDERR])

    def reset(self) -> None:
        """Drop everything."""
        self.resets += 1
        for part in self._parts.values():
            part.clear()

    def write(self, stream: Stream, data: bytes) -> None:
        """Append."""
        self._parts[stream] += data
        self._loop.call_soon_threadsafe(self._changed.set)

    async def wait_for(self, text: bytes) -> None:
        """Wait until the standard output contains a text; fail the test when it never does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in self.stdout:
                self._changed.clear()
                if text not in self.stdout:
                    await self._changed.wait()


class Bench(Protocol):
    """Makes tasks for one engine. Arguments are text without blanks or quotes."""

    def say(self, stdout: str, stderr: str = "", exit_code: int = 0) -> SpecConfig:
        """Print exactly these texts and end with this code."""
        ...

    def arguments(self, *arguments: str) -> SpecConfig:
        """Print each argument on a line."""
        ...

    def variable(self, name: str, **own: str) -> SpecConfig:
        """Print one environment variable on a line; ``own`` are set by the parameters."""
        ...

    def copy(self, source: str, target: str) -> SpecConfig:
        """Copy a file."""
        ...

    def forever(self, line: str) -> SpecConfig:
        """Print a line and go on without end."""
        ...

    def unstartable(self) -> tuple[SpecConfig, str]:
        """Pass ``check`` but fail to start, with a message that contains this text."""
        ...

    def wrong(self) -> Sequence[tuple[SpecConfig, str]]:
        """Parameters that ``check`` refuses, with the JSON path of the field."""
        ...

    def inputs(self, spec: SpecConfig) -> tuple[Volume, ...]:
        """Prepare the sources that the engine asks for in ``extra_inputs``."""
        ...

    async def leftovers(self) -> Sequence[str]:
        """Name what is there of finished executions: containers, threads, files."""
        ...


@dataclass
class Runs:
    """Makes ``TaskRun`` values for a bench, with directories below ``directory``."""

    bench: Bench
    directory: Path
    count: int = field(default=0)

    def make(
        self,
        spec: SpecConfig,
        *,
        execution_id: str = "",
        env: dict[str, str] | None = None,
        inputs: tuple[Volume, ...] = (),
        outputs: tuple[str, ...] = (),
        resources: Resources = RESOURCES,
        network: NetworkConfig | None = None,
    ) -> tuple[TaskRun, CollectingSink]:
        """Make a run; ``outputs`` are targets for which empty directories are made."""
        self.count += 1
        name = execution_id or f"e-{self.count:08x}-0000-4000-8000-000000000000"
        volumes = []
        for target in outputs:
            path = self.directory / name / target.strip("/").replace("/", "-")
            path.mkdir(parents=True)
            volumes.append(Volume(path=path, target=target))
        sink = CollectingSink()
        run = TaskRun(
            execution_id=ExecutionID(name),
            job_id=JobID("j-00000001-0000-4000-8000-000000000000"),
            engine=spec,
            env=env or {},
            resources=resources,
            network=network or NetworkConfig(),
            inputs=(*inputs, *self.bench.inputs(spec)),
            outputs=tuple(volumes),
            sink=sink,
        )
        return run, sink


async def finish(engine: Engine, run: TaskRun) -> TaskExit:
    """Run to the end and forget the task, or fail the test when the end never comes."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            return await engine.run(run)
        finally:
            await engine.forget(run.execution_id)


async def stop(running: asyncio.Task[TaskExit]) -> None:
    """Cancel a run and wait until it has ended."""
    running.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await running


async def cleaned(bench: Bench) -> None:
    """Wait until nothing is left of tasks that ended by themselves; fail when something stays."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await bench.leftovers():  # noqa: ASYNC110 - the daemon is asked
            await asyncio.sleep(0.01)


class EngineContract:
    """The suite; see the module."""

    @pytest.fixture
    def runs(self, bench: Bench, tmp_path: Path) -> Runs:
        return Runs(bench, tmp_path / "runs")

    async def test_is_available_and_accepts_an_ordinary_task(
        self, engine: Engine, bench: Bench
    ) -> None:
        task = Task(name="main", engine=bench.say("hi"))
        assert await engine.is_available()
        assert await engine.refusal(task, RESOURCES) == ""

    async def test_check_accepts_good_parameters_without_warnings(
        self, engine: Engine, bench: Bench
    ) -> None:
        for spec in (bench.say("hi"), bench.arguments("a"), bench.variable("A", A="1")):
            assert list(engine.check(spec)) == []

    async def test_check_warns_of_an_unknown_parameter_by_name(
        self, engine: Engine, bench: Bench
    ) -> None:
        spec = bench.say("hi")
        spec = msgspec.structs.replace(spec, params={**spec.params, "Colour": "red"})
        (warning,) = engine.check(spec)
        assert "Colour" in warning

    async def test_check_names_the_field_of_a_wrong_parameter(
        self, engine: Engine, bench: Bench
    ) -> None:
        for spec, path in bench.wrong():
            with pytest.raises(ValidationError) as caught:
                engine.check(spec)
            assert path in caught.value.fields

    async def test_keeps_the_streams_apart_and_adds_nothing(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.say("to-out", "to-err"))
        assert await finish(engine, run) == TaskExit(exit_code=0)
        assert (sink.stdout, sink.stderr) == (b"to-out", b"to-err")

    @pytest.mark.parametrize("code", [1, 3, 125, 127, 255])
    async def test_any_exit_code_is_a_result(
        self, engine: Engine, bench: Bench, runs: Runs, code: int
    ) -> None:
        run, sink = runs.make(bench.say("out", exit_code=code))
        assert await finish(engine, run) == TaskExit(exit_code=code)
        assert sink.stdout == b"out"

    async def test_passes_arguments(self, engine: Engine, bench: Bench, runs: Runs) -> None:
        run, sink = runs.make(bench.arguments("first", "--second=2", "drei"))
        await finish(engine, run)
        assert sink.stdout.split() == [b"first", b"--second=2", b"drei"]

    async def test_passes_the_environment(self, engine: Engine, bench: Bench, runs: Runs) -> None:
        run, sink = runs.make(bench.variable("COLOUR"), env={"COLOUR": "red=blue", "OTHER": "1"})
        await finish(engine, run)
        assert sink.stdout == b"red=blue\n"

    async def test_the_engines_own_variable_wins(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.variable("A", A="2"), env={"A": "1"})
        await finish(engine, run)
        assert sink.stdout == b"2\n"

    async def test_reads_inputs_and_writes_outputs(
        self, engine: Engine, bench: Bench, runs: Runs, tmp_path: Path
    ) -> None:
        data = tmp_path / "data" / "sub"
        data.mkdir(parents=True)
        content = bytes(range(256)) * 1000
        (data / "in.bin").write_bytes(content)
        volume = Volume(path=data.parent, target="/inputs", read_only=True)
        spec = bench.copy("/inputs/sub/in.bin", "/outputs/out.bin")
        run, sink = runs.make(spec, inputs=(volume,), outputs=("/outputs",))
        assert await finish(engine, run) == TaskExit(exit_code=0), sink.stderr
        assert (run.outputs[0].path / "out.bin").read_bytes() == content

    async def test_binds_a_single_file_at_its_target(
        self, engine: Engine, bench: Bench, runs: Runs, tmp_path: Path
    ) -> None:
        file = tmp_path / "some-file"
        file.write_text("content")
        volume = Volume(path=file, target="/data/config.txt")
        spec = bench.copy("/data/config.txt", "/outputs/copy")
        run, sink = runs.make(spec, inputs=(volume,), outputs=("/outputs",))
        assert await finish(engine, run) == TaskExit(exit_code=0), sink.stderr
        assert (run.outputs[0].path / "copy").read_text() == "content"

    async def test_an_input_inside_another_shows_its_own_content(
        self, engine: Engine, bench: Bench, runs: Runs, tmp_path: Path
    ) -> None:
        for name in ("outer/inner", "inner"):
            (tmp_path / name).mkdir(parents=True)
            (tmp_path / name / "file").write_text(f"of {name}")
        inputs = (
            Volume(path=tmp_path / "outer", target="/inputs"),
            Volume(path=tmp_path / "inner", target="/inputs/inner"),
        )
        spec = bench.copy("/inputs/inner/file", "/outputs/copy")
        run, sink = runs.make(spec, inputs=inputs, outputs=("/outputs",))
        assert await finish(engine, run) == TaskExit(exit_code=0), sink.stderr
        assert (run.outputs[0].path / "copy").read_text() == "of inner"

    async def test_output_arrives_while_the_task_runs(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun\n")
            assert not running.done()
            await stop(running)
        assert sink.stdout == b"begun\n"

    async def test_a_cancelled_task_leaves_nothing(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            await stop(running)
        assert list(await bench.leftovers()) == []

    @pytest.mark.parametrize("turns", [0, 1, 5, 50])
    async def test_cancelling_during_the_start_leaves_nothing(
        self, engine: Engine, bench: Bench, runs: Runs, turns: int
    ) -> None:
        run, _ = runs.make(bench.forever("begun"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            for _ in range(turns):
                await asyncio.sleep(0.001)
            await stop(running)
        assert list(await bench.leftovers()) == []

    async def test_a_finished_task_soon_leaves_nothing(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.say("done"))
        await finish(engine, run)
        await cleaned(bench)

    async def test_a_failure_to_start_says_why_and_leaves_nothing(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        spec, text = bench.unstartable()
        run, _ = runs.make(spec)
        with pytest.raises(ExecutionError) as caught:
            await finish(engine, run)
        assert text in caught.value.message
        await cleaned(bench)

    async def test_running_again_begins_the_output_anew(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.say("once"))
        await finish(engine, run)
        await finish(engine, run)
        assert sink.resets == 2
        assert sink.stdout == b"once"

    async def test_several_tasks_run_at_once_without_mixing(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        made = [runs.make(bench.say(f"task-{number}", exit_code=number)) for number in range(6)]
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(finish(engine, run)) for run, _ in made]
        assert [each.result().exit_code for each in running] == list(range(6))
        assert [sink.stdout for _, sink in made] == [b"task-%d" % n for n in range(6)]

    async def test_stopping_one_task_leaves_the_others_alone(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        made = [runs.make(bench.forever(f"task-{number}")) for number in range(2)]
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(engine.run(run)) for run, _ in made]
            for number, (_, sink) in enumerate(made):
                await sink.wait_for(b"task-%d" % number)
            await stop(running[0])
            assert not running[1].done()
            await stop(running[1])

    async def test_the_sweep_spares_live_executions(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            await engine.sweep(lambda each: each == run.execution_id)
            assert not running.done()
            await stop(running)

    async def test_what_has_ended_is_joined_again_until_it_is_forgotten(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.say("out", "err", exit_code=3))
        assert not await engine.holds(run.execution_id)
        assert await engine.run(run) == TaskExit(exit_code=3)
        if await engine.holds(run.execution_id):
            assert await engine.run(run) == TaskExit(exit_code=3)
            assert (sink.stdout, sink.stderr) == (b"out", b"err")
        await engine.forget(run.execution_id)
        await cleaned(bench)
        assert not await engine.holds(run.execution_id)

    async def test_what_was_let_go_is_held_or_gone(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            engine.let_go()
            await stop(running)
        assert await engine.holds(run.execution_id) == bool(await bench.leftovers())
        await engine.forget(run.execution_id)
        await cleaned(bench)

    async def test_forgetting_what_never_was_is_nothing(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.say("never"))
        await engine.forget(run.execution_id)
        await cleaned(bench)

    async def test_wrong_parameters_are_an_error_also_when_run(
        self, engine: Engine, bench: Bench, runs: Runs
    ) -> None:
        spec, _ = bench.wrong()[0]
        run, _ = runs.make(bench.say("hi"))
        with pytest.raises(BacalhauError):
            await finish(engine, dataclasses.replace(run, engine=spec))
        assert list(await bench.leftovers()) == []
