"""The WebAssembly engine with real modules (spec engines.md 7, W01 to W18)."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.wasm import WasmEngine
from bacalhau.errors import BacalhauError, ExecutionError, TransientError
from bacalhau.models import Resources, SpecConfig, Task
from bacalhau.ports import Stream, TaskExit, Volume
from bacalhau.testing.contracts.engine import CollectingSink, Runs, finish, stop
from tests.support.engines import WasmBench, compile_text, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIB = 2**20
EPERM = 63
ENOENT = 44


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WasmEngine]:
    async with WasmEngine.open(plugin_context(tmp_path / "node")) as engine:
        yield engine


@pytest.fixture
def bench(tmp_path: Path) -> WasmBench:
    return WasmBench(tmp_path / "modules", tmp_path / "node")


def descriptors() -> int:
    return len(list(Path("/dev/fd/").iterdir()))


async def test_a_large_write_arrives_complete(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    run, sink = runs.make(bench.call("flood", "100000"))
    assert await finish(engine, run) == TaskExit(exit_code=0)
    assert sink.stdout == b"x" * 100_000


async def test_the_entry_point_defaults_to_start_and_a_return_is_success(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    spec = bench.call("", "hello")
    run, sink = runs.make(spec)
    assert await finish(engine, run) == TaskExit(exit_code=0)
    assert sink.stdout == b"hello\n"


async def test_the_operator_can_have_a_return_told_as_v15_tells_it(
    bench: WasmBench, runs: Runs, tmp_path: Path
) -> None:
    context = plugin_context(tmp_path / "other", {"Engines.Types.WASM.LegacyExitCode": True})
    async with WasmEngine.open(context) as engine:
        returning, _ = runs.make(bench.call("", "hello"))
        assert await finish(engine, returning) == TaskExit(exit_code=-1)
        exiting, _ = runs.make(bench.say("hi", exit_code=0))
        assert await finish(engine, exiting) == TaskExit(exit_code=0)


@pytest.mark.parametrize("lost", ["wasm", "wasm/compiled"])
async def test_files_of_the_engine_that_are_gone_fail_the_task_and_hold_up_nothing(
    engine: WasmEngine, bench: WasmBench, runs: Runs, tmp_path: Path, lost: str
) -> None:
    first, _ = runs.make(bench.say("hi"))
    await finish(engine, first)
    shutil.rmtree(tmp_path / "node" / "engines" / lost)
    second, _ = runs.make(bench.say("hi"))
    with pytest.raises(TransientError) as caught:
        await finish(engine, second)
    assert str(tmp_path / "node" / "engines") in caught.value.message


async def test_keys_of_parameters_match_in_any_case(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    params = {name.lower(): value for name, value in bench.say("hi").params.items()}
    run, sink = runs.make(SpecConfig(type="WASM", params=params))
    await finish(engine, run)
    assert sink.stdout == b"hi"


async def test_the_largest_exit_code_is_kept(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    run, _ = runs.make(bench.say("", exit_code=4294967295))
    assert await finish(engine, run) == TaskExit(exit_code=4294967295)


async def test_argument_zero_is_empty_and_the_environment_sorted(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    run, sink = runs.make(bench.arguments("one", "two"))
    await finish(engine, run)
    assert sink.stdout == b"\none\ntwo\n"
    run, sink = runs.make(
        bench.call("environment", EnvironmentVariables={"B": "2"}),
        env={"Z": "3", "A": "1", "BACALHAU_JOB_ID": "j"},
    )
    await finish(engine, run)
    assert sink.stdout == b"A=1\nB=2\nBACALHAU_JOB_ID=j\nZ=3\n"


async def test_a_trap_fails_with_its_text_and_keeps_the_output(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    run, sink = runs.make(bench.call("trap", "before"))
    with pytest.raises(ExecutionError, match="unreachable") as caught:
        await finish(engine, run)
    assert caught.value.message.startswith("wasm trap:")
    assert caught.value.details["ExitCode"] == "1"
    assert sink.stdout == b"before\n"


@pytest.mark.parametrize("function", ["absent", "memory", "not_a_function"])
async def test_a_missing_entry_point_names_it_and_what_there_is(
    engine: WasmEngine, bench: WasmBench, runs: Runs, function: str
) -> None:
    run, _ = runs.make(bench.call(function))
    with pytest.raises(ExecutionError) as caught:
        await finish(engine, run)
    assert caught.value.code == "EntrypointError"
    assert caught.value.message == (
        f"unable to find the entrypoint '{function}' in the WASM module"
    )
    assert "_start" in caught.value.hint


async def test_an_entry_point_with_parameters_is_refused(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    run, _ = runs.make(bench.call("takes_parameters"))
    with pytest.raises(ExecutionError, match="takes parameters"):
        await finish(engine, run)


async def test_recursion_without_end_is_a_trap_and_no_crash(
    engine: WasmEngine, bench: WasmBench, runs: Runs
) -> None:
    module = '(module (func $f (export "_start") (call $f)))'
    run, _ = runs.make(SpecConfig(type="wasm", params={"EntryModule": bench.source(module)}))
    with pytest.raises(ExecutionError, match="call stack exhausted"):
        await finish(engine, run)


class TestMemory:
    async def test_growing_past_the_limit_is_denied_to_the_module(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        resources = Resources(memory=1 * MIB)  # 16 pages, of which the module has 8.
        run, _ = runs.make(bench.call("grow", "8"), resources=resources)
        assert await finish(engine, run) == TaskExit(exit_code=0)
        run, _ = runs.make(bench.call("grow", "9"), resources=resources)
        assert await finish(engine, run) == TaskExit(exit_code=1)

    async def test_a_trap_with_little_memory_left_tells_how_large_it_has_become(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        module = """(module
          (memory (export "memory") 1)
          (func (export "_start")
            (loop $on (br_if $on (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
            unreachable))"""
        spec = SpecConfig(type="wasm", params={"EntryModule": bench.source(module)})
        run, _ = runs.make(spec, resources=Resources(memory=2 * MIB))
        with pytest.raises(ExecutionError, match="unreachable") as caught:
            await finish(engine, run)
        assert "grown to 2.1 MB of the 2.1 MB" in caught.value.hint
        assert "Resources.Memory" in caught.value.hint

    async def test_no_limit_means_what_a_module_can_have(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.call("grow", "10000"), resources=Resources())
        assert await finish(engine, run) == TaskExit(exit_code=0)

    async def test_a_module_that_begins_with_more_does_not_start(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.say("hi"), resources=Resources(memory=100_000))
        with pytest.raises(ExecutionError) as caught:
            await finish(engine, run)
        assert caught.value.code == "MemoryLimitError"
        assert "Resources.Memory" in caught.value.hint

    async def test_more_than_four_gigabytes_are_refused(
        self, engine: WasmEngine, bench: WasmBench
    ) -> None:
        task = Task(name="main", engine=bench.say("hi"))
        assert await engine.refusal(task, Resources(memory=2**32)) == ""
        reason = await engine.refusal(task, Resources(memory=5 * 2**30))
        assert "exceeds the wasm limit - 5.00 GB > 4.00 GB" in reason

    async def test_tables_cannot_eat_the_memory_of_the_node(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        module = """(module
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (table $t 1 funcref)
          (func (export "_start")
            (call $exit
              (i32.eq (table.grow $t (ref.null func) (i32.const 500000000)) (i32.const -1)))))"""
        run, _ = runs.make(SpecConfig(type="wasm", params={"EntryModule": bench.source(module)}))
        assert await finish(engine, run) == TaskExit(exit_code=1)


class TestCancellation:
    @pytest.mark.parametrize(("function", "argument"), [("forever", ""), ("sleep", "3600000")])
    async def test_ends_soon_whether_computing_or_waiting(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs, function: str, argument: str
    ) -> None:
        run, sink = runs.make(bench.call(function, "begun", argument))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            begin = time.perf_counter()
            await stop(running)
            # Some 2 ms on an idle machine; the rest is for a busy one.
            assert time.perf_counter() - begin < 1.0

    async def test_a_start_function_without_end_can_be_stopped(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        module = """(module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00")
          (data (i32.const 16) "begun")
          (func $main
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
            (loop $again (br $again)))
          (start $main)
          (func (export "_start")))"""
        run, sink = runs.make(SpecConfig(type="wasm", params={"EntryModule": bench.source(module)}))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            await stop(running)

    async def test_many_starts_and_stops_leave_no_thread_and_no_descriptor(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        async def start_and_stop(turns: int) -> None:
            run, _ = runs.make(bench.call("forever", "begun"))
            async with asyncio.TaskGroup() as group:
                running = group.create_task(engine.run(run))
                for _ in range(turns):
                    await asyncio.sleep(0.0005)
                await stop(running)

        await start_and_stop(20)
        before = descriptors()
        for turns in range(30):
            await start_and_stop(turns)
        assert descriptors() <= before
        assert await bench.leftovers() == []
        run, sink = runs.make(bench.say("still works"))
        await finish(engine, run)
        assert sink.stdout == b"still works"

    async def test_tasks_beyond_the_pool_wait_and_can_be_cancelled_there(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        made = [runs.make(bench.call("sleep", "begun", "3600000")) for _ in range(66)]
        async with asyncio.TaskGroup() as group:
            running = []
            for run, sink in made[:64]:
                running.append(group.create_task(engine.run(run)))
                await sink.wait_for(b"begun")
            waiting = [group.create_task(engine.run(run)) for run, _ in made[64:]]
            await asyncio.sleep(0.05)
            assert [sink.stdout for _, sink in made[64:]] == [b"", b""]
            await stop(waiting[0])
            await stop(running[0])
            await made[65][1].wait_for(b"begun")
            for task in (*running[1:], waiting[1]):
                await stop(task)
        assert await bench.leftovers() == []

    async def test_the_event_loop_stays_responsive_beside_busy_modules(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        made = [runs.make(bench.forever("begun")) for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(engine.run(run)) for run, _ in made]
            for _, sink in made:
                await sink.wait_for(b"begun")
            begin = time.perf_counter()
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert time.perf_counter() - begin < 2.0
            for task in running:
                await stop(task)

    async def test_closing_the_engine_ends_its_threads(
        self, bench: WasmBench, runs: Runs, tmp_path: Path
    ) -> None:
        async with WasmEngine.open(plugin_context(tmp_path / "node")) as engine:
            run, _ = runs.make(bench.say("hi"))
            await finish(engine, run)
        assert not [each for each in threading.enumerate() if each.name.startswith("wasm")]

    async def test_closing_the_engine_stops_what_still_runs(
        self, bench: WasmBench, runs: Runs, tmp_path: Path
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))

        async def expect_the_error(engine: WasmEngine) -> None:
            with pytest.raises(TransientError, match="closed its WebAssembly engine"):
                await finish(engine, run)

        async with asyncio.TaskGroup() as group:
            async with WasmEngine.open(plugin_context(tmp_path / "node")) as engine:
                group.create_task(expect_the_error(engine))
                await sink.wait_for(b"begun")
            assert not [each for each in threading.enumerate() if each.name.startswith("wasm")]


class TestWaiting:
    async def test_sleeping_takes_its_time_and_reports_success(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.call("sleep", "x", "60"))
        begin = time.perf_counter()
        assert await finish(engine, run) == TaskExit(exit_code=0)
        assert time.perf_counter() - begin >= 0.06

    async def test_absolute_times_follow_the_clock_of_the_module(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        run, _ = runs.make(bench.call("sleep_until", "50"))
        assert await finish(engine, run) == TaskExit(exit_code=1)

    @pytest.mark.parametrize(("count", "errno"), [("0", 28), ("3", 0), ("9999999", 28)])
    async def test_odd_counts_are_answered_with_an_errno(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs, count: str, errno: int
    ) -> None:
        run, _ = runs.make(bench.call("poll", count))
        assert await finish(engine, run) == TaskExit(exit_code=errno)


class TestFiles:
    async def test_outputs_are_ordinary_writable_directories(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        outputs = ("/outputs",)
        made, _ = runs.make(bench.call("mkdir", "/outputs/sub"), outputs=outputs)
        assert await finish(engine, made) == TaskExit(exit_code=0)
        root = made.outputs[0].path
        (root / "old").write_text("long content")
        (root / "in").write_text("new")
        for spec in (bench.copy("/outputs/in", "/outputs/old"), rename(bench, "old", "sub/new")):
            again = dataclasses.replace(made, engine=spec)
            assert await finish(engine, again) == TaskExit(exit_code=0)
        assert (root / "sub" / "new").read_text() == "new"

    async def test_a_module_that_has_written_too_much_has_failed(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        outputs = ("/outputs",)
        run, _ = runs.make(bench.copy("/outputs/in", "/outputs/out"), outputs=outputs)
        (run.outputs[0].path / "in").write_bytes(b"x" * 80_000)
        with pytest.raises(ExecutionError, match="disk limit exceeded") as caught:
            await finish(engine, dataclasses.replace(run, disk_bytes=100_000))
        assert caught.value.code == "DiskLimitExceeded"

    async def test_a_module_that_writes_more_than_it_asked_for_is_ended(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.forever("begun"), outputs=("/outputs",))
        limited = dataclasses.replace(run, disk_bytes=100_000)

        async def expect_the_error() -> None:
            with pytest.raises(ExecutionError, match="disk limit exceeded") as caught:
                await finish(engine, limited)
            assert caught.value.code == "DiskLimitExceeded"

        async with asyncio.TaskGroup() as group:
            group.create_task(expect_the_error())
            await sink.wait_for(b"begun")
            (run.outputs[0].path / "large").write_bytes(b"x" * 200_000)

    async def test_an_output_is_also_found_under_its_name(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs, tmp_path: Path
    ) -> None:
        run, _ = runs.make(bench.call("create", "/results/file"))
        directory = tmp_path / "results"
        directory.mkdir()
        volume = Volume(path=directory, target="/custom/path")
        await finish(engine, dataclasses.replace(run, outputs=(volume,)))
        assert (directory / "file").exists()

    @pytest.mark.parametrize("function", ["create", "mkdir"])
    @pytest.mark.parametrize("path", ["/inputs/new", "/new", "/config"])
    async def test_nothing_else_can_be_written(
        self,
        engine: WasmEngine,
        bench: WasmBench,
        runs: Runs,
        tmp_path: Path,
        function: str,
        path: str,
    ) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "file").write_text("content")
        inputs = (
            Volume(path=tmp_path / "in", target="/inputs"),
            Volume(path=tmp_path / "file", target="/config"),
        )
        run, _ = runs.make(bench.call(function, path), inputs=inputs)
        assert (await finish(engine, run)).exit_code != 0
        assert (tmp_path / "file").read_text() == "content"
        assert list((tmp_path / "in").iterdir()) == []

    @pytest.mark.parametrize(
        "path", ["/inputs/../../secret", "/../secret", "/inputs/absolute", "/inputs/relative"]
    )
    async def test_nothing_outside_can_be_read(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs, tmp_path: Path, path: str
    ) -> None:
        (tmp_path / "secret").write_text("secret")
        inputs = tmp_path / "in"
        inputs.mkdir()
        (inputs / "absolute").symlink_to(tmp_path / "secret")
        (inputs / "relative").symlink_to("../secret")
        run, _ = runs.make(
            bench.call("read", path), inputs=(Volume(path=inputs, target="/inputs"),)
        )
        assert (await finish(engine, run)).exit_code in (EPERM, ENOENT)

    async def test_two_mounts_at_one_path_are_refused(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs, tmp_path: Path
    ) -> None:
        volume = Volume(path=tmp_path, target="/data/")
        run, _ = runs.make(bench.say("hi"), inputs=(volume,), outputs=("/data",))
        with pytest.raises(ExecutionError, match='prefix "/data" is already mounted'):
            await finish(engine, run)


class TestModules:
    LIBRARY = """(module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "finish") (param i32) (call $exit (local.get 0))))"""
    MIDDLE = """(module
      (import "library" "finish" (func $finish (param i32)))
      (func (export "end") (call $finish (i32.const 42))))"""
    ENTRY = """(module
      (import "middle" "end" (func $end))
      (func (export "_start") (call $end)))"""

    async def test_imports_are_linked_by_alias_in_any_order(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        params = {
            "EntryModule": bench.source(self.ENTRY),
            "ImportModules": [
                bench.source(self.MIDDLE, alias="middle"),
                bench.source(self.LIBRARY, alias="library"),
            ],
        }
        run, _ = runs.make(SpecConfig(type="wasm", params=params))
        assert await finish(engine, run) == TaskExit(exit_code=42)

    async def test_modules_can_be_named_by_their_path_among_the_inputs(
        self, engine: WasmEngine, runs: Runs, tmp_path: Path
    ) -> None:
        folder = tmp_path / "code"
        folder.mkdir()
        entry = self.ENTRY.replace('"middle"', '"/modules/middle.wasm"')
        for name, text in (("entry", entry), ("middle", self.MIDDLE), ("library", self.LIBRARY)):
            (folder / f"{name}.wasm").write_bytes(compile_text(text))
        params = {
            "EntryModule": "/modules/entry.wasm",
            "ImportModules": ["/modules/middle.wasm", "library"],
        }
        inputs = (
            Volume(path=folder, target="/modules"),
            Volume(path=folder / "library.wasm", target="/library"),
        )
        run, _ = runs.make(SpecConfig(type="wasm", params=params), inputs=inputs)
        assert await finish(engine, run) == TaskExit(exit_code=42)

    async def test_a_directory_stands_for_its_only_module(
        self, engine: WasmEngine, runs: Runs, tmp_path: Path
    ) -> None:
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "README").write_text("not a module")
        (folder / "one.wasm").write_bytes(compile_text('(module (func (export "_start")))'))
        spec = SpecConfig(type="wasm", params={"EntryModule": "/code"})
        run, _ = runs.make(spec, inputs=(Volume(path=folder, target="/code"),))
        assert await finish(engine, run) == TaskExit(exit_code=0)
        (folder / "two.wasm").write_bytes(b"")
        with pytest.raises(ExecutionError, match="should be 1 file, but its input has 2") as caught:
            await finish(engine, run)
        assert caught.value.code == "ModuleNotFound"

    async def test_an_unknown_import_is_named(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        params = {
            "EntryModule": bench.source(self.ENTRY),
            "ImportModules": [bench.source(self.LIBRARY, alias="library")],
        }
        run, _ = runs.make(SpecConfig(type="wasm", params=params))
        with pytest.raises(ExecutionError) as caught:
            await finish(engine, run)
        assert caught.value.code == "UnknownModuleError"
        assert 'unknown module "middle"' in caught.value.message
        assert "wasi_snapshot_preview1, library" in caught.value.message

    async def test_imports_in_a_circle_are_refused(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        text = '(module (import "{}" "f" (func)) (func (export "f")))'
        params = {
            "EntryModule": bench.source('(module (func (export "_start")))'),
            "ImportModules": [
                bench.source(text.format("b"), alias="a"),
                bench.source(text.format("a"), alias="b"),
            ],
        }
        run, _ = runs.make(SpecConfig(type="wasm", params=params))
        with pytest.raises(ExecutionError, match="a -> b -> a"):
            await finish(engine, run)

    async def test_a_missing_function_of_a_known_module_is_named(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        module = """(module
          (import "wasi_snapshot_preview1" "no_such_call" (func))
          (func (export "_start")))"""
        run, _ = runs.make(SpecConfig(type="wasm", params={"EntryModule": bench.source(module)}))
        with pytest.raises(ExecutionError, match="no_such_call") as caught:
            await finish(engine, run)
        assert caught.value.message.startswith("failed to instantiate entry module")

    async def test_a_reactor_is_initialised_first(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        module = """(module
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (global $ready (mut i32) (i32.const 0))
          (func (export "_initialize") (global.set $ready (i32.const 7)))
          (func (export "work") (call $exit (global.get $ready))))"""
        params = {"EntryModule": bench.source(module), "EntryPoint": "work"}
        run, _ = runs.make(SpecConfig(type="wasm", params=params))
        assert await finish(engine, run) == TaskExit(exit_code=7)

    @pytest.mark.parametrize(
        ("content", "code", "text"),
        [
            (b"(module)", "ModuleLoadError", "not a binary WebAssembly module"),
            (b"\0asm\x0d\0\1\0", "ModuleLoadError", "it is a component"),
            (b"\0asm\1\0\0\0\xff", "ModuleCompileError", "cannot compile"),
        ],
    )
    async def test_what_is_no_module_is_refused(
        self,
        engine: WasmEngine,
        runs: Runs,
        tmp_path: Path,
        content: bytes,
        code: str,
        text: str,
    ) -> None:
        (tmp_path / "module").write_bytes(content)
        spec = SpecConfig(type="wasm", params={"EntryModule": "/module"})
        run, _ = runs.make(spec, inputs=(Volume(path=tmp_path / "module", target="/module"),))
        for _ in range(2):  # The second time must not find a broken compilation.
            with pytest.raises(ExecutionError, match=text) as caught:
                await finish(engine, run)
            assert caught.value.code == code

    async def test_a_module_that_no_input_provides_is_named(
        self, engine: WasmEngine, runs: Runs
    ) -> None:
        run, _ = runs.make(SpecConfig(type="wasm", params={"EntryModule": "/m.wasm"}))
        with pytest.raises(ExecutionError, match=r"no input provides .* \"/m\.wasm\""):
            await finish(engine, run)

    async def test_threads_and_large_memories_are_not_part_of_the_language(
        self, engine: WasmEngine, bench: WasmBench, runs: Runs
    ) -> None:
        for text in (
            '(module (memory 1 2 shared) (func (export "_start")))',
            '(module (memory i64 1) (func (export "_start")))',
            '(module (memory 1) (memory 1) (func (export "_start")))',
        ):
            run, _ = runs.make(SpecConfig(type="wasm", params={"EntryModule": bench.source(text)}))
            with pytest.raises(ExecutionError) as caught:
                await finish(engine, run)
            assert caught.value.code == "ModuleCompileError"


async def test_one_module_is_compiled_once_for_many_tasks(
    engine: WasmEngine, bench: WasmBench, runs: Runs, tmp_path: Path
) -> None:
    made = [runs.make(bench.say("hi")) for _ in range(8)]
    async with asyncio.TaskGroup() as group:
        for run, _ in made:
            group.create_task(finish(engine, run))
    files = list((tmp_path / "node" / "engines" / "wasm" / "compiled").iterdir())
    assert len(files) == 1


class FullDisk(CollectingSink):
    """A sink that takes a little and then refuses."""

    def write(self, stream: Stream, data: bytes) -> None:
        super().write(stream, data)
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("function", ["forever", "sleep", "flood"])
async def test_a_sink_that_fails_ends_the_task(
    engine: WasmEngine, bench: WasmBench, runs: Runs, function: str
) -> None:
    spec = bench.call(function, "300000", "3600000")
    run, _ = runs.make(spec)
    run = dataclasses.replace(run, sink=FullDisk())
    with pytest.raises(TransientError, match="No space left on device"):
        await finish(engine, run)
    assert await bench.leftovers() == []


async def test_what_a_killed_process_left_is_swept(
    engine: WasmEngine, bench: WasmBench, tmp_path: Path
) -> None:
    left = tmp_path / "node" / "engines" / "wasm" / "roots" / "e-old" / "inputs"
    left.mkdir(parents=True)
    await engine.sweep(lambda _: False)
    assert await bench.leftovers() == []


async def test_what_a_killed_process_left_does_not_hinder_the_next_attempt(
    engine: WasmEngine, bench: WasmBench, runs: Runs, tmp_path: Path
) -> None:
    run, _ = runs.make(bench.say("hi"), outputs=("/outputs",))
    left = tmp_path / "node" / "engines" / "wasm" / "roots" / run.execution_id / "inputs"
    left.mkdir(parents=True)
    assert await finish(engine, run) == TaskExit(exit_code=0)
    assert await bench.leftovers() == []


async def test_gpus_are_refused(engine: WasmEngine, bench: WasmBench) -> None:
    task = Task(name="main", engine=bench.say("hi"))
    assert "GPU" in await engine.refusal(task, Resources(gpu=1))


async def test_bad_parameters_are_told_all_at_once(bench: WasmBench) -> None:
    spec = SpecConfig(type="wasm", params={"Parameters": [1], "EnvironmentVariables": 5})
    with pytest.raises(BacalhauError) as caught:
        WasmEngine.check(spec)
    assert caught.value.fields == ("Params.EnvironmentVariables", "Params.Parameters[0]")


def rename(bench: WasmBench, source: str, target: str) -> SpecConfig:
    return bench.call("rename", f"/outputs/{source}", f"/outputs/{target}")
