"""The clients that are compared, each a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.s3.store import BUCKET, server_cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMIT_SECONDS = 180
"""A server that has stopped to take or give anything must not keep the table from being printed."""

_TIMED_OUT = 124
S5CMD = Path(".build/bench/s5cmd/bin/s5cmd")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds on the clock, with and without the start of the process, CPU, memory.

    ``server_cpu`` is the CPU time that the server used meanwhile.
    """

    wall: float
    inner: float
    cpu: float
    server_cpu: float
    peak_mib: float
    fetched: int = 0


@dataclass(frozen=True, slots=True)
class Client:
    """A client. ``command`` gets the endpoint, the key or prefix, and where files are or go to.

    ``rounds`` of 1 is for those that take minutes.
    """

    name: str
    command: Callable[[str, str, str], Sequence[str]]
    rounds: int = 3


def ours(name: str, action: str, rounds: int = 3) -> Client:
    """This project, see ``node``."""
    module = (sys.executable, "-m", "bench.s3.node", action)
    return Client(name, lambda endpoint, key, path: [*module, endpoint, key, path], rounds)


def boto(name: str, action: str) -> Client:
    """boto3, see ``boto``."""
    module = (sys.executable, "-m", "bench.s3.boto", action)
    return Client(name, lambda endpoint, key, path: [*module, endpoint, key, path], rounds=1)


def s5cmd_fetch(endpoint: str, key: str, path: str) -> list[str]:
    """Return the command of s5cmd that fetches a key or prefix."""
    source = f"s3://{BUCKET}/{key}*"
    return [str(S5CMD), "--log", "error", "--endpoint-url", endpoint, "cp", source, f"{path}/"]


def s5cmd_upload(endpoint: str, key: str, path: str) -> list[str]:
    """Return the command of s5cmd that stores a file."""
    target = f"s3://{BUCKET}/{key}"
    return [str(S5CMD), "--log", "error", "--endpoint-url", endpoint, "cp", path, target]


def run(client: Client, endpoint: str, key: str, path: Path) -> Run | None:
    """Run a client to its end; None when it does not come to one."""
    command = list(client.command(endpoint, key, str(path)))
    limited = ["timeout", "--kill-after=5", f"{LIMIT_SECONDS}", *command]
    launch = [sys.executable, "-m", "bench.s3.launch", *limited]
    before = server_cpu_seconds()
    done = subprocess.run(launch, stdout=subprocess.PIPE, check=False)
    if done.returncode == _TIMED_OUT:
        return None
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    server_cpu = server_cpu_seconds() - before
    taken = json.loads(done.stdout)
    said = json.loads(taken["said"]) if taken["said"].startswith("{") else {}
    wall = taken["wall"]
    inner = said.get("wall", wall)
    fetched = int(said.get("fetched", 0))
    return Run(wall, inner, taken["cpu"], server_cpu, taken["peak"], fetched)


def arrived(directory: Path) -> tuple[int, int]:
    """Return how many files a client fetched, and their bytes, and remove them."""
    places = sorted(directory.glob("execution-*"))
    files = [path for path in (places or [directory])[-1].rglob("*") if path.is_file()]
    sizes = [path.stat().st_size for path in files]
    shutil.rmtree(directory)
    return len(sizes), sum(sizes)
