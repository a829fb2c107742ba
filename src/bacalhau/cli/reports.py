"""Telling of errors on standard error (spec cli.md 1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.visible import visible

if TYPE_CHECKING:
    from bacalhau.cli.session import Session
    from bacalhau.errors import BacalhauError

_RED, _GREEN = "31", "32"


def report(session: Session, error: BacalhauError) -> None:
    """Print an error and its hint; with debugging on, also its details and where it was raised."""
    stderr = session.stderr
    session.note(f"\n{session.painted('Error: ', _RED, stderr)}{visible(error.message)}")
    if error.hint:
        session.note(f"{session.painted('Hint:  ', _GREEN, stderr)}{visible(error.hint)}")
    if session.is_debug:
        facts = {"code": error.code, "component": error.component, **error.details}
        session.note(
            "Details:\n" + "\n".join(visible(f"{key}: {value}") for key, value in facts.items())
        )
        _trace(session, error)


def report_defect(session: Session, error: Exception) -> None:
    """Print what nobody foresaw."""
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
