"""Commands of the past, which only say what to use instead (spec cli.md 8.12)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from bacalhau.cli.command import Arity, Command

if TYPE_CHECKING:
    from bacalhau.cli.session import Session

SUCCEED_SWITCH = "BACALHAU_DEPRECATED_COMMANDS_SUCCEED"
"""The variable that brings back the exit code 0 of the original."""


def run(session: Session, *, name: str, instead: str, arguments: tuple[str, ...]) -> None:
    """Name the replacement and fail, so that a script does not take nothing for success."""
    del arguments
    session.note(f'Command "{name}" is deprecated, use `{session.program} {instead}`')
    succeed = session.environment.get(SUCCEED_SWITCH)
    click.get_current_context().exit(0 if succeed else 1)


def _command(name: str, instead: str) -> Command:
    return Command(
        name,
        partial(run, name=name, instead=instead),
        arity=Arity("", 0, None),
        text=f"Use `{instead}`.",
        raw=True,
    )


CANCEL = _command("cancel", "job stop")
CREATE = _command("create", "job run")
DESCRIBE = _command("describe", "job describe")
GET = _command("get", "job get")
ID = _command("id", "agent node")
LIST = _command("list", "job list")
LOGS = _command("logs", "job logs")
VALIDATE = _command("validate", "job validate")
