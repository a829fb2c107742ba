"""`bacalhau node describe` (spec cli.md 8.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.output import plain_flags, print_value

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, arguments: tuple[str], output: str, pretty: bool) -> None:
    """Print a node with its labels, engines and capacity."""
    with session.client() as client:
        node = client.node(arguments[0])
    print_value(session, node, output=output, pretty=pretty)


COMMAND = Command(
    "describe",
    run,
    flags=plain_flags("yaml"),
    arity=Arity("NODE", 1, 1),
    text="Show everything about a node. NODE is an id or the start of one.",
)
