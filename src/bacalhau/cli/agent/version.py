"""`bacalhau agent version` (spec cli.md 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.output import plain_flags, print_value
from bacalhau.lib.build import go_time

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, output: str, pretty: bool) -> None:
    """Print which program the server is, in three lines or as an object."""
    with session.client() as client:
        version = client.version()
    if output:
        print_value(session, version, output=output, pretty=pretty)
        return
    session.say(f"Bacalhau {version.git_version}")
    session.say(f"BuildDate {go_time(version.build_date)}")
    session.say(f"GitCommit {version.git_commit}")


COMMAND = Command("version", run, flags=plain_flags(""), text="Show which program the server runs.")
