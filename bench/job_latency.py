"""One small job from its submission until it is completed, against ``docker run --rm``."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from bench.docker_daemon import image
from bench.jobs import completed, docker_job, submit, wasm_job
from bench.machine import Series, Taken, by_turns, cpu_seconds, process
from bench.server import OURS, programs, running
from bench.table import Beside, Goal, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.server import Server

RUNS = 15
POLL_SECONDS = 0.002
DOCKER_RUN = "docker run --rm"


def measure() -> list[Row]:
    """Run jobs and bare containers by turns."""
    with image() as name, ExitStack() as stack:
        works: dict[str, Callable[[], Taken]] = {}
        for program in programs():
            server = stack.enter_context(running(program))
            works[f"{program.name} wasm"] = partial(_job, server, wasm_job())
            if name is not None:
                works[f"{program.name} docker"] = partial(_job, server, docker_job(name))
        if name is not None:
            works[DOCKER_RUN] = partial(process, _container(name))
        taken = by_turns(RUNS, works)
    return _rows(taken)


def _job(server: Server, request: bytes) -> Taken:
    before = cpu_seconds(server.pid)
    started = time.perf_counter()
    asyncio.run(_once(server.port, request))
    wall = time.perf_counter() - started
    return Taken(wall, cpu_seconds(server.pid) - before)


async def _once(port: int, request: bytes) -> None:
    submitted = await submit(port, request, 1)
    await completed(port, submitted.ids, POLL_SECONDS)


def _container(name: str) -> list[str]:
    return ["docker", "run", "--rm", "--network=none", name, "/bin/busybox", "echo", "hello"]


def _rows(taken: dict[str, Series]) -> list[Row]:
    bare = taken.get(DOCKER_RUN)
    kinds = {"wasm": ("WebAssembly", 0.06, "18-26 ms"), "docker": ("Docker", 0.5, "131-142 ms")}
    rows = []
    for kind, (name, limit, elsewhere) in kinds.items():
        if (here := taken.get(f"{OURS.name} {kind}")) is None:
            continue
        other = taken.get(f"v1.5.2 {kind}")
        rows.append(
            Row(
                what=f"one small {name} job",
                figure=here.wall * 1000,
                unit="ms",
                beside=Beside(DOCKER_RUN, bare.wall * 1000) if bare else None,
                goal=Goal("<=", limit, of_ratio=True) if bare else None,
                original=other.wall * 1000 if other else None,
                elsewhere=elsewhere,
            )
        )
    return rows
