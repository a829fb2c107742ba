"""Many small jobs: how fast they are accepted, how fast they end, and what memory they leave."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.docker_daemon import image
from bench.jobs import completed, docker_job, submit, wasm_job
from bench.machine import cpu_seconds, percentile, resident_mib
from bench.server import ORCHESTRATOR, OURS, programs, running
from bench.table import Beside, Goal, Row

if TYPE_CHECKING:
    from bench.server import Program, Server

JOBS = 1_000
ROUNDS = 4
FEW, MANY = 300, 3_000
"""How many executions a job has to see what each costs."""
DOCKER_JOBS = 60
DOCKER_CPU = "100m"
SETTLE_SECONDS = 1.0
SYNCS = 200


class Round(NamedTuple):
    """A thousand jobs.

    Attributes:
        accepted: Jobs accepted in a second.
        p95: Milliseconds that 95 of 100 submissions took at most.
        ended: Jobs completed in a second, from the first submission on.
        cpu: Seconds of CPU that the server used.
        resident: MiB of the server afterwards.
    """

    accepted: float
    p95: float
    ended: float
    cpu: float
    resident: float


def measure() -> list[Row]:
    """Send rounds of jobs to a node that does nothing else, and to one that only accepts them."""
    rounds = {program.name: _rounds(program) for program in programs()}
    accepting = {program.name: _accepting(program) for program in programs()}
    return [
        *_accepting_rows(accepting),
        *_round_rows(rounds),
        _counted_row(),
        *_docker_rows(),
        _memory_row(rounds),
    ]


def _rounds(program: Program) -> list[Round]:
    with running(program) as server:
        return [asyncio.run(_round(server)) for _ in range(ROUNDS)]


async def _round(server: Server) -> Round:
    before = cpu_seconds(server.pid)
    started = time.perf_counter()
    submitted = await submit(server.port, wasm_job(), JOBS)
    await completed(server.port, submitted.ids)
    taken = time.perf_counter() - started
    cpu = cpu_seconds(server.pid) - before
    await asyncio.sleep(SETTLE_SECONDS)
    return Round(
        submitted.a_second,
        1000 * percentile(submitted.latencies, 0.95),
        JOBS / taken,
        cpu,
        resident_mib(server.pid),
    )


def _accepting(program: Program) -> float:
    with running(program, ORCHESTRATOR) as server:
        asyncio.run(submit(server.port, wasm_job(), JOBS // 4))
        return asyncio.run(submit(server.port, wasm_job(), JOBS)).a_second


def _syncs_a_second() -> float:
    """Return how often this disk makes one small write durable in a second."""
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        descriptor = os.open(Path(work) / "file", os.O_WRONLY | os.O_CREAT)
        started = time.perf_counter()
        for _ in range(SYNCS):
            os.write(descriptor, bytes(1024))
            os.fdatasync(descriptor)
        taken = time.perf_counter() - started
        os.close(descriptor)
    return SYNCS / taken


def _accepting_rows(accepting: dict[str, float]) -> list[Row]:
    return [
        Row(
            what="submissions, node that only accepts",
            figure=accepting[OURS.name],
            unit="/s",
            beside=Beside("writes made durable singly", _syncs_a_second()),
            goal=Goal(">=", 1500),
            original=accepting.get("v1.5.2"),
        )
    ]


def _round_rows(rounds: dict[str, list[Round]]) -> list[Row]:
    def row(what: str, unit: str, name: str, elsewhere: str, goal: Goal | None = None) -> Row:
        medians = {
            program: statistics.median(getattr(one, name) for one in found)
            for program, found in rounds.items()
        }
        return Row(
            what=what,
            figure=medians[OURS.name],
            unit=unit,
            goal=goal,
            original=medians.get("v1.5.2"),
            elsewhere=elsewhere,
        )

    return [
        row("submissions, node that also runs them", "/s", "accepted", "540-731 /s"),
        row("the same, 95th percentile", "ms", "p95", "27-48 ms"),
        row("small WebAssembly jobs, end to end", "/s", "ended", "67-91 /s", Goal(">=", 300)),
        row("CPU of the server for 1,000 jobs", "s", "cpu", "14.1-15.6 s"),
    ]


def _counted_row() -> Row:
    with running(OURS) as server:
        few, many = [asyncio.run(_counted(server.port, count)) for count in (FEW, MANY)]
    return Row(
        what=f"executions of one job of {MANY:,}",
        figure=many,
        unit="/s",
        beside=Beside(f"of one job of {FEW}", few),
        goal=Goal(">=", 0.8, of_ratio=True),
    )


async def _counted(port: int, count: int) -> float:
    started = time.perf_counter()
    submitted = await submit(port, wasm_job(count), 1)
    await completed(port, submitted.ids)
    return count / (time.perf_counter() - started)


def _docker_rows() -> list[Row]:
    with image() as name:
        if name is None:
            return []
        ended = {program.name: _containers(program, name) for program in programs()}
    return [
        Row(
            what="small Docker jobs, end to end",
            figure=ended[OURS.name],
            unit="/s",
            original=ended.get("v1.5.2"),
            elsewhere="12.0 /s",
        )
    ]


def _containers(program: Program, name: str) -> float:
    async def run(port: int) -> None:
        submitted = await submit(port, docker_job(name, DOCKER_CPU), DOCKER_JOBS)
        await completed(port, submitted.ids)

    with running(program) as server:
        started = time.perf_counter()
        asyncio.run(run(server.port))
        return DOCKER_JOBS / (time.perf_counter() - started)


def _memory_row(rounds: dict[str, list[Round]]) -> Row:
    """Compare the end of the first round with that of the last: the start is no growth."""
    growth = {
        program: (found[-1].resident - found[0].resident) * 1000 / JOBS / (len(found) - 1)
        for program, found in rounds.items()
    }
    return Row(
        what="memory for 1,000 finished jobs, both sides",
        figure=growth[OURS.name],
        unit="MiB",
        goal=Goal("<=", 5),
        original=growth.get("v1.5.2"),
        elsewhere="about 950 MiB",
    )
