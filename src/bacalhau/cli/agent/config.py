"""`bacalhau agent config` (spec cli.md 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import plain_flags, print_value
from bacalhau.cli.values import BOOL

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, output: str, pretty: bool) -> None:
    """Print the configuration of the node that answers, without its secrets."""
    with session.client() as client:
        config = client.agent_config()
    print_value(session, config, output=output, pretty=pretty)


COMMAND = Command(
    "config",
    run,
    flags=(
        *(flag for flag in plain_flags("yaml") if flag.long != "pretty"),
        Flag("pretty", BOOL, True, "Indent JSON."),
    ),
    text="Show the configuration of the node that answers.",
)
