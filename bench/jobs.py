"""The jobs that are measured, and what is done with them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import wasmtime

from bench.http import Connection

JOBS = "/api/v1/orchestrator/jobs"
CONNECTIONS = 16
WAIT_SECONDS = 300.0
_ENDED = frozenset({"Completed", "Failed", "Stopped"})
_QUEUE_SECONDS = 3600
# v1.5.2 refuses a module without a section of names.
_IDLE = '(module $idle (memory (export "memory") 1) (func $start (export "_start")))'


@cache
def wasm_job(count: int = 1, kind: str = "batch") -> bytes:
    """Return a request for a module that ends at once, to be run ``count`` times."""
    module = base64.b64encode(wasmtime.wat2wasm(_IDLE)).decode()
    source = {"Type": "inline", "Params": {"URL": f"data:application/wasm;base64,{module}"}}
    entry = {"Source": source, "Target": ""}
    return _request(
        {"Type": "wasm", "Params": {"EntryModule": entry, "Entrypoint": "_start"}},
        count=count,
        kind=kind,
    )


def docker_job(image: str, cpu: str = "") -> bytes:
    """Return a request for a container that says hello."""
    params = {"Image": image, "Parameters": ["/bin/busybox", "echo", "hello"]}
    return _request({"Type": "docker", "Params": params}, cpu)


def _request(engine: dict[str, Any], cpu: str = "", count: int = 1, kind: str = "batch") -> bytes:
    task: dict[str, Any] = {
        "Name": "main",
        "Engine": engine,
        "Network": {"Type": "None"},
        "Resources": {"CPU": cpu} if cpu else {},
        "Timeouts": {"QueueTimeout": _QUEUE_SECONDS},
    }
    job = {"Type": kind, "Namespace": "default", "Count": count, "Tasks": [task]}
    return json.dumps({"Job": job}).encode()


@dataclass(frozen=True, slots=True)
class Submitted:
    """Jobs that were accepted, and how many seconds each request took and all of them together."""

    ids: list[str]
    latencies: list[float]
    seconds: float

    @property
    def a_second(self) -> float:
        """How many were accepted in a second."""
        return len(self.ids) / self.seconds


async def submit(port: int, request: bytes, count: int) -> Submitted:
    """Submit a job ``count`` times over 16 connections at once."""
    ids: list[str] = []
    latencies: list[float] = []
    numbers = iter(range(count))

    async def worker(number: int) -> None:
        connection = Connection(port, number)
        for _ in numbers:
            started = time.perf_counter()
            answer = await connection.json("PUT", JOBS, request)
            latencies.append(time.perf_counter() - started)
            ids.append(answer["JobID"])
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(worker(number + 1) for number in range(CONNECTIONS)))
    return Submitted(ids, latencies, time.perf_counter() - started)


async def completed(port: int, ids: list[str], poll_seconds: float = 0.01) -> None:
    """Wait until all jobs are completed; one that ends otherwise ends the measurement."""
    connection = Connection(port, CONNECTIONS + 1)
    end = time.monotonic() + WAIT_SECONDS
    for job_id in ids:
        while (state := await _state(connection, job_id)) not in _ENDED:
            if time.monotonic() > end:
                raise SystemExit(f"job {job_id} is {state} after {WAIT_SECONDS:g} s")
            await asyncio.sleep(poll_seconds)
        if state != "Completed":
            raise SystemExit(f"job {job_id} is {state}")
    connection.close()


async def _state(connection: Connection, job_id: str) -> str:
    while True:
        status, content = await connection.request("GET", f"{JOBS}/{job_id}")
        if status == 200:
            return str(json.loads(content)["Job"]["State"]["StateType"])
        if status != 429:
            raise SystemExit(f"job {job_id}: {status} {content[:300]!r}")
        await asyncio.sleep(0.05)
