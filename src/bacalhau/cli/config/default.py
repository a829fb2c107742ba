"""`bacalhau config default` (spec cli.md 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.values import STRING

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, path: str) -> None:
    """Print the defaults of all keys, whatever is set here."""
    from bacalhau.cli.yaml_text import dump_yaml
    from bacalhau.config import Settings
    from bacalhau.config.documents import nested

    settings = Settings.load({}, [f"DataDir={path}"] if path else [])
    session.write(dump_yaml(nested(settings)))


COMMAND = Command(
    "default",
    run,
    flags=(Flag("path", STRING, "", "The data directory that the file is to name."),),
    text="Print a configuration file with all defaults.",
    example="bacalhau config default > config.yaml",
)
