"""The way in and the way out of the program: arguments, errors, exit codes (spec cli.md 1)."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session

_OUTPUT_FAILURES = frozenset(
    {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0, or 1 for any error."""
    # Nearly everything is imported below, where Ctrl-C ends the program without a word.
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _open_streams()
        return _start(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return 1


def _open_streams() -> None:
    """Replace streams that the caller has closed, and let the others take any text."""
    from pathlib import Path

    # Open for as long as the process lives.
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # Output of jobs and messages of servers may hold what this terminal cannot show.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _start(arguments: Sequence[str]) -> int:
    from bacalhau.cli.reports import report
    from bacalhau.cli.session import Session
    from bacalhau.errors import BacalhauError

    session = Session(_program_name())
    try:
        _read_environment_file()
    except BacalhauError as exc:
        report(session, exc)
        return 1
    return execute(session, arguments)


def execute(session: Session, arguments: Sequence[str]) -> int:
    """Run one command line within a session and return the exit code. Raises nothing."""
    from bacalhau.cli.reports import report
    from bacalhau.errors import UserError

    try:
        code = _run(session, arguments)
        session.stdout.flush()
    except OSError as exc:
        _discard_output()
        if exc.errno != errno.EPIPE:  # Whoever reads a pipe may have seen enough.
            hint = "make room, or write to another place"
            report(
                session,
                UserError(f"cannot write the output: {exc.strerror}", hint=hint, component="CLI"),
            )
        return 1
    except KeyboardInterrupt:
        return 1
    return code


def _run(session: Session, arguments: Sequence[str]) -> int:
    """Run a command line; return its exit code.

    Raises:
        OSError: standard output takes no more.
    """
    import click

    from bacalhau.cli.reports import report, report_defect
    from bacalhau.cli.tree import ROOT
    from bacalhau.errors import BacalhauError, UserError

    try:
        with ROOT.make_context(session.program, list(arguments), obj=session) as context:
            ROOT.invoke(context)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except BacalhauError as exc:
        _settle_output(session)
        report(session, exc)
        return 1
    except Exception as exc:
        if isinstance(exc, OSError) and exc.errno in _OUTPUT_FAILURES:
            raise
        _settle_output(session)
        if isinstance(exc, FileNotFoundError) and exc.filename is None:
            # What the system says to whoever makes a path absolute in such a place.
            message = "the working directory does not exist any more"
            report(session, UserError(message, hint="change to one that exists", component="CLI"))
        else:
            report_defect(session, exc)
        return 1
    return 0


def _settle_output(session: Session) -> None:
    """Write what is buffered, so that an error can be told also when nobody reads that."""
    try:
        session.stdout.flush()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Drop what standard output has not taken: it must not fail again when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _read_environment_file() -> None:
    """Set the variables of the file that ``DEVSTACK_ENV_FILE`` names, if there is one.

    Raises:
        UserError: the file cannot be read.
    """
    from pathlib import Path

    name = os.environ.get("DEVSTACK_ENV_FILE")
    if not name or not Path(name).is_file():
        return
    from bacalhau.cli.environment_file import read_variables

    os.environ.update(read_variables(Path(name)))


def _program_name() -> str:
    """Return what users type: the bare name where the shell finds this program by it."""
    from pathlib import Path

    started = sys.argv[0]
    if not started or Path(started).suffix == ".py":
        return "bacalhau"
    name = Path(started).name
    places = (Path(place) / name for place in os.environ.get("PATH", "").split(os.pathsep))
    first = next((place for place in places if place.exists()), None)
    return name if first == Path(started) else started


if __name__ == "__main__":
    sys.exit(main())
