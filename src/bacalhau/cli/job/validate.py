"""`bacalhau job validate` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.job.run import read_text
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from bacalhau.cli.session import Session

_DOCUMENTATION = "https://docs.bacalhau.org"


def run(session: Session, *, arguments: tuple[str, ...]) -> None:
    """Check a job file as far as that is possible without a server."""
    if len(arguments) > 1:  # "OK" would be said of the first alone
        message = f"accepts at most 1 arg(s), received {len(arguments)}"
        raise UserError(message, component="CLI")
    text = read_text(session, arguments[0])
    try:
        warnings = _warnings(text)
    except UserError:
        session.say("Error: the job provided is invalid")
        session.say(f"Job Specification: {_DOCUMENTATION}\n")
        raise
    for warning in warnings:
        session.say(warning)
    session.say("OK")


def _warnings(text: str) -> list[str]:
    """Return what would be dropped or changed.

    Raises:
        UserError: the job is invalid, with all problems.
    """
    from bacalhau.models.jobfile import load_job
    from bacalhau.models.submission import prepare
    from bacalhau.models.validate import raise_for, validate_submission

    job, warnings = load_job(text)
    raise_for(validate_submission(job))
    return [*warnings, *prepare(job)[1]]


COMMAND = Command(
    "validate",
    run,
    arity=Arity("FILE", 1, None),
    text="Check a job file without submitting it. Templates are not filled in.",
    example="bacalhau job validate job.yaml",
)
