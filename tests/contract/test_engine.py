"""The engines under their contract, and what each adds to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.wasm import WasmEngine
from bacalhau.errors import TransientError
from bacalhau.lib.clock import SystemClock
from bacalhau.models import SpecConfig
from bacalhau.ports import TaskExit
from bacalhau.testing.contracts.engine import EngineContract, Runs, finish, stop
from bacalhau.testing.engine_fake import FakeEngine
from tests.support.engines import FakeBench, WasmBench, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestFakeEngine(EngineContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[FakeEngine]:
        async with FakeEngine.open(plugin_context(tmp_path / "node")) as engine:
            yield engine

    @pytest.fixture
    def bench(self, engine: FakeEngine) -> FakeBench:
        return FakeBench(engine)

    async def test_a_task_outlives_a_crash_and_is_joined_not_started_again(
        self, engine: FakeEngine, bench: FakeBench, runs: Runs
    ) -> None:
        spec = SpecConfig(type="fake", params={"Stdout": "begun", "Seconds": 0.1, "ExitCode": 4})
        run, sink = runs.make(spec)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            engine.crash()
            await stop(running)
        assert await bench.leftovers() == [run.execution_id]
        again = FakeEngine(SystemClock(), engine.machine)
        assert await finish(again, run) == TaskExit(exit_code=4)
        assert sink.stdout == b"begun"
        assert engine.machine.started == [run.execution_id]
        assert await bench.leftovers() == []

    async def test_the_sweep_ends_what_is_not_live(
        self, engine: FakeEngine, bench: FakeBench, runs: Runs
    ) -> None:
        run, sink = runs.make(bench.forever("begun"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(run))
            await sink.wait_for(b"begun")
            engine.crash()
            await stop(running)
        await engine.sweep(lambda _: False)
        assert await bench.leftovers() == []

    async def test_a_failure_can_be_the_machines(self, engine: FakeEngine, runs: Runs) -> None:
        params = {"Failure": "disk full", "FailureCode": "IOError", "Retryable": True}
        run, _ = runs.make(SpecConfig(type="fake", params=params))
        with pytest.raises(TransientError, match="disk full") as caught:
            await finish(engine, run)
        assert caught.value.code == "IOError"


class TestWasmEngine(EngineContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[WasmEngine]:
        async with WasmEngine.open(plugin_context(tmp_path / "node")) as engine:
            yield engine

    @pytest.fixture
    def bench(self, tmp_path: Path) -> WasmBench:
        return WasmBench(tmp_path / "modules", tmp_path / "node")
