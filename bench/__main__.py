"""Measure, and print one table: ``python -m bench [PART ...]``; without parts, all of them."""

from __future__ import annotations

import sys
import time

from bench import fleet, job_latency, listing, server_start, start_up, throughput
from bench.table import render

PARTS = {
    "start_up": start_up.measure,
    "server_start": server_start.measure,
    "job_latency": job_latency.measure,
    "throughput": throughput.measure,
    "listing": listing.measure,
    "fleet": fleet.measure,
}


def main(names: list[str]) -> int:
    """Measure the parts of these names and return the exit code."""
    if unknown := set(names) - set(PARTS):
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 1
    rows = []
    for name in names or PARTS:
        started = time.perf_counter()
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        rows += PARTS[name]()
        print(f" {time.perf_counter() - started:.0f} s", file=sys.stderr)
    print(render(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
