"""`bacalhau node approve`, `reject` and `delete` (spec cli.md 8.9)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.values import STRING

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, action: str, arguments: tuple[str], message: str) -> None:
    """Ask the server to take a decision on a node.

    A server that refuses is told of on standard error and is no failure of the command: scripts
    repeat decisions, and rely on that.
    """
    node_id = arguments[0]
    with session.client() as client:
        answer = client.decide_node(node_id, action, message)
    if answer.success:
        session.say("Ok")
    else:
        session.note(f"Failed to {action} node {node_id}: {answer.error}")


def _command(action: str, text: str) -> Command:
    return Command(
        action,
        partial(run, action=action),
        flags=(Flag("message", STRING, "", "Why; kept with the decision.", short="m"),),
        arity=Arity("NODE", 1, 1),
        text=f"{text} NODE is an id or the start of one.",
    )


APPROVE = _command("approve", "Let a node take work.")
REJECT = _command("reject", "Give a node no work.")
DELETE = _command("delete", "Forget a node.")
