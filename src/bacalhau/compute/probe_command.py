"""The operator's command that says whether to take a job (spec orchestration.md 6.2: S6).

The command line is the operator's; what comes from the job is data only, on standard input and in
one variable.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import structlog

from bacalhau.lib.units import format_duration

if TYPE_CHECKING:
    from typing import BinaryIO

VARIABLE = "BACALHAU_JOB_SELECTION_PROBE_DATA"
_MAX_VARIABLE_BYTES = 128 * 2**10
"""The longest that Linux lets one variable be, with its name and the zero at its end."""
_MAX_REASON_BYTES = 2_000

log = structlog.get_logger()


async def ask_command(command: str, payload: bytes, *, limit_seconds: float) -> str:
    """Return why the command does not want the job, or an empty text.

    A command that cannot be started, or takes too long, does not want it.

    Cancellation: the command is killed, with everything that it has started.
    """
    failure = f'this node does not accept jobs where external command "{command}"'
    with TemporaryFile() as stdin, TemporaryFile() as stderr:
        stdin.write(payload)
        stdin.seek(0)
        try:
            async with asyncio.timeout(limit_seconds):
                exit_code = await _run(command, _environment(payload), stdin, stderr)
        except TimeoutError:
            return f"{failure} takes longer than {format_duration(limit_seconds)}"
        except OSError as exc:
            log.warning("probe_not_started", command=command, error=str(exc))
            return f"{failure} cannot be started"
        if exit_code == 0:
            return ""
        stderr.seek(0)
        said = stderr.read(_MAX_REASON_BYTES).decode(errors="replace").strip()
    if said:
        return f"this node does not accept this job: {said}"
    return f"{failure} returns exit code {exit_code}"


async def _run(command: str, environment: dict[str, str], stdin: BinaryIO, stderr: BinaryIO) -> int:
    """Run a command to its end. Files instead of pipes: there is nothing to be kept waiting by."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", command),
        stdin=stdin,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _environment(payload: bytes) -> dict[str, str]:
    """Return nothing but the path and, where it fits, the payload."""
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    if len(VARIABLE) + 1 + len(payload) < _MAX_VARIABLE_BYTES:
        environment[VARIABLE] = payload.decode()
    return environment
