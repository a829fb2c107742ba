"""Runs a command and prints what it took: ``python -m bench.s3.launch COMMAND ...``.

A process of its own, and a small one, because the peak memory that the system tells of a process
includes that of the one it was made from.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main(command: list[str]) -> int:
    """Run the command, print the report, and return the command's exit code."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    said = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": usage.ru_maxrss / 1024, "said": said}))
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
