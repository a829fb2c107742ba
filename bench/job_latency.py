"""One small job from submit to Completed, as a multiple of `docker run --rm`, in one run.

Starts a node of its own. Repeat with: make bench
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.client import Client
from bacalhau.errors import TransientError
from bacalhau.models import Job, JobType, SpecConfig, Task
from bacalhau.models.jobfile import load_job

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 15
POLL_SECONDS = 0.002
READY_SECONDS = 30
HELLO = Path("examples/hello/job.yaml")
BUSYBOX = Path("/bin/busybox")
IMAGE = "bacalhau-bench:busybox"


def main() -> None:
    """Time the jobs and the bare container by turns, and print medians and ratios."""
    wasm, _ = load_job(HELLO.read_text())
    docker = _docker()
    with tempfile.TemporaryDirectory() as work, _node(Path(work)) as client:
        taken: dict[str, list[float]] = {}
        for _ in range(RUNS):
            _note(taken, "WebAssembly job", lambda: _run(client, wasm))
            if docker is not None:
                _note(taken, "Docker job", lambda: _run(client, _docker_job()))
                _note(taken, "docker run --rm", lambda: _bare(docker))
    _print(taken)
    if docker is None:
        print("Docker does not run here, so there is nothing to compare with.")
    else:
        subprocess.run([docker, "rmi", "--force", IMAGE], check=True, capture_output=True)


def _note(taken: dict[str, list[float]], name: str, work: object) -> None:
    assert callable(work)
    started = time.perf_counter()
    work()
    taken.setdefault(name, []).append(time.perf_counter() - started)


def _run(client: Client, job: Job) -> None:
    job_id = client.submit(job).job_id
    while not client.job(job_id).job.is_terminal:
        time.sleep(POLL_SECONDS)


def _docker_job() -> Job:
    params = {"Image": IMAGE, "Parameters": ["/bin/busybox", "echo", "hello"]}
    task = Task(name="main", engine=SpecConfig(type="docker", params=params))
    return Job(name="hello", type=JobType.BATCH, count=1, tasks=[task])


def _bare(docker: str) -> None:
    command = [docker, "run", "--rm", "--network=none", IMAGE, "/bin/busybox", "echo", "hello"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _docker() -> str | None:
    """Import a small image; None where there is no daemon or no busybox."""
    docker = shutil.which("docker")
    if docker is None or not BUSYBOX.exists():
        return None
    if subprocess.run([docker, "info"], check=False, capture_output=True).returncode:
        return None
    with tempfile.TemporaryDirectory() as work:
        archive = Path(work) / "image.tar"
        subprocess.run(["tar", "-C", "/", "-cf", str(archive), "bin/busybox"], check=True)
        subprocess.run([docker, "import", str(archive), IMAGE], check=True, capture_output=True)
    return docker


@contextmanager
def _node(work: Path) -> Iterator[Client]:
    api, results = _free_port(), _free_port()
    arguments = [
        "serve", "--orchestrator", "--compute", "--data-dir", str(work / "data"),
        "--api-port", str(api), "-c", f"Publishers.Types.Local.Port={results}",
    ]  # fmt: skip
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bacalhau.cli.main", *arguments],
            stdout=log,
            stderr=log,
            env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true"},
        )
    with Client(port=api) as client:
        try:
            _wait(client)
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _wait(client: Client) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            client.alive()
        except TransientError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the node did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _print(taken: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    bare = medians.get("docker run --rm")
    print(f"{'what':<28} {'median ms':>9} {'x docker run':>13}")
    for name, median in medians.items():
        ratio = f"{median / bare:>13.2f}" if bare else f"{'-':>13}"
        print(f"{name:<28} {median * 1000:>9.1f} {ratio}")


if __name__ == "__main__":
    main()
