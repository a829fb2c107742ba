"""Many nodes: how soon all of them are there, and how long a job takes that runs on each."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

from bench.jobs import completed, submit, wasm_job
from bench.server import OURS, programs, running_devstack
from bench.table import Row

if TYPE_CHECKING:
    from bench.server import Program, Server

RUNS = 9
POLL_SECONDS = 0.01
ELSEWHERE = {10: ("811 ms", "87 ms"), 30: ("", "216 ms")}


class Fleet(NamedTuple):
    """Milliseconds until all nodes were connected, and for an ops job."""

    joined: float
    ops: float


def measure() -> list[Row]:
    """Start devstacks, and run ops jobs on them."""
    return [row for nodes in ELSEWHERE for row in _rows(nodes)]


def _rows(nodes: int) -> list[Row]:
    taken = {program.name: _fleet(program, nodes) for program in programs()}
    here, other = taken[OURS.name], taken.get("v1.5.2")
    joined, ops = ELSEWHERE[nodes]
    return [
        Row(
            what=f"devstack of {nodes} nodes: all connected",
            figure=here.joined,
            unit="ms",
            original=other.joined if other else None,
            elsewhere=joined,
        ),
        Row(
            what=f"an ops job on {nodes} nodes",
            figure=here.ops,
            unit="ms",
            original=other.ops if other else None,
            elsewhere=ops,
        ),
    ]


def _fleet(program: Program, nodes: int) -> Fleet:
    with running_devstack(program, nodes) as server:
        times = [asyncio.run(_ops(server)) for _ in range(RUNS + 1)][1:]
    return Fleet(1000 * server.joined_seconds, 1000 * statistics.median(times))


async def _ops(server: Server) -> float:
    started = time.perf_counter()
    submitted = await submit(server.port, wasm_job(kind="ops"), 1)
    await completed(server.port, submitted.ids, POLL_SECONDS)
    return time.perf_counter() - started
