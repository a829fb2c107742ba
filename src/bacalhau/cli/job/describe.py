"""`bacalhau job describe` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.output import plain_flags, print_value

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, arguments: tuple[str], output: str, pretty: bool) -> None:
    """Print a job with its history, executions and captured output."""
    with session.client() as client:
        answer = client.job(arguments[0], include=("executions", "history"))
    if output:
        print_value(session, answer, output=output, pretty=pretty)
        return
    from bacalhau.cli.views.describe import Page
    from bacalhau.lib.clock import SystemClock

    page = Page(
        answer,
        now_ns=SystemClock().now_ns(),
        colour=session.has_colour(session.stdout),
        debug=session.is_debug,
    )
    session.write(page.render())


COMMAND = Command(
    "describe",
    run,
    flags=plain_flags(""),
    arity=Arity("JOB", 1, 1),
    text="Show everything about a job. JOB is an id or the start of one.",
)
