"""`bacalhau job logs` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.values import BOOL, STRING

if TYPE_CHECKING:
    from bacalhau.cli.session import Session
    from bacalhau.client import Client


def run(
    session: Session, *, arguments: tuple[str], follow: bool, tail: bool, execution_id: str
) -> None:
    """Print the output of a job as it arrives."""
    with session.client() as client:
        print_logs(session, client, arguments[0], execution_id, follow=follow, tail=tail)


def print_logs(
    session: Session,
    client: Client,
    job_id: str,
    execution_id: str = "",
    *,
    follow: bool,
    tail: bool = False,
) -> bool:
    """Write both streams of a job to standard output as they are.

    Returns False when Ctrl-C ended it, quietly.
    """
    lines = client.logs(job_id, execution_id=execution_id, follow=follow, tail=tail)
    try:
        for line in lines:
            session.write(line.line)
            session.stdout.flush()
    except KeyboardInterrupt:
        return False
    return True


COMMAND = Command(
    "logs",
    run,
    flags=(
        Flag("follow", BOOL, False, "Go on until the job ends.", short="f"),
        Flag("tail", BOOL, False, "Leave out what was written before.", short="t"),
        Flag("execution-id", STRING, "", "Show the output of this execution.", short="e"),
    ),
    arity=Arity("JOB", 1, 1),
    text="Show the output of a job. JOB is an id or the start of one.",
    example="""\
# What a job has written so far
bacalhau job logs j-51225160

# What it writes from now on
bacalhau job logs --follow --tail j-51225160""",
)
