"""What every workspace must do (``ports.workspace.Workspace``), on disk and without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bacalhau.compute.workspace import open_workspace
from bacalhau.lib.clock import SystemClock
from bacalhau.models import Execution, ExecutionID, ResultPath, SpecConfig
from bacalhau.ports import Stream, Volume
from bacalhau.ports.workspace import Workspace
from bacalhau.protocol.messages import LogFrame, LogRequest
from bacalhau.testing.workspace_fake import FakeWorkspace
from tests.support.compute_node import offer, task

E1 = ExecutionID("e-1")
PUBLISHER = SpecConfig(type="fake")
EXECUTION = offer(task(result_paths=[ResultPath(name="out", path="/outputs")], publisher=PUBLISHER))
OUT, ERR = Stream.STDOUT, Stream.STDERR


@pytest.fixture(params=["disk", "fake"])
async def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Workspace]:
    if request.param == "fake":
        yield FakeWorkspace()
        return
    async with open_workspace(tmp_path, SystemClock()) as opened:
        yield opened


async def begin(workspace: Workspace, *, inputs: int = 0, resume: bool = False) -> object:
    return await workspace.open(EXECUTION, inputs=inputs, resume=resume)


async def read(workspace: Workspace, *, follow: bool = False, tail: bool = False) -> bytes:
    """Read a stream to its end, each piece marked with the number of its stream."""
    request = LogRequest(execution_id=E1, follow=follow, tail=tail)
    frames = [frame async for frame in workspace.logs(request)]
    return b"".join(b"%d:" % frame.stream + frame.data for frame in frames)


async def next_of(stream: AsyncIterator[LogFrame]) -> LogFrame:
    return await anext(stream)


async def test_a_task_gets_directories_of_its_own(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=2, resume=False)
    assert len(set(files.input_directories)) == 2
    assert files.volumes is None
    (output,) = files.outputs
    assert (output.target, output.read_only) == ("/outputs", False)
    assert output.path.name == "out"


async def test_output_is_summarised(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"one ")
    files.sink.write(ERR, b"\xffbad")
    files.sink.write(OUT, b"two")
    summary = await workspace.collect(EXECUTION, exit_code=3)
    assert (summary.stdout, summary.stderr, summary.exit_code) == ("one two", "\ufffdbad", 3)
    assert (summary.stdout_truncated, summary.stderr_truncated) == (False, False)
    assert summary.error_msg == ""


@pytest.mark.parametrize(("size", "truncated"), [(2048, False), (2049, True)])
async def test_a_summary_has_the_first_2048_bytes(
    workspace: Workspace, size: int, truncated: bool
) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(ERR, b"x" * size)
    summary = await workspace.collect(EXECUTION, exit_code=0)
    assert len(summary.stderr) == 2048
    assert summary.stderr_truncated is truncated


async def test_a_reset_begins_the_output_anew(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"first time")
    files.sink.reset()
    files.sink.write(OUT, b"again")
    assert (await workspace.collect(EXECUTION, exit_code=0)).stdout == "again"
    assert await read(workspace) == b"1:again"


async def test_output_after_the_end_is_dropped(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    await workspace.collect(EXECUTION, exit_code=0)
    files.sink.write(OUT, b"late")
    files.sink.reset()
    assert await read(workspace) == b""


async def test_a_failure_has_output_and_reason_but_no_results(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"almost")
    summary = await workspace.collect(EXECUTION, exit_code=-1, error_message="out of memory")
    assert (summary.stdout, summary.exit_code) == ("almost", -1)
    assert summary.error_msg == "out of memory"
    assert await workspace.results(EXECUTION) is None


async def test_what_was_never_opened_has_an_empty_summary(workspace: Workspace) -> None:
    summary = await workspace.collect(EXECUTION, exit_code=-1, error_message="no input")
    assert (summary.stdout, summary.exit_code, summary.error_msg) == ("", -1, "no input")
    assert not workspace.has_log(E1)
    assert await read(workspace) == b""


async def test_results_are_there_from_the_end_of_the_task_until_discarded(
    workspace: Workspace,
) -> None:
    await begin(workspace)
    assert await workspace.results(EXECUTION) is None
    await workspace.collect(EXECUTION, exit_code=0)
    assert await workspace.results(EXECUTION) is not None
    await workspace.discard(EXECUTION)
    assert await workspace.results(EXECUTION) is None


async def test_what_nobody_publishes_has_no_results(workspace: Workspace) -> None:
    execution = offer()
    files = await workspace.open(execution, inputs=0, resume=False)
    files.sink.write(OUT, b"x")
    assert (await workspace.collect(execution, exit_code=0)).stdout == "x"
    assert await workspace.results(execution) is None


async def test_a_log_without_output_ends_with_its_task(workspace: Workspace) -> None:
    await begin(workspace)
    assert workspace.has_log(E1)
    await workspace.collect(EXECUTION, exit_code=0)
    assert await read(workspace) == b""
    assert await read(workspace, follow=True) == b""


async def test_prepared_inputs_are_used_again_only_when_resuming(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=1, resume=False)
    volumes = (Volume(path=files.input_directories[0], target="/in", read_only=True),)
    assert (await workspace.open(EXECUTION, inputs=1, resume=True)).volumes is None
    await workspace.keep_inputs(EXECUTION, volumes)
    assert (await workspace.open(EXECUTION, inputs=1, resume=True)).volumes == volumes
    assert (await workspace.open(EXECUTION, inputs=1, resume=False)).volumes is None


async def test_discarding_and_sweeping_forget_prepared_inputs(workspace: Workspace) -> None:
    for sweeps in (False, True):
        await begin(workspace, inputs=1)
        await workspace.keep_inputs(EXECUTION, ())
        await (workspace.sweep(lambda _: False) if sweeps else workspace.discard(EXECUTION))
        assert (await workspace.open(EXECUTION, inputs=1, resume=True)).volumes is None


async def test_the_sweep_spares_what_lives(workspace: Workspace) -> None:
    await begin(workspace, inputs=1)
    await workspace.keep_inputs(EXECUTION, ())
    await workspace.collect(EXECUTION, exit_code=0)
    await workspace.sweep(lambda each: each == E1)
    assert await workspace.results(EXECUTION) is not None
    assert (await workspace.open(EXECUTION, inputs=1, resume=True)).volumes == ()


async def test_discarding_twice_and_what_never_was_is_nothing(workspace: Workspace) -> None:
    await workspace.discard(EXECUTION)
    await begin(workspace)
    await workspace.discard(EXECUTION)
    await workspace.discard(EXECUTION)


async def test_the_log_survives_the_results(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"a")
    files.sink.write(ERR, b"b")
    files.sink.write(OUT, b"c")
    await workspace.collect(EXECUTION, exit_code=0)
    await workspace.discard(EXECUTION)
    await workspace.sweep(lambda _: False)
    assert workspace.has_log(E1)
    assert await read(workspace) == b"1:a2:b1:c"
    assert await read(workspace, follow=True) == b"1:a2:b1:c"
    assert await read(workspace, tail=True) == b""


async def test_without_follow_the_stream_ends_at_what_is_written(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"so far")
    assert await read(workspace) == b"1:so far"
    assert await read(workspace, tail=True) == b""


async def test_following_goes_on_until_the_end(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"past ")
    seen: asyncio.Queue[LogFrame] = asyncio.Queue()

    async def follow() -> None:
        request = LogRequest(execution_id=E1, follow=True)
        async for frame in workspace.logs(request):
            seen.put_nowait(frame)

    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        group.create_task(follow())
        assert (await seen.get()).data == b"past "
        files.sink.write(ERR, b"present")
        assert await seen.get() == LogFrame(stream=2, data=b"present")
        await workspace.collect(EXECUTION, exit_code=0)
    assert seen.empty()


async def test_who_follows_sees_output_that_is_repeated(workspace: Workspace) -> None:
    """An engine begins its output anew when it starts, which may be long after the log opened."""
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    stream = workspace.logs(LogRequest(execution_id=E1, follow=True))
    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        first = group.create_task(next_of(stream))
        await asyncio.sleep(0)
        files.sink.reset()
        files.sink.write(OUT, b"one")
        assert (await first).data == b"one"
        second = group.create_task(next_of(stream))
        await asyncio.sleep(0)
        files.sink.reset()
        files.sink.write(OUT, b"again")
        assert (await second).data == b"again"
        await workspace.collect(EXECUTION, exit_code=0)
        assert [frame async for frame in stream] == []


async def test_tail_begins_at_what_comes_from_now_on(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"past")
    stream = workspace.logs(LogRequest(execution_id=E1, follow=True, tail=True))
    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        first = group.create_task(next_of(stream))
        await asyncio.sleep(0)
        files.sink.write(OUT, b"future")
        assert (await first).data == b"future"
        await workspace.collect(EXECUTION, exit_code=0)
        assert [frame async for frame in stream] == []


async def test_a_reader_may_leave_at_any_time(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"x")
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read(workspace, follow=True))
        await asyncio.sleep(0)
        reading.cancel()
    files.sink.write(OUT, b"y")
    assert (await workspace.collect(EXECUTION, exit_code=0)).stdout == "xy"


async def test_discarding_a_running_task_ends_its_log(workspace: Workspace) -> None:
    files = await workspace.open(EXECUTION, inputs=0, resume=False)
    files.sink.write(OUT, b"x")
    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        reading = group.create_task(read(workspace, follow=True))
        await asyncio.sleep(0)
        await workspace.discard(EXECUTION)
    assert reading.result() == b"1:x"


def two_executions() -> tuple[Execution, Execution]:
    return offer(name="e-1"), offer(task(publisher=PUBLISHER), name="e-2")


async def test_executions_do_not_touch_each_other(workspace: Workspace) -> None:
    one, two = two_executions()
    files = [await workspace.open(each, inputs=1, resume=False) for each in (one, two)]
    assert files[0].input_directories != files[1].input_directories
    files[0].sink.write(OUT, b"one")
    files[1].sink.write(OUT, b"two")
    await workspace.discard(one)
    assert (await workspace.collect(two, exit_code=0)).stdout == "two"
    assert await workspace.results(two) is not None


async def test_a_list_is_gone_through_once_and_to_its_end(workspace: Workspace) -> None:
    await workspace.open(EXECUTION, inputs=0, resume=False)
    lines = iter([b"one\n", b"two\n"])
    await workspace.keep_list(EXECUTION, "outputs", lines)
    assert list(lines) == []
    await workspace.keep_list(EXECUTION, "outputs", [])
    await workspace.discard(EXECUTION)
    assert not workspace.has_log(E1)
