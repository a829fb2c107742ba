"""What the system says about processes: wall time, CPU time, memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE_STEP_SECONDS = 0.5
_IDLE_LIMIT_SECONDS = 60.0
_IDLE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took: seconds on the clock, and seconds of CPU (0 where nobody asked)."""

    wall: float
    cpu: float = 0.0


@dataclass(slots=True)
class Series:
    """Runs of one thing."""

    runs: list[Taken] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """The median on the clock, in seconds."""
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """The median of CPU time, in seconds."""
        return statistics.median(run.cpu for run in self.runs)


def by_turns(runs: int, works: Mapping[str, Callable[[], Taken]]) -> dict[str, Series]:
    """Do each piece of work ``runs`` times, by turns, after one round that does not count.

    So what else the machine does falls on all of them alike.
    """
    taken = {name: Series() for name in works}
    for number in range(runs + 1):
        for name, work in works.items():
            result = work()
            if number:
                taken[name].runs.append(result)
    return taken


def process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Taken:
    """Run a command to its end, as a whole process."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return Taken(wall, usage.ru_utime + usage.ru_stime)


def on_the_clock(work: Callable[[], object]) -> Taken:
    """Do something in this process."""
    started = time.perf_counter()
    work()
    return Taken(time.perf_counter() - started)


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def until_idle(pid: int) -> None:
    """Wait until a process has next to nothing to do, for a minute at most."""
    end = time.monotonic() + _IDLE_LIMIT_SECONDS
    used = cpu_seconds(pid)
    while time.monotonic() < end:
        time.sleep(_IDLE_STEP_SECONDS)
        before, used = used, cpu_seconds(pid)
        if used - before <= _IDLE_SHARE * _IDLE_STEP_SECONDS:
            return


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the value below which that fraction of all values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
