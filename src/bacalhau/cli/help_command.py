"""`bacalhau help [COMMAND]` (spec cli.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bacalhau.cli.command import Arity, Command

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, arguments: tuple[str, ...]) -> None:
    """Show the page of the named command, or the root's when there is none."""
    context = click.get_current_context().find_root()
    for name in arguments:
        command = context.command
        found = command.get_command(context, name) if isinstance(command, click.Group) else None
        if found is None:
            topic = " ".join(f"`{name}`" for name in arguments)
            session.say(f"Unknown help topic [{topic}]")
            context = context.find_root()
            break
        context = click.Context(found, info_name=name, parent=context, obj=session)
    session.write(context.command.get_help(context))


COMMAND = Command(
    "help",
    run,
    arity=Arity("[command]", 0, None),
    text="Show the help of a command.",
)
