"""What is left after the process was killed in the middle of writing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import IO

import pytest

from bacalhau.models import ExecutionID, JobID
from bacalhau.store.sqlite import SQLiteExecutionStore, SQLiteJobStore
from bacalhau.testing.contracts._store_records import NODE

WRITER = Path(__file__).with_name("endless_writer.py")

Acknowledged = dict[tuple[str, int], int]
"""By kind and number of the writer, the last revision that was acknowledged."""


def read_lines(output: IO[bytes], number: int | None, seen: Acknowledged) -> None:
    """Take acknowledgements from the writer: so many, or all that it still got out."""
    while number is None or number > 0:
        line = output.readline()
        if not line.endswith(b"\n"):
            assert number is None, "the writer ended by itself"
            return
        kind, writer, revision = line.split()
        seen[kind.decode(), int(writer)] = int(revision)
        number = None if number is None else number - 1


def write_and_kill(folder: Path, acknowledgements: int) -> Acknowledged:
    """Let a process write, kill it after so many acknowledgements, and return all of them."""
    seen: Acknowledged = defaultdict(int)
    command = [sys.executable, str(WRITER), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            read_lines(process.stdout, acknowledgements, seen)
        finally:
            process.kill()
        read_lines(process.stdout, None, seen)
        assert process.wait() == -signal.SIGKILL
    return seen


async def check_jobs(store: SQLiteJobStore, seen: Acknowledged) -> None:
    """Nothing acknowledged is missing, and nothing is there in part."""
    steps = 0
    for job_id in store.find_jobs("", 100):
        snapshot = store.snapshot(job_id)
        assert snapshot is not None
        revision = snapshot.job.revision
        assert revision >= seen["job", int(job_id.removeprefix("j-"))]
        assert snapshot.generation == revision
        assert [execution.revision for execution in snapshot.executions] == [revision] * 2
        history = await store.history(job_id)
        assert [entry.seq_num for entry in history] == list(range(1, revision + 1))
        assert history[-1].event.message == f"step {revision}"
        steps += revision
    assert all(store.job(JobID(f"j-{number}")) for kind, number in seen if kind == "job")
    assert len(await store.outbox(NODE, after=0, limit=0)) == steps


async def check_records(store: SQLiteExecutionStore, seen: Acknowledged) -> None:
    """Nothing acknowledged is missing, and nothing is there in part."""
    revisions: defaultdict[str, set[int]] = defaultdict(set)
    for record in await store.live():
        revisions[record.id.removesuffix("-a").removesuffix("-b")].add(record.revision)
    assert all(len(pair) == 1 for pair in revisions.values())
    for (kind, number), revision in seen.items():
        if kind == "record":
            for side in "ab":
                record_after = store.execution(ExecutionID(f"e-{number}-{side}"))
                assert record_after is not None
                assert record_after.revision >= revision
    steps = sum(revision for pair in revisions.values() for revision in pair)
    assert len(await store.outbox(after=0, limit=0)) == steps


@pytest.mark.parametrize("acknowledgements", [1, 40, 333, 2500])
async def test_a_killed_process_loses_nothing_acknowledged(
    tmp_path: Path, acknowledgements: int
) -> None:
    seen = write_and_kill(tmp_path, acknowledgements)
    assert sum(seen.values()) >= acknowledgements
    async with SQLiteJobStore.open(tmp_path / "jobs.db") as jobs:
        await check_jobs(jobs, seen)
    async with SQLiteExecutionStore.open(tmp_path / "executions.db") as executions:
        await check_records(executions, seen)
