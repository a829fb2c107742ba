"""Listing and describing jobs, with 100, 1,000 and 10,000 of them stored."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from bench.http import Connection
from bench.jobs import JOBS, submit, wasm_job
from bench.machine import cpu_seconds, percentile, resident_mib, until_idle
from bench.server import ORCHESTRATOR, OURS, programs, running
from bench.table import Beside, Goal, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.server import Program, Server

STORED = (100, 1_000, 10_000)
RUNS = 200
LIST, DESCRIBE = "list, a page of 10", "describe by id"
SAME = Goal("<=", 1.5, of_ratio=True)
_ELSEWHERE = {LIST: "165 ms", DESCRIBE: "0.47 ms"}


class Cost(NamedTuple):
    """Milliseconds of one request: the median, what 95 of 100 take at most, CPU of the server."""

    p50: float
    p95: float
    cpu: float


class Store(NamedTuple):
    """A server with jobs, one of them, and the memory of the server in MiB."""

    server: Server
    job_id: str
    resident: float


class Filled(NamedTuple):
    """What a program takes with a number of jobs: by name of the request, and in MiB."""

    costs: dict[str, Cost]
    resident: float


def measure() -> list[Row]:
    """Fill servers that run nothing, each with other numbers of jobs; read from all by turns."""
    with ExitStack() as stack:
        stores = {
            (program.name, count): _store(program, count, stack)
            for program in programs()
            for count in STORED
        }
        lists = asyncio.run(_read(list(stores.values()), lambda _: f"{JOBS}?limit=10"))
        jobs = asyncio.run(_read(list(stores.values()), lambda store: f"{JOBS}/{store.job_id}"))
    found = {
        key: Filled({LIST: page, DESCRIBE: job}, store.resident)
        for (key, store), page, job in zip(stores.items(), lists, jobs, strict=True)
    }
    here = {count: found[OURS.name, count] for count in STORED}
    other = {count: found["v1.5.2", count] for count in STORED if ("v1.5.2", count) in found}
    rows = []
    for name in (LIST, DESCRIBE):
        rows += [_row(name, count, here, other) for count in STORED]
        rows.append(_cpu_row(name, here, other))
    return [*rows, _memory_row(here, other)]


def _store(program: Program, count: int, stack: ExitStack) -> Store:
    server = stack.enter_context(running(program, ORCHESTRATOR))
    ids = asyncio.run(submit(server.port, wasm_job(), count)).ids
    until_idle(server.pid)
    return Store(server, ids[count // 2], resident_mib(server.pid))


async def _read(stores: list[Store], path_of: Callable[[Store], str]) -> list[Cost]:
    connections = [Connection(store.server.port) for store in stores]
    before = [cpu_seconds(store.server.pid) for store in stores]
    taken: list[list[float]] = [[] for _ in stores]
    for _ in range(RUNS):
        for store, connection, times in zip(stores, connections, taken, strict=True):
            started = time.perf_counter()
            await connection.json("GET", path_of(store))
            times.append(1000 * (time.perf_counter() - started))
    for connection in connections:
        connection.close()
    used = [cpu_seconds(store.server.pid) for store in stores]
    return [
        Cost(percentile(times, 0.5), percentile(times, 0.95), 1000 * (end - start) / RUNS)
        for times, start, end in zip(taken, before, used, strict=True)
    ]


def _row(name: str, count: int, here: dict[int, Filled], other: dict[int, Filled]) -> Row:
    cost, first = here[count].costs[name], here[STORED[0]].costs[name]
    return Row(
        what=f"{name}, {count:,} stored (95 %: {cost.p95:.1f} ms)",
        figure=cost.p50,
        unit="ms",
        beside=Beside(f"with {STORED[0]}", first.p50) if count > STORED[0] else None,
        original=other[count].costs[name].p50 if other else None,
        elsewhere=_ELSEWHERE[name] if count == STORED[-1] else "",
    )


def _cpu_row(name: str, here: dict[int, Filled], other: dict[int, Filled]) -> Row:
    """Judge by the CPU time of the server, which does not depend on what else the machine does."""
    first, last = here[STORED[0]].costs[name], here[STORED[-1]].costs[name]
    return Row(
        what=f"{name}, {STORED[-1]:,} stored, CPU",
        figure=last.cpu,
        unit="ms",
        beside=Beside(f"with {STORED[0]}", first.cpu),
        goal=SAME,
        original=other[STORED[-1]].costs[name].cpu if other else None,
    )


def _memory_row(here: dict[int, Filled], other: dict[int, Filled]) -> Row:
    _, first, last = STORED

    def growth(stores: dict[int, Filled]) -> float:
        return (stores[last].resident - stores[first].resident) * 1000 / (last - first)

    return Row(
        what="memory for 1,000 stored jobs, orchestrator",
        figure=growth(here),
        unit="MiB",
        goal=Goal("<=", 5),
        original=growth(other) if other else None,
        elsewhere="20 MiB",
    )
