"""`bacalhau agent alive` (spec cli.md 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.output import plain_flags, print_value

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, output: str, pretty: bool) -> None:
    """Ask the server and print what it says."""
    with session.client() as client:
        status = client.alive()
    print_value(session, {"Status": status}, output=output, pretty=pretty)


COMMAND = Command(
    "alive",
    run,
    flags=plain_flags("yaml"),
    text="Ask whether the server answers. A server in good order says OK.",
)
