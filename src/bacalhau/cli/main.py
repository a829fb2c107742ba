"""The way in and the way out of the program: arguments, errors, exit codes (spec cli.md 1)."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bacalhau.cli.reports import report, report_defect
from bacalhau.cli.session import Session
from bacalhau.cli.tree import ROOT
from bacalhau.errors import BacalhauError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0, or 1 for any error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        # Output of jobs and messages of servers may hold what this terminal cannot show.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    session = Session(_program_name())
    try:
        _read_environment_file()
    except BacalhauError as exc:
        report(session, exc)
        return 1
    return execute(session, sys.argv[1:] if arguments is None else arguments)


def execute(session: Session, arguments: Sequence[str]) -> int:
    """Run one command line within a session and return the exit code. Raises nothing."""
    try:
        with ROOT.make_context(session.program, list(arguments), obj=session) as context:
            ROOT.invoke(context)
        session.stdout.flush()
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except BacalhauError as exc:
        report(session, exc)
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough. What is still buffered must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 1
    except Exception as exc:
        report_defect(session, exc)
        return 1
    return 0


def _read_environment_file() -> None:
    """Set the variables of the file that ``DEVSTACK_ENV_FILE`` names, if there is one.

    Raises:
        UserError: the file cannot be read.
    """
    name = os.environ.get("DEVSTACK_ENV_FILE")
    if not name or not Path(name).is_file():
        return
    from bacalhau.cli.environment_file import read_variables

    os.environ.update(read_variables(Path(name)))


def _program_name() -> str:
    """Return what users type: the bare name where the shell finds this program by it."""
    started = sys.argv[0]
    if not started or Path(started).suffix == ".py":
        return "bacalhau"
    name = Path(started).name
    places = (Path(place) / name for place in os.environ.get("PATH", "").split(os.pathsep))
    first = next((place for place in places if place.exists()), None)
    return name if first == Path(started) else started


if __name__ == "__main__":
    sys.exit(main())
