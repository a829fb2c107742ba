"""Start of the server, and what it uses when it has nothing to do."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.machine import cpu_seconds, process, resident_mib
from bench.server import OURS, original, programs, running
from bench.table import Beside, Goal, Row

if TYPE_CHECKING:
    from bench.server import Program

RUNS = 5
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 2.0
_ALIVE = Goal("<=", 400)


class Start(NamedTuple):
    """One start, in milliseconds: until it answers, until it runs jobs, CPU until it answers."""

    alive: float
    joined: float
    cpu: float


class Idle(NamedTuple):
    """A server without work: resident MiB, and percent of one CPU."""

    resident: float
    cpu: float


def measure() -> list[Row]:
    """Start servers by turns, each on a new directory and on one that it knows."""
    fresh: dict[str, list[Start]] = {}
    known: dict[str, list[Start]] = {}
    bare: list[float] = []
    for _ in range(RUNS):
        bare.append(1000 * process([sys.executable, "-c", "pass"]).wall)
        for program in programs():
            with tempfile.TemporaryDirectory(prefix="bench-") as work:
                fresh.setdefault(program.name, []).append(_start(program, Path(work) / "data"))
                known.setdefault(program.name, []).append(_start(program, Path(work) / "data"))
    idle = {program.name: _idle(program) for program in programs()}
    beside = Beside("python -c pass", statistics.median(bare))
    return [
        *_start_rows("new directory", fresh, beside),
        *_start_rows("known directory", known, beside),
        *_idle_rows(idle),
    ]


def _start(program: Program, directory: Path) -> Start:
    with running(program, directory=directory) as server:
        seconds = (server.alive_seconds, server.joined_seconds, server.cpu_seconds)
        return Start(*(1000 * value for value in seconds))


def _idle(program: Program) -> Idle:
    with running(program) as server:
        time.sleep(SETTLE_SECONDS)
        before = cpu_seconds(server.pid)
        time.sleep(IDLE_SECONDS)
        used = cpu_seconds(server.pid) - before
        return Idle(resident_mib(server.pid), 100 * used / IDLE_SECONDS)


def _median(starts: list[Start] | None, name: str) -> float | None:
    return statistics.median(getattr(start, name) for start in starts) if starts else None


def _start_rows(where: str, starts: dict[str, list[Start]], bare: Beside) -> list[Row]:
    elsewhere = {"new directory": ("146 ms", "148 ms"), "known directory": ("92 ms", "94 ms")}
    rows = []
    texts = {"alive": "answers", "joined": "runs jobs", "cpu": "answers, CPU"}
    for name, told in zip(texts, (*elsewhere[where], ""), strict=True):
        figure = _median(starts[OURS.name], name)
        assert figure is not None, "our own server was started"
        rows.append(
            Row(
                what=f"server start, {where}: {texts[name]}",
                figure=figure,
                unit="ms",
                beside=bare if name == "alive" else None,
                goal=_ALIVE if name == "alive" else None,
                original=_median(starts.get("v1.5.2"), name),
                elsewhere=told,
            )
        )
    return rows


def _idle_rows(idle: dict[str, Idle]) -> list[Row]:
    here, other = idle[OURS.name], idle.get("v1.5.2") if original() else None
    return [
        Row(
            what="idle node: memory",
            figure=here.resident,
            unit="MiB",
            goal=Goal("<=", 80),
            original=other.resident if other else None,
            elsewhere="63 MiB",
        ),
        Row(
            what="idle node: share of one CPU",
            figure=here.cpu,
            unit="%",
            original=other.cpu if other else None,
            elsewhere="0.65 %",
        ),
    ]
