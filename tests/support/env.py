"""Real processes: nodes that serve, and commands that speak to them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bacalhau.client import Client
from bacalhau.client.tls import Trust
from bacalhau.errors import BacalhauError
from tests.support.cli import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

COMMAND = (sys.executable, "-m", "bacalhau.cli.main")
_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0
_COMMAND_SECONDS = 60.0
_POLL_SECONDS = 0.05
_TAIL_LINES = 15


@dataclass
class Process:
    """A process in a group of its own, and the file that its output goes to."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    may_fail: bool = False

    @property
    def is_alive(self) -> bool:
        """True until it has ended."""
        return self.popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self.popen.send_signal(number)

    def kill_group(self) -> None:
        """End the process and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(timeout=_STOP_SECONDS)

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return f"--- {self.name} ({self.log.name})\n" + "\n".join(lines)


@dataclass
class Node(Process):
    """A process that serves. ``port`` is the API's."""

    port: int = 0

    def stop(self) -> int:
        """Ask the node to end, wait for it, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.popen.wait(timeout=_STOP_SECONDS)


@dataclass
class Env:
    """The processes of one test. Commands speak to the node that was started last."""

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def start_node(
        self, *flags: str, name: str = "node", port: int = 0, data: Path | None = None
    ) -> Node:
        """Start a node that is orchestrator and compute node, and wait until its API answers."""
        arguments = [
            *("serve", "--orchestrator", "--compute"),
            *("--data-dir", str(data or self.directory / name)),
            *("--api-host", "127.0.0.1", "--api-port", str(port)),
            *("-c", f"Publishers.Types.Local.Port={free_port()}"),
            *flags,
        ]
        return self._start(name, arguments)

    def start_devstack(self, *flags: str) -> Node:
        """Start several nodes in one process, without Docker, and wait until the API answers."""
        return self._start("devstack", ["devstack", "-c", "Engines.Disabled=docker", *flags])

    def _start(self, name: str, arguments: Sequence[str]) -> Node:
        process = self._spawn(name, arguments)
        node = Node(name=name, popen=process.popen, log=process.log)
        self.processes[-1] = node
        node.port = self.wait_until(lambda: _announced_port(node), "the node says where it is")
        self.wait_until(lambda: _answers(node.port, self.variables), "the API answers")
        self.variables["BACALHAU_API_PORT"] = str(node.port)
        return node

    def start_cli(self, *arguments: str, name: str = "cli") -> Process:
        """Start a command and leave it running."""
        return self._spawn(name, arguments, may_fail=True)

    def cli(self, *arguments: str, stdin: str = "", cwd: Path | None = None) -> Outcome:
        """Run a command to its end."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=cwd or self.directory,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def client(self) -> Client:
        """Return a client of the node that was started last."""
        return Client(port=int(self.variables["BACALHAU_API_PORT"]))

    def wait_until(
        self, condition: Callable[[], T | None], what: str, seconds: float = _READY_SECONDS
    ) -> T:
        """Wait until a condition gives something true, and return that.

        Fails at once when a process has crashed, and with the logs when time is up.
        """
        deadline = time.monotonic() + seconds  # noqa: TID251 - real processes, real time
        while not (value := condition()):
            self.check_processes()
            assert time.monotonic() < deadline, (  # noqa: TID251
                f"not within {seconds:g} s: {what}\n{self.tails()}"
            )
            time.sleep(_POLL_SECONDS)
        return value

    def check_processes(self) -> None:
        """Fail when a process has ended with an error that nobody expected."""
        for process in self.processes:
            code = process.popen.poll()
            crashed = code not in (None, 0, -signal.SIGKILL) and not process.may_fail
            assert not crashed, f"{process.name} ended with {code}\n{process.tail()}"

    def tails(self) -> str:
        """Return the last lines of all logs."""
        return "\n".join(process.tail() for process in self.processes)

    def close(self) -> None:
        """End everything that still runs."""
        for process in reversed(self.processes):
            process.kill_group()

    def _spawn(self, name: str, arguments: Sequence[str], *, may_fail: bool = False) -> Process:
        log = self.directory / f"{name}-{len(self.processes)}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                cwd=self.directory,
                start_new_session=True,
            )
        process = Process(name=name, popen=popen, log=log, may_fail=may_fail)
        self.processes.append(process)
        return process

    def environment(self) -> Mapping[str, str]:
        """The machine's variables without those that would change what is tested."""
        kept = {key: value for key, value in os.environ.items() if not _is_ours(key)}
        return {**kept, "HOME": str(self.directory), **self.variables}


@contextlib.contextmanager
def open_env(directory: Path) -> Iterator[Env]:
    """Offer an environment whose processes end with it; a node that crashed is an error."""
    env = Env(directory)
    try:
        yield env
        env.check_processes()
    finally:
        env.close()


def free_port() -> int:
    """Return a port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _announced_port(node: Node) -> int | None:
    match = re.search(r"export BACALHAU_API_PORT=(\d+)\n", node.log.read_text(errors="replace"))
    return int(match[1]) if match else None


def _answers(port: int, variables: Mapping[str, str]) -> bool:
    is_secure = variables.get("BACALHAU_API_TLS_USETLS") == "true"
    trust = Trust(is_blind=True) if is_secure else None
    try:
        with Client(port=port, timeout_seconds=5, trust=trust) as client:
            return client.alive() == "OK"
    except BacalhauError:
        return False


def _is_ours(variable: str) -> bool:
    return variable.startswith(("BACALHAU_", "AWS_")) or variable in (
        "DEBUG",
        "LOG_LEVEL",
        "NO_COLOR",
    )
