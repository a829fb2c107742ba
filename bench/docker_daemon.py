"""A Docker daemon and an image for measurements: the machine's own, else one of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE_VARIABLE = "BENCH_IMAGE"
_OWN_IMAGE = "bacalhau-bench:busybox"
_BUSYBOX = Path("/bin/busybox")
_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_START_SECONDS = 30.0


@contextmanager
def image() -> Iterator[str | None]:
    """Yield an image with ``/bin/busybox``, or None where no container can run.

    ``BENCH_IMAGE`` names one that the daemon has; else it is made, and removed at the end. While
    the block runs, ``DOCKER_HOST`` names the daemon.
    """
    with _daemon() as is_there:
        given = os.environ.get(IMAGE_VARIABLE)
        if not is_there or given:
            yield given if is_there else None
        elif not _BUSYBOX.exists():
            yield None
        else:
            _import()
            try:
                yield _OWN_IMAGE
            finally:
                _docker("rmi", "--force", _OWN_IMAGE)


@contextmanager
def _daemon() -> Iterator[bool]:
    if shutil.which("docker") is None:
        yield False
    elif _answers():
        yield True
    elif os.geteuid() or not (program := shutil.which("dockerd", path=_PATH)):
        yield False
    else:
        with tempfile.TemporaryDirectory(prefix="bench-docker-") as work:
            yield from _private(program, Path(work))


def _private(program: str, work: Path) -> Iterator[bool]:
    """Start a daemon that touches neither bridge nor firewall, and stop it."""
    host = f"unix://{work}/socket"
    command = [
        program,
        *(f"--{name}={work}/{name}" for name in ("data-root", "exec-root", "pidfile")),
        *(f"--host={host}", "--bridge=none", "--iptables=false", "--ip6tables=false"),
    ]
    before = os.environ.get("DOCKER_HOST")
    with (work / "log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": _PATH})
    os.environ["DOCKER_HOST"] = host
    try:
        end = time.monotonic() + _START_SECONDS
        while not (is_there := _answers()) and child.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        yield is_there
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before
        child.terminate()
        child.wait()
        _unmount(work)


def _unmount(work: Path) -> None:
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = line.split()[1]
        if target.startswith(f"{work}/"):
            subprocess.run(["umount", "--lazy", target], check=True)


def _answers() -> bool:
    return _docker("version").returncode == 0


def _docker(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["docker", *arguments], check=False, capture_output=True)


def _import() -> None:
    with tempfile.TemporaryDirectory() as work:
        archive = Path(work) / "image.tar"
        subprocess.run(["tar", "-C", "/", "-cf", str(archive), "bin/busybox"], check=True)
        subprocess.run(
            ["docker", "import", str(archive), _OWN_IMAGE], check=True, capture_output=True
        )
