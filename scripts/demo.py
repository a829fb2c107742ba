"""The demo: a real job reads real S3 data, on this machine, from nothing.

Starts an S3 server with a small bucket and a node, counts the words below a prefix with the
command that a user would type, downloads the result and checks it. Everything lives in a temporary
directory and is gone at the end. Run it with: make demo
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.testing import s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = Path("examples/wordcount/texts")
BUCKET = "texts"
READY_SECONDS = 30
BUSYBOX = Path("/bin/busybox")
IMAGE = "bacalhau-demo:busybox"


def main() -> int:
    """Run the demo and return 0 when every count is right."""
    started = time.monotonic()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bacalhau-demo-")))
        module = _build(work)
        say("An S3 server that checks signatures, with a bucket of text files:")
        endpoint = stack.enter_context(s3_server.running(work / "s3"))
        s3_server.upload(endpoint, BUCKET, TEXTS)
        print(f"  {endpoint}/{BUCKET}: {', '.join(sorted(expected()))}\n")
        environment = {**os.environ, **s3_server.environment()}
        environment |= stack.enter_context(node(work / "data", environment))
        right = _count_words("WebAssembly", _wasm_command(module, endpoint), environment, work)
        if _docker_runs(work):
            command = _docker_command(endpoint)
            right &= _count_words("Docker", command, environment, work)
            subprocess.run(["docker", "rmi", "--force", IMAGE], check=True, capture_output=True)
        else:
            say("Docker does not run here, so the Docker variant is left out.")
    verdict = "All counts are right" if right else "COUNTS ARE WRONG"
    say(f"{verdict}; {time.monotonic() - started:.0f} s.")
    return 0 if right else 1


def say(text: str) -> None:
    """Print a line of explanation."""
    print(f"# {text}", flush=True)


def bacalhau(*arguments: str, environment: dict[str, str], cwd: Path | None = None) -> str:
    """Print and run a command of the CLI, show its output, and return it."""
    print(f"$ bacalhau {shlex.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "bacalhau.cli.main", *arguments]
    done = subprocess.run(
        command, env=environment, cwd=cwd, check=False, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit(f"the command failed with exit code {done.returncode}")
    return done.stdout


@contextmanager
def node(data: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Run a node, and yield the variables that point the CLI at it."""
    api, results = _free_port(), _free_port()
    arguments = [
        "serve", "--orchestrator", "--compute", "--data-dir", str(data),
        "--api-port", str(api), "-c", f"Publishers.Types.Local.Port={results}",
    ]  # fmt: skip
    say("A node: orchestrator and compute node in one process.")
    print(f"$ bacalhau {shlex.join(arguments)} &\n", flush=True)
    log = data.with_name("node.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bacalhau.cli.main", *arguments],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_alive(process, api, log)
        yield {"BACALHAU_API_HOST": "127.0.0.1", "BACALHAU_API_PORT": str(api)}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def expected() -> dict[str, tuple[int, int, int]]:
    """Count lines, words and bytes of each text, by its path."""
    counts = {}
    for path in sorted(TEXTS.rglob("*.txt")):
        data = path.read_bytes()
        name = path.relative_to(TEXTS).as_posix()
        counts[name] = (data.count(b"\n"), len(data.split()), len(data))
    return counts


def _build(work: Path) -> Path:
    say("The word counter, compiled from its source:")
    module = work / "wordcount.wasm"
    command = ["scripts/build_wasm.py", "examples/wordcount/wordcount.wat", "-o", str(module)]
    print(f"$ python {shlex.join(command)}\n", flush=True)
    subprocess.run([sys.executable, *command], check=True)
    return module


def _input(endpoint: str) -> str:
    return f"src=s3://{BUCKET}/,dst=/inputs,opt=endpoint={endpoint},opt=region={s3_server.REGION}"


def _wasm_command(module: Path, endpoint: str) -> list[str]:
    return ["wasm", "run", "-i", _input(endpoint), "-p", "local", str(module)]


def _docker_command(endpoint: str) -> list[str]:
    count = "cd /inputs && find . -type f | sed 's|^./||' | sort | xargs wc > /outputs/counts.txt"
    return ["docker", "run", "-i", _input(endpoint), "-p", "local", IMAGE, "--", "sh", "-c", count]


def _count_words(engine: str, command: list[str], environment: dict[str, str], work: Path) -> bool:
    say(f"Count the words below a prefix of the bucket, with {engine}:")
    printed = bacalhau(*command, environment=environment)
    job = next(word for word in printed.split() if word.startswith("j-"))
    target = work / f"results-{engine}"
    target.mkdir()
    bacalhau("job", "get", job, "--output-dir", str(target), environment=environment)
    counts = target / "outputs" / "counts.txt"
    print(f"$ cat {counts}\n{counts.read_text()}", flush=True)
    return _parse(counts.read_text()) == expected()


def _parse(table: str) -> dict[str, tuple[int, int, int]]:
    rows = [line.split() for line in table.splitlines()]
    return {
        row[3]: (int(row[0]), int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 4 and row[0].isdigit() and row[3] != "total"
    }


def _docker_runs(work: Path) -> bool:
    """Make a small image out of this machine's busybox; False where there is no daemon or none."""
    docker = shutil.which("docker")
    if docker is None or not BUSYBOX.exists():
        return False
    if subprocess.run([docker, "info"], check=False, capture_output=True).returncode:
        return False
    root = work / "image"
    (root / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for name in ("sh", "find", "sed", "sort", "wc", "xargs"):
        (root / "bin" / name).symlink_to("busybox")
    archive = work / "image.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    subprocess.run([docker, "import", str(archive), IMAGE], check=True, capture_output=True)
    return True


def _wait_until_alive(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/api/v1/orchestrator/nodes"
            ) as answer:
                if b'"CONNECTED"' in answer.read():
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    sys.exit(f"the node did not start:\n{log.read_text(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
