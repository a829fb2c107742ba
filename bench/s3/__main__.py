"""Measure S3 transfers side by side and print one table: ``python -m bench.s3 [ROW ...]``."""

from __future__ import annotations

import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.s3 import store
from bench.s3.clients import Client, Run, arrived, boto, ours, run, s5cmd_fetch, s5cmd_upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DELAY_MILLISECONDS = 20
_MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a disk in memory, where files have names of their own
_ROOM_BYTES = 6 * 2**30
_UPLOADED = "uploaded"


@dataclass(frozen=True, slots=True)
class Load:
    """What is done by each client; the first after ``this project`` is what others are set beside.

    ``expected`` are files and bytes that have to arrive.
    """

    name: str
    key: str
    clients: Sequence[Client]
    expected: tuple[int, int]
    is_far: bool = False


OURS = ours("this project", "fetch")
SHARED = ours("the same, read-only mount", "share")
WARM = ours("the same, second execution", "again")
S5CMD = Client("s5cmd", s5cmd_fetch)
BOTO = boto("boto3", "fetch")
_LARGE_BYTES = store.LARGE_PARTS * store.PART_BYTES
_FETCHING = (OURS, SHARED, S5CMD, BOTO, WARM)
LOADS = {
    "large": Load("1 object of 1 GiB", store.LARGE, _FETCHING, (1, _LARGE_BYTES)),
    "small": Load(
        "10,000 objects of 4 KiB",
        store.SMALL,
        _FETCHING,
        (store.SMALL_COUNT, store.SMALL_COUNT * store.SMALL_BYTES),
    ),
    "medium": Load(
        "200 objects of 8 MiB",
        store.MEDIUM,
        _FETCHING,
        (store.MEDIUM_COUNT, store.MEDIUM_COUNT * store.PART_BYTES),
    ),
    "far": Load(
        f"2,000 objects of 4 KiB, {DELAY_MILLISECONDS} ms away",
        store.FEW,
        (OURS, SHARED, S5CMD, BOTO, boto("boto3, one after another", "serial")),
        (store.FEW_COUNT, store.FEW_COUNT * store.SMALL_BYTES),
        is_far=True,
    ),
    "upload": Load(
        "upload of 1 GiB",
        _UPLOADED,
        (
            ours("this project", "upload", 1),
            Client("s5cmd", s5cmd_upload, 1),
            boto("boto3", "upload"),
        ),
        (0, 0),
    ),
}


def main(names: list[str]) -> int:
    """Measure the rows of these names and return the exit code."""
    if unknown := set(names) - set(LOADS):
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(LOADS)}")
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-s3-") as server, _room() as work:
        print("filling the server ...", file=sys.stderr, flush=True)
        with store.running(Path(server)) as endpoint, _far(endpoint) as far:
            rows = [
                line
                for name in names or LOADS
                for line in _rows(LOADS[name], _measure(LOADS[name], endpoint, far, work))
            ]
        print(_table(rows))
        print(f"\nCeph RGW on the same machine; files go to {work.parent}. This project hashes all")
        print(
            "that it fetches (SHA-256), keeps it in its cache, and gives the task a copy, or with"
        )
        print("a read-only mount a link; s5cmd and boto3 neither hash nor keep.")
    return 0


@contextmanager
def _room() -> Iterator[Path]:
    """Give a directory on the disk named in BENCH_DIRECTORY, else in memory where it has room."""
    has_room = _MEMORY_DISK.is_dir() and shutil.disk_usage(_MEMORY_DISK).free >= _ROOM_BYTES
    place = os.environ.get("BENCH_DIRECTORY") or (str(_MEMORY_DISK) if has_room else None)
    with tempfile.TemporaryDirectory(prefix="bench-s3-", dir=place) as work:
        yield Path(work)


@contextmanager
def _far(endpoint: str) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.s3.far", endpoint.rpartition(":")[2]]
    with subprocess.Popen(
        [*command, str(DELAY_MILLISECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as proxy:
        assert proxy.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(proxy.stdout.readline())}"
        finally:
            proxy.terminate()


def _measure(load: Load, endpoint: str, far: str, work: Path) -> dict[str, list[Run]]:
    """Run all clients by turns."""
    taken: dict[str, list[Run]] = {client.name: [] for client in load.clients}
    for number in range(max(client.rounds for client in load.clients)):
        for client in load.clients:
            if number >= client.rounds:
                continue
            print(f"{load.name}: {client.name} ...", file=sys.stderr, flush=True)
            place = work / "files"
            place.mkdir()
            target = place
            if load.key == _UPLOADED:
                target = place / "file"
                target.write_bytes(os.urandom(store.PART_BYTES) * store.LARGE_PARTS)
            done = run(client, far if load.is_far else endpoint, load.key, target)
            if done is None:
                print(f"{client.name} did not end: left out", file=sys.stderr, flush=True)
                shutil.rmtree(place)
                continue
            taken[client.name].append(done)
            found = arrived(place)
            if load.key != _UPLOADED and found != load.expected:
                raise SystemExit(f"{client.name}: {found} arrived, not {load.expected}")
    return taken


def _rows(load: Load, taken: dict[str, list[Run]]) -> Iterator[list[str]]:
    beside = statistics.median([each.wall for each in taken["s5cmd"]] or [math.nan])
    serial = taken.get("boto3, one after another")
    for name, runs in taken.items():
        if not runs:
            continue
        wall = statistics.median(each.wall for each in runs)
        inner = statistics.median(each.inner for each in runs)
        is_again = name == WARM.name
        yield [
            load.name if name == OURS.name else "",
            name + (f" ({max(each.fetched for each in runs)} fetched)" if is_again else ""),
            "" if is_again else f"{wall:.2f}",
            f"{inner:.2f}",
            "" if is_again else f"{statistics.median(each.cpu for each in runs):.2f}",
            "" if is_again else f"{statistics.median(each.server_cpu for each in runs):.2f}",
            f"{max(each.peak_mib for each in runs):.0f}",
            f"{beside / (inner if is_again else wall):.2f} x",
            f"{serial[0].wall / wall:.1f} x" if serial else "",
        ]


def _table(rows: list[list[str]]) -> str:
    head = [
        "what",
        "client",
        "wall s",
        "in it s",
        "CPU s",
        "server's",
        "peak MiB",
        "speed / s5cmd",
        "/ serial",
    ]
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([texts[0], "  ".join("-" * width for width in widths), *texts[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
