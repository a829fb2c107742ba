"""A data directory on a disk that is full, or that takes no more writes."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import TransientError
from bacalhau.models import JobState, JobType, ResultPath, SpecConfig, Task
from bacalhau.publishers.local import LocalPublisher
from bacalhau.testing.contracts.publisher import ToldProgress, execution_with, write_results
from tests.integration.journeys.test_restarts import has_printed, make_job, state_of, wasm_task
from tests.support.docker import IMAGE, private_daemon, unavailable
from tests.support.engines import compile_text, plugin_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bacalhau.client import Client
    from bacalhau.config.keys import Value
    from tests.support.env import Env

DISK_BYTES = 16 * 2**20
FLAGS = (
    *("--name", "n-disk"),
    *("-c", "Compute.Heartbeat.Interval=100ms"),
    *("-c", "Engines.Disabled=docker"),
    *("-c", "Compute.AllocatedCapacity.Disk=100%"),
)
SUBMISSIONS = 5000
SHORT = ("say", "hi", "", "0")
NOISY = """(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\00\\80\\00\\00")
  (func (export "_start")
    (loop $for_ever
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $for_ever))))"""
"""A module that prints zeros, 32 KiB at a time, until it is stopped."""

HUNGRY = """(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\00\\10\\00\\00")
  (data (i32.const 8192) "large")
  (func (export "_start") (local $directory i32)
    (local.set $directory (i32.const 2))
    (loop $next
      (local.set $directory (i32.add (local.get $directory) (i32.const 1)))
      (br_if $next (call $path_open (local.get $directory) (i32.const 0) (i32.const 8192)
        (i32.const 5) (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 12))))
    (loop $as_long_as_there_is_room
      (br_if $as_long_as_there_is_room
        (i32.eqz (call $fd_write (i32.load (i32.const 12))
          (i32.const 0) (i32.const 1) (i32.const 8)))))))"""
"""A module that writes zeros into its result path, 4 KiB at a time, until there is no room."""

FILLING = "dd if=/dev/zero of=/large bs=64k; dd if=/dev/zero of=/larger bs=512; exit 0"


def nearly(pages: int) -> str:
    """The same, which leaves that many pages free at its end."""
    text = HUNGRY.replace(
        '  (memory (export "memory") 1)',
        """  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $set_size (param i32 i64) (result i32)))
  (memory (export "memory") 1)""",
    )
    text = text.replace("(local $directory i32)", "(local $directory i32) (local $size i64)")
    written = "(local.set $size (i64.add (local.get $size) (i64.const 4096)))"
    text = text.replace("      (br_if $as_long", f"      {written}\n      (br_if $as_long")
    # What was counted last was not written.
    trim = f"(i64.sub (local.get $size) (i64.const {4096 * (pages + 1)}))"
    return f"{text[:-2]}\n    (drop (call $set_size (i32.load (i32.const 12)) {trim}))))"


@pytest.fixture
def disk(env: Env) -> Iterator[Path]:
    """A small disk in memory."""
    with _mounted(env.directory / "disk", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs") as at:
        yield at


@pytest.fixture
def large_disk(env: Env) -> Iterator[Path]:
    """One that has room for images as well."""
    options = f"size={8 * DISK_BYTES}"
    with _mounted(env.directory / "large", "-t", "tmpfs", "-o", options, "tmpfs") as at:
        yield at


@pytest.fixture
def failing_disk(env: Env) -> Iterator[Path]:
    """A disk whose file system stops writing when it finds an error."""
    image = env.directory / "image"
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    make = shutil.which("mkfs.ext4", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if make is None:
        unavailable("mkfs.ext4 is missing: install the package e2fsprogs")
    subprocess.run([make, "-q", "-F", str(image)], check=True)
    options = "loop,errors=remount-ro"
    with _mounted(env.directory / "failing", "-o", options, str(image)) as at:
        yield at


@contextlib.contextmanager
def _mounted(at: Path, *options: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        unavailable("only root can mount a disk")
    at.mkdir()
    mounted = subprocess.run(["mount", *options, str(at)], capture_output=True, check=False)
    if mounted.returncode != 0:
        unavailable(f"no disk can be mounted here: {mounted.stderr.decode()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte free, and return the file that takes the room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (2**16, 2**12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return ballast


def submit_until_refused(client: Client, *call: str) -> tuple[list[str], TransientError]:
    """Submit jobs until one is refused; return those that were accepted, and the refusal."""
    accepted: list[str] = []
    for _ in range(SUBMISSIONS):
        try:
            accepted.append(client.submit(make_job(JobType.BATCH, wasm_task(*call))).job_id)
        except TransientError as exc:
            return accepted, exc
    pytest.fail(f"{SUBMISSIONS} jobs fit on the disk")


def wait_completed(env: Env, client: Client, jobs: list[str]) -> None:
    env.wait_until(
        lambda: all(client.job(job).job.is_terminal for job in jobs), "all jobs end", seconds=60
    )
    assert {state_of(client, job) for job in jobs} <= {JobState.COMPLETED}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_full_disk_is_told_and_nothing_accepted_is_lost(
    env: Env, disk: Path, is_killed: bool
) -> None:
    node = env.start_node(*FLAGS, data=disk / "node")
    with env.client() as client:
        running = client.submit(make_job(JobType.BATCH, wasm_task("sleep", "begun", "3000"))).job_id
        env.wait_until(lambda: has_printed(client, running, "begun"), "a task runs")
        ballast = fill(disk)
        accepted, refusal = submit_until_refused(client, *SHORT)
        assert "no space left" in refusal.message
        assert str(disk) in refusal.message
        assert "Free space" in refusal.hint
        assert refusal.retryable
        assert client.alive() == "OK"
        assert client.job(running).job.id == running
    env.wait_until(lambda: "store_refuses" in node.log.read_text(), "the node says so in its log")
    if is_killed:
        node.signal(signal.SIGKILL)
        node.popen.wait()
        ballast.unlink()
        node = env.start_node(*FLAGS, data=disk / "node")
    else:
        ballast.unlink()
    with env.client() as client:
        wait_completed(env, client, [running, *accepted])
        later = client.submit(make_job(JobType.BATCH, wasm_task(*SHORT))).job_id
        wait_completed(env, client, [later])
    assert "Traceback" not in node.log.read_text()


def engine_of(text: str) -> SpecConfig:
    """Return what runs a WebAssembly module, which is given as text."""
    module = base64.b64encode(compile_text(text)).decode()
    url = f"data:application/wasm;base64,{module}"
    source = {"Source": {"Type": "inline", "Params": {"URL": url}}}
    return SpecConfig(type="wasm", params={"EntryModule": source})


def test_a_task_that_fills_the_disk_fails_and_holds_up_nothing_else(env: Env, disk: Path) -> None:
    """The node could not even store that it has failed, had its output not made room."""
    node = env.start_node(*FLAGS, data=disk / "node")
    noisy = Task(name="main", engine=engine_of(NOISY))
    with env.client() as client:
        other = client.submit(make_job(JobType.BATCH, wasm_task("sleep", "begun", "2000"))).job_id
        env.wait_until(lambda: has_printed(client, other, "begun"), "a task runs")
        job = client.submit(make_job(JobType.BATCH, noisy)).job_id
        env.wait_until(lambda: client.job(job).job.is_terminal, "the noisy job ends", seconds=60)
        state = client.job(job).job.state
        assert state.state_type is JobState.FAILED
        assert "cannot keep the output of the task: No space left on device" in state.message
        wait_completed(env, client, [other])
        later = client.submit(make_job(JobType.BATCH, wasm_task(*SHORT))).job_id
        wait_completed(env, client, [later])
    assert "Traceback" not in node.log.read_text()


def test_results_that_fill_the_disk_make_room_for_their_end(env: Env, disk: Path) -> None:
    """Nobody could stop the job, nor submit another, as long as its results had stayed."""
    node = env.start_node(*FLAGS, data=disk / "node")
    hungry = Task(
        name="main",
        engine=engine_of(HUNGRY),
        publisher=SpecConfig(type="local"),
        result_paths=[ResultPath(name="outputs", path="/outputs")],
    )
    with env.client() as client:
        job = client.submit(make_job(JobType.BATCH, hungry)).job_id
        env.wait_until(lambda: client.job(job).job.is_terminal, "the hungry job ends", seconds=60)
        state = client.job(job).job.state
        assert state.state_type is JobState.FAILED
        assert "No space left on device" in state.message
        later = client.submit(make_job(JobType.BATCH, wasm_task(*SHORT))).job_id
        wait_completed(env, client, [later])
    assert "Traceback" not in node.log.read_text()


@pytest.mark.parametrize("pages", [1, 9, 100])
def test_results_that_nearly_fill_the_disk_end_as_well(env: Env, disk: Path, pages: int) -> None:
    """They fitted to the last page; the records of their end did not."""
    node = env.start_node(*FLAGS, data=disk / "node")
    hungry = Task(
        name="main",
        engine=engine_of(nearly(pages)),
        publisher=SpecConfig(type="local"),
        result_paths=[ResultPath(name="outputs", path="/outputs")],
    )
    with env.client() as client:
        job = client.submit(make_job(JobType.BATCH, hungry)).job_id
        env.wait_until(lambda: client.job(job).job.is_terminal, "the hungry job ends", seconds=60)
        later = client.submit(make_job(JobType.BATCH, wasm_task(*SHORT))).job_id
        wait_completed(env, client, [later])
    assert "Traceback" not in node.log.read_text()


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@pytest.mark.parametrize("is_published", [True, False])
def test_a_container_that_fills_the_disk_makes_room_for_its_end(
    env: Env, large_disk: Path, *, is_published: bool
) -> None:
    """The daemon keeps what containers write on the same disk, until they are removed."""
    spec = SpecConfig(type="docker", params={"Image": IMAGE, "Parameters": ["sh", "-c", FILLING]})
    publisher = SpecConfig(type="local") if is_published else SpecConfig()
    hungry = Task(name="main", engine=spec, publisher=publisher)
    with private_daemon(f"--data-root={large_disk / 'docker'}") as daemon:
        env.variables["DOCKER_HOST"] = daemon.host
        daemon.import_image(IMAGE, 'CMD ["sh"]')
        node = env.start_node(*FLAGS, "-c", "Engines.Disabled=", data=large_disk / "node")
        with env.client() as client:
            job = client.submit(make_job(JobType.BATCH, hungry)).job_id
            env.wait_until(lambda: client.job(job).job.is_terminal, "the job ends", seconds=60)
            later = client.submit(make_job(JobType.BATCH, wasm_task(*SHORT))).job_id
            wait_completed(env, client, [later])
        assert node.stop() == 0
    assert "Traceback" not in node.log.read_text()


async def test_an_archive_that_nearly_fills_the_disk_is_not_kept(
    disk: Path, tmp_path: Path
) -> None:
    spec = SpecConfig(type="local")
    port: dict[str, Value] = {"Publishers.Types.Local.Port": 0}
    large = {"stdout": os.urandom(DISK_BYTES - 100 * 1024)}
    async with LocalPublisher.open(plugin_context(disk, port)) as publisher:
        with pytest.raises(TransientError) as caught:
            await publisher.publish(
                execution_with(spec, "e-1"),
                write_results(tmp_path / "large", large),
                ToldProgress(),
            )
        assert caught.value.code == "DiskError"
        assert caught.value.message == "the results cannot be kept: No space left on device"
        small = write_results(tmp_path / "small", {"stdout": b"hello"})
        await publisher.publish(execution_with(spec, "e-2"), small, ToldProgress())
    kept = [path.name for path in disk.rglob("*") if path.is_file()]
    assert kept == ["e-2.tar.gz"]


def test_a_node_starts_on_a_full_disk_and_works_when_there_is_room(env: Env, disk: Path) -> None:
    node = env.start_node(*FLAGS, data=disk / "node")
    with env.client() as client:
        job = client.submit(make_job(JobType.BATCH, wasm_task("sleep", "begun", "2000"))).job_id
        env.wait_until(lambda: has_printed(client, job, "begun"), "a task runs")
    node.signal(signal.SIGKILL)
    node.popen.wait()
    ballast = fill(disk)

    node = env.start_node(*FLAGS, data=disk / "node")

    with env.client() as client:
        accepted, refusal = submit_until_refused(client, *SHORT)
        assert "no space left" in refusal.message
        ballast.unlink()
        wait_completed(env, client, [job, *accepted])
    assert "Traceback" not in node.log.read_text()


def test_a_data_directory_that_cannot_be_written_is_told_at_the_start(env: Env, disk: Path) -> None:
    node = env.start_node(*FLAGS, data=disk / "node")
    assert node.stop() == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    failed = env.cli("serve", "--orchestrator", "--compute", "--data-dir", str(disk / "node"))

    assert failed.code == 1
    assert "Traceback" not in failed.stderr
    assert f"{disk}/node" in failed.stderr
    assert "Read-only file system" in failed.stderr


def test_a_disk_that_stops_writing_is_told_and_nothing_accepted_is_lost(
    env: Env, failing_disk: Path
) -> None:
    node = env.start_node(*FLAGS, data=failing_disk / "node")
    with env.client() as client:
        first = client.submit(make_job(JobType.BATCH, wasm_task("sleep", "begun", "2000"))).job_id
        env.wait_until(lambda: has_printed(client, first, "begun"), "a task runs")
        subprocess.run(["mount", "-o", "remount,abort", str(failing_disk)], check=True)
        accepted, refusal = submit_until_refused(client, *SHORT)
        assert str(failing_disk) in refusal.message
        assert refusal.hint
        assert client.alive() == "OK"
        assert client.job(first).job.id == first
    env.wait_until(lambda: "store_refuses" in node.log.read_text(), "the node says so in its log")
    node.signal(signal.SIGKILL)
    node.popen.wait()
    assert "Traceback" not in node.log.read_text()
    subprocess.run(["umount", str(failing_disk)], check=True)
    image = str(env.directory / "image")
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, str(failing_disk)], check=True)

    env.start_node(*FLAGS, data=failing_disk / "node")

    with env.client() as client:
        wait_completed(env, client, [first, *accepted])
