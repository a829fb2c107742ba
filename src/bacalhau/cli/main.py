"""The way in and the way out of the program: arguments, errors, exit codes (spec cli.md 1)."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bacalhau.cli.session import Session
from bacalhau.cli.tree import ROOT
from bacalhau.errors import BacalhauError

if TYPE_CHECKING:
    from collections.abc import Sequence

_RED, _GREEN = "31", "32"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0, or 1 for any error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        # Output of jobs and messages of servers may hold what this terminal cannot show.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    session = Session(_program_name())
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
        _report(session, exc)
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough. What is still buffered must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 1
    except Exception as exc:
        _report_defect(session, exc)
        return 1
    return 0


def _program_name() -> str:
    """Return what users type: the bare name where the shell finds this program by it."""
    started = sys.argv[0]
    if not started or Path(started).suffix == ".py":
        return "bacalhau"
    name = Path(started).name
    places = (Path(place) / name for place in os.environ.get("PATH", "").split(os.pathsep))
    first = next((place for place in places if place.exists()), None)
    return name if first == Path(started) else started


def _report(session: Session, error: BacalhauError) -> None:
    stderr = session.stderr
    session.note(f"\n{session.painted('Error: ', _RED, stderr)}{error.message}")
    if error.hint:
        session.note(f"{session.painted('Hint:  ', _GREEN, stderr)}{error.hint}")
    if session.is_debug:
        facts = {"code": error.code, "component": error.component, **error.details}
        session.note("Details:\n" + "\n".join(f"{key}: {value}" for key, value in facts.items()))
        _trace(session, error)


def _report_defect(session: Session, error: Exception) -> None:
    stderr = session.stderr
    message = f"internal error: {type(error).__name__}: {error}"
    session.note(f"\n{session.painted('Error: ', _RED, stderr)}{message}")
    if session.is_debug:
        _trace(session, error)
    else:
        hint = "this is a defect of the program; DEBUG=true shows where it happened"
        session.note(f"{session.painted('Hint:  ', _GREEN, stderr)}{hint}")


def _trace(session: Session, error: Exception) -> None:
    import traceback

    session.note("Stack Trace:\n" + "".join(traceback.format_exception(error)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
