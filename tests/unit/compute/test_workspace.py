"""What the workspace leaves on disk."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bacalhau.compute.output import FileSink
from bacalhau.compute.workspace import LOG_RETENTION_SECONDS, DiskWorkspace, open_workspace
from bacalhau.errors import TransientError, ValidationError
from bacalhau.lib.clock import SystemClock
from bacalhau.models import Execution, JobID, ResultPath, SpecConfig
from bacalhau.ports import Stream, Volume
from tests.support.compute_node import offer, task

PUBLISHER = SpecConfig(type="fake")


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[DiskWorkspace]:
    async with open_workspace(tmp_path / "executions", SystemClock()) as opened:
        yield opened


def with_results(*names: str) -> Execution:
    paths = [ResultPath(name=name, path=f"/{number}") for number, name in enumerate(names)]
    return offer(task(result_paths=paths, publisher=PUBLISHER))


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_results_directory_is_what_is_published(workspace: DiskWorkspace) -> None:
    execution = with_results("out", "/deep/er")
    files = await workspace.open(execution, inputs=0, resume=False)
    files.sink.write(Stream.STDOUT, b"hi")
    (files.outputs[0].path / "result").write_text("42")
    await workspace.collect(execution, exit_code=255)
    results = await workspace.results(execution)
    assert results is not None
    assert tree(results) == [
        "deep", "deep/er", "exitCode", "out", "out/result", "stderr", "stdout",
    ]  # fmt: skip
    assert (results / "stdout").read_bytes() == b"hi"
    assert (results / "stderr").read_bytes() == b""
    assert (results / "exitCode").read_bytes() == b"255"


async def test_results_of_a_silent_task_are_complete(workspace: DiskWorkspace) -> None:
    execution = offer(task(publisher=PUBLISHER))
    await workspace.open(execution, inputs=0, resume=False)
    await workspace.collect(execution, exit_code=0)
    results = await workspace.results(execution)
    assert results is not None
    assert {path.name: path.read_bytes() for path in results.iterdir()} == {
        "stdout": b"",
        "stderr": b"",
        "exitCode": b"0",
    }


async def test_a_silent_task_that_publishes_nothing_makes_no_files(
    workspace: DiskWorkspace, tmp_path: Path
) -> None:
    execution = offer()
    files = await workspace.open(execution, inputs=0, resume=False)
    files.sink.write(Stream.STDOUT, b"")
    files.sink.reset()
    assert tree(tmp_path / "executions") == ["output"]
    summary = await workspace.collect(execution, exit_code=3)
    assert (summary.stdout, summary.stderr, summary.exit_code) == ("", "", 3)
    assert not workspace.has_log(execution.id)
    assert tree(tmp_path / "executions") == ["output"]


async def test_any_user_may_read_inputs_and_write_outputs(
    workspace: DiskWorkspace, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        files = await workspace.open(with_results("out"), inputs=1, resume=False)
    finally:
        os.umask(before)
    assert mode(files.input_directories[0]) == 0o755
    assert mode(files.outputs[0].path) == 0o777
    assert mode(files.outputs[0].path.parent) == 0o700


async def test_where_things_are(workspace: DiskWorkspace, tmp_path: Path) -> None:
    execution = offer()
    files = await workspace.open(execution, inputs=2, resume=False)
    files.sink.write(Stream.STDOUT, b"x")
    root = tmp_path / "executions"
    assert [path for path in tree(root) if path.startswith("j-1")] == [
        "j-1",
        "j-1/e-1",
        "j-1/e-1/0",
        "j-1/e-1/1",
    ]
    assert (root / "output/e-1/logs/raw_container_logs").exists()
    await workspace.discard(execution)
    assert tree(root / "output") == ["e-1", "e-1/logs", "e-1/logs/raw_container_logs"]


@pytest.mark.parametrize(
    "name", ["../x", "a/../b", "", "/", "a//b", ".", "a b", "stdout", "/stderr", "exitCode/x"]
)
async def test_result_paths_stay_in_the_results(workspace: DiskWorkspace, name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be the name of a result path"):
        await workspace.open(with_results(name), inputs=0, resume=False)


@pytest.mark.parametrize("job", ["..", "a/b", "", "output", "x\n"])
async def test_identifiers_are_not_believed(workspace: DiskWorkspace, job: str) -> None:
    wicked = msgspec.structs.replace(offer(), job_id=JobID(job))
    with pytest.raises(ValidationError, match="cannot be the name of a directory"):
        await workspace.open(wicked, inputs=0, resume=False)


async def test_a_fresh_start_finds_nothing_of_an_earlier_attempt(workspace: DiskWorkspace) -> None:
    execution = with_results("out")
    files = await workspace.open(execution, inputs=1, resume=False)
    (files.input_directories[0] / "half").write_text("x")
    (files.outputs[0].path / "half").write_text("x")
    again = await workspace.open(execution, inputs=1, resume=False)
    assert list(again.input_directories[0].iterdir()) == []
    assert list(again.outputs[0].path.iterdir()) == []


async def test_resuming_keeps_what_a_running_task_has_mounted(workspace: DiskWorkspace) -> None:
    execution = with_results("out")
    files = await workspace.open(execution, inputs=1, resume=False)
    (files.input_directories[0] / "data").write_text("x")
    await workspace.keep_inputs(execution, (Volume(path=files.input_directories[0], target="/in"),))
    (files.outputs[0].path / "so far").write_text("x")
    files.sink.write(Stream.STDOUT, b"repeated by the engine")

    again = await workspace.open(execution, inputs=1, resume=True)
    assert (again.outputs[0].path / "so far").exists()
    assert (files.input_directories[0] / "data").exists()
    assert (await workspace.collect(execution, exit_code=0)).stdout == ""


async def test_the_sweep_removes_a_job_whose_last_execution_a_killed_process_removed(
    workspace: DiskWorkspace, tmp_path: Path
) -> None:
    left = tmp_path / "executions" / "j-1"
    left.mkdir()
    await workspace.sweep(lambda _: True)
    assert not left.exists()


async def test_the_sweep_removes_what_nobody_owns(workspace: DiskWorkspace, tmp_path: Path) -> None:
    root = tmp_path / "executions"
    execution = with_results("out")
    files = await workspace.open(execution, inputs=1, resume=False)
    files.sink.write(Stream.STDOUT, b"x")
    await workspace.collect(execution, exit_code=0)
    (root / "j-9" / "e-9" / "0").mkdir(parents=True)
    (root / "j-9" / "e-9" / "0" / "big").write_text("x")
    await workspace.sweep(lambda each: each == execution.id)
    assert not (root / "j-9").exists()
    assert (root / "j-1" / "e-1" / "0").exists()

    await workspace.sweep(lambda _: False)
    assert tree(root) == [
        "output",
        "output/e-1",
        "output/e-1/logs",
        "output/e-1/logs/raw_container_logs",
    ]
    old = SystemClock().now_ns() / 1e9 - LOG_RETENTION_SECONDS - 1
    os.utime(root / "output/e-1/logs/raw_container_logs", (old, old))
    await workspace.sweep(lambda _: False)
    assert tree(root) == ["output"]


async def test_a_process_that_comes_later_finds_logs_and_results(tmp_path: Path) -> None:
    execution = offer(task(publisher=PUBLISHER))
    async with open_workspace(tmp_path, SystemClock()) as first:
        files = await first.open(execution, inputs=0, resume=False)
        files.sink.write(Stream.STDOUT, b"x")
        await first.collect(execution, exit_code=0)
    async with open_workspace(tmp_path, SystemClock()) as second:
        assert second.has_log(execution.id)
        assert await second.results(execution) is not None


async def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "executions"
    blocked.write_text("a file, where the directory should be")
    with pytest.raises(TransientError, match="cannot make the directory for executions") as caught:
        async with open_workspace(blocked, SystemClock()):
            pass
    assert "free space and permissions" in caught.value.hint


def sink_at(directory: Path, **options: int) -> FileSink:
    (directory / "results").mkdir()
    (directory / "logs").mkdir()
    return FileSink(
        results=directory / "results", logs=directory / "logs", clock=SystemClock(), **options
    )


def test_a_result_file_keeps_the_beginning_of_its_stream(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, file_limit_bytes=10)
    for _ in range(5):
        sink.write(Stream.STDOUT, b"abcd")
        sink.write(Stream.STDERR, b"e")
    sink.close(ended=True)
    assert (tmp_path / "results" / "stdout").read_bytes() == b"abcdabcdab"
    assert (tmp_path / "results" / "stderr").read_bytes() == b"eeeee"


def test_a_full_disk_is_told_to_the_task(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    sink.write(Stream.STDOUT, b"first")
    os.close(sink._files[Stream.STDOUT])
    sink._files[Stream.STDOUT] = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(TransientError, match="No space left on device"):
        sink.write(Stream.STDOUT, b"x")
    sink.close(ended=True)


async def test_lists_lie_beside_the_log_and_are_kept_as_long(
    workspace: DiskWorkspace, tmp_path: Path
) -> None:
    execution = offer()
    await workspace.open(execution, inputs=0, resume=False)
    await workspace.keep_list(execution, "input-0", [b"old"])
    await workspace.keep_list(execution, "input-0", [b"one\n", b"two\n"])
    await workspace.discard(execution)
    await workspace.sweep(lambda _: False)
    output = tmp_path / "executions" / "output" / "e-1"
    assert tree(output) == ["provenance", "provenance/input-0.jsonl"]
    path = output / "provenance" / "input-0.jsonl"
    assert path.read_bytes() == b"one\ntwo\n"
    old = SystemClock().now_ns() - (LOG_RETENTION_SECONDS + 60) * 10**9
    os.utime(path, ns=(old, old))
    await workspace.sweep(lambda _: False)
    assert not output.exists()


async def test_a_list_that_finds_no_room_is_gone_through_all_the_same(
    workspace: DiskWorkspace, tmp_path: Path
) -> None:
    execution = offer()
    (tmp_path / "executions" / "output" / "e-1").write_text("in the way")
    lines = iter([b"one\n", b"two\n"])
    with pytest.raises(TransientError, match="write the list of files"):
        await workspace.keep_list(execution, "outputs", lines)
    assert list(lines) == []
