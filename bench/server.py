"""Servers that are measured: ours, and the original where its program is given."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGINAL_VARIABLE = "BACALHAU_V152"
READY_SECONDS = 60.0
STOP_SECONDS = 60.0
HYBRID = ("--orchestrator", "--compute")
ORCHESTRATOR = ("--orchestrator",)
_POLL_SECONDS = 0.003
_NODES = "/api/v1/orchestrator/nodes"


@dataclass(frozen=True, slots=True)
class Program:
    """A program with the command line of Bacalhau."""

    name: str
    command: tuple[str, ...]


OURS = Program("this", (sys.executable, "-m", "bacalhau.cli.main"))


def original() -> Program | None:
    """Return v1.5.2, where the environment names its program."""
    path = os.environ.get(ORIGINAL_VARIABLE)
    return Program("v1.5.2", (str(Path(path).resolve()),)) if path else None


def programs() -> list[Program]:
    """Return what is measured side by side."""
    other = original()
    return [OURS] if other is None else [OURS, other]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        alive_seconds: From the start of the process until it answered for the first time.
        joined_seconds: Until all compute nodes were connected; 0 where there is none.
        cpu_seconds: The CPU time that it had used when it first answered.
    """

    port: int
    pid: int
    alive_seconds: float
    joined_seconds: float
    cpu_seconds: float


@contextmanager
def running(
    program: Program, roles: tuple[str, ...] = HYBRID, directory: Path | None = None
) -> Iterator[Server]:
    """Run a server until the block is left. Without a directory it gets one that is removed."""
    nodes = 1 if "--compute" in roles else 0
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        port, settings = _settings()
        data = ("--data-dir", str(directory or Path(work) / "data"))
        command = [*program.command, *data, "serve", *roles, *settings]
        with _process(command, port, Path(work), nodes) as server:
            yield server


@contextmanager
def running_devstack(program: Program, nodes: int) -> Iterator[Server]:
    """Run an orchestrator with compute nodes of their own in one process."""
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        port, settings = _settings()
        command = [*program.command, "devstack", "--compute-nodes", str(nodes), *settings]
        with _process(command, port, Path(work), nodes) as server:
            yield server


@contextmanager
def _process(command: list[str], port: int, work: Path, nodes: int) -> Iterator[Server]:
    log = work / "log"
    with log.open("wb") as output:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=output, env=environment())
    try:
        yield _wait(child, port, started, log, nodes)
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def environment() -> dict[str, str]:
    """Return an environment in which no cloud is asked for credentials."""
    return {**os.environ, "AWS_EC2_METADATA_DISABLED": "true"}


def _settings() -> tuple[int, list[str]]:
    """Return the port of the API, and flags that keep all to this machine."""
    port, messages, results = _free_ports(3)
    settings = {
        "UpdateConfig.Interval": "0",
        "DisableAnalytics": "true",
        "Logging.Level": "warn",
        "Orchestrator.Host": "127.0.0.1",
        "Orchestrator.Port": messages,
        "Compute.Orchestrators": f"nats://127.0.0.1:{messages}",
        "Publishers.Types.Local.Address": "127.0.0.1",
        "Publishers.Types.Local.Port": results,
    }
    flags = ["--api-host", "127.0.0.1", "--api-port", str(port)]
    for key, value in settings.items():
        flags += ["-c", f"{key}={value}"]
    return port, flags


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait(
    child: subprocess.Popen[bytes], port: int, started: float, log: Path, nodes: int
) -> Server:
    from bench.machine import cpu_seconds

    def until(path: str, is_enough: Any) -> float:
        while not is_enough(_get(port, path)):
            if child.poll() is not None or time.perf_counter() - started > READY_SECONDS:
                raise SystemExit(f"the server does not start:\n{log.read_text()[-2000:]}")
            time.sleep(_POLL_SECONDS)
        return time.perf_counter() - started

    alive = until("/api/v1/agent/alive", bool)
    cpu = cpu_seconds(child.pid)
    joined = until(_NODES, lambda answer: _connected(answer) >= nodes) if nodes else 0.0
    return Server(port, child.pid, alive, joined, cpu)


def _get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return json.loads(response.read()) if response.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


def _connected(answer: Any) -> int:
    """Count the compute nodes that are connected."""
    nodes = (answer or {}).get("Nodes") or []
    return sum(
        node["Connection"] == "CONNECTED" and bool(node["Info"].get("ComputeNodeInfo"))
        for node in nodes
    )
