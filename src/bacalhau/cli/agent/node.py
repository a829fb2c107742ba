"""`bacalhau agent node` (spec cli.md 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.output import plain_flags, print_value

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, output: str, pretty: bool) -> None:
    """Print the node that answers, with its labels, engines and capacity."""
    with session.client() as client:
        node = client.agent_node()
    print_value(session, node, output=output, pretty=pretty)


COMMAND = Command(
    "node",
    run,
    flags=plain_flags("yaml"),
    text="Show the node that answers: labels, engines, capacity.",
)
