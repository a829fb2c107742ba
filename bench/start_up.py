"""Start-up of the command line, as a multiple of a bare interpreter, in one run.

Repeat with: make bench
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "bacalhau version --client": [sys.executable, "-m", "bacalhau.cli.main", "version", "--client"],
    "bacalhau job list --help": [
        sys.executable,
        "-m",
        "bacalhau.cli.main",
        "job",
        "list",
        "--help",
    ],
}


def main() -> None:
    """Time the commands by turns and print medians and ratios."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - started)
    bare = statistics.median(taken["python -c pass"])
    print(f"{'command':<28} {'median ms':>9} {'x bare':>7}")
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{name:<28} {median * 1000:>9.1f} {median / bare:>7.1f}")


if __name__ == "__main__":
    main()
