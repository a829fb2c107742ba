"""What the kernel tells that the daemon may not."""

from __future__ import annotations

from pathlib import Path

_COUNTERS = Path("/proc/vmstat")


def memory_kills(counters: Path = _COUNTERS) -> int:
    """Return how many processes of this machine were killed for want of memory since it started.

    Those of control groups count, whoever reads this; 0 where that is not told. It means nothing
    for a daemon on another machine.
    """
    try:
        text = counters.read_text()
    except OSError:
        return 0
    found = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    return int(found.get("oom_kill", 0))
