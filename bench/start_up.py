"""Start-up of the command line, against a bare interpreter."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING

from bench.jobs import completed, submit, wasm_job
from bench.machine import by_turns, process
from bench.server import OURS, original, running
from bench.table import Beside, Goal, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.machine import Series, Taken
    from bench.server import Server

RUNS = 15
JOBS = 10
BARE = "python -c pass"
_COMMANDS = {
    "version --client": (Goal("<=", 6, of_ratio=True), "37 ms"),
    "job list": (Goal("<=", 10, of_ratio=True), "38 ms"),
}


def measure() -> list[Row]:
    """Time two commands, one that asks nobody and one that asks a server with ten jobs."""
    with running(OURS) as server:
        submitted = asyncio.run(submit(server.port, wasm_job(), JOBS))
        asyncio.run(completed(server.port, submitted.ids))
        taken = by_turns(RUNS, _works(server))
    return _rows(taken)


def _works(server: Server) -> dict[str, Callable[[], Taken]]:
    works = {BARE: partial(process, [sys.executable, "-c", "pass"])}
    for program in (OURS, original()):
        if program is not None:
            for command in _COMMANDS:
                arguments = ["--api-host", "127.0.0.1", "--api-port", str(server.port)]
                words = [*program.command, *command.split(), *arguments]
                works[f"{program.name} {command}"] = partial(process, words)
    return dict(works)


def _rows(taken: dict[str, Series]) -> list[Row]:
    rows = []
    bare = taken[BARE]
    for command, (goal, elsewhere) in _COMMANDS.items():
        here = taken[f"{OURS.name} {command}"]
        other = taken.get(f"v1.5.2 {command}")
        rows += [
            Row(
                what=f"`{command}`",
                figure=here.wall * 1000,
                unit="ms",
                beside=Beside(BARE, bare.wall * 1000),
                goal=goal,
                original=other.wall * 1000 if other else None,
                elsewhere=elsewhere,
            ),
            Row(
                what=f"`{command}`, CPU",
                figure=here.cpu * 1000,
                unit="ms",
                beside=Beside(BARE, bare.cpu * 1000),
                goal=goal,
                original=other.cpu * 1000 if other else None,
                elsewhere="43 ms",
            ),
        ]
    return rows
