"""`bacalhau wasm validate` (spec cli.md 8.6)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.values import STRING
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, arguments: tuple[str], entry_point: str) -> None:
    """Say whether a node could run a module."""
    path = Path(arguments[0])
    try:
        binary = path.read_bytes()
    except OSError as exc:
        raise UserError(f'cannot read "{path}": {exc.strerror}', component="CLI") from exc
    from bacalhau.cli.wasm.check import check_module

    check_module(binary, entry_point)
    session.say("OK")


COMMAND = Command(
    "validate",
    run,
    flags=(Flag("entry-point", STRING, "_start", "Function of the module that is to be called."),),
    arity=Arity("FILE", 1, 1),
    text="Check, on this machine, that a WebAssembly module can run.",
    example="""\
# Check a module for WASI preview 1
bacalhau wasm validate main.wasm""",
)
