"""`bacalhau completion SHELL` (spec cli.md 5)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.values import BOOL

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, shell: str, no_descriptions: bool) -> None:
    """Print the script."""
    from bacalhau.cli.completion_scripts import SCRIPTS

    name = Path(session.program).name
    script = (
        SCRIPTS[shell]
        .replace("@FUNCTION@", re.sub(r"\W", "_", name))
        .replace("@NAME@", name)
        .replace("@REQUEST@", "__completeNoDesc" if no_descriptions else "__complete")
    )
    session.write(script)


def _command(shell: str, name: str, example: str) -> Command:
    return Command(
        shell,
        partial(run, shell=shell),
        flags=(Flag("no-descriptions", BOOL, False, "Show candidates without what they are."),),
        text=f"Print the completion script for {name}.",
        example=example,
    )


BASH = _command(
    "bash",
    "Bash",
    "# Complete in this shell, and with ~/.bashrc in all\nsource <(bacalhau completion bash)",
)
FISH = _command("fish", "fish", "# Complete in this shell\nbacalhau completion fish | source")
POWERSHELL = _command(
    "powershell",
    "PowerShell",
    "# Complete in this shell\nbacalhau completion powershell | Out-String | Invoke-Expression",
)
ZSH = _command("zsh", "zsh", "# Complete in this shell\nsource <(bacalhau completion zsh)")
