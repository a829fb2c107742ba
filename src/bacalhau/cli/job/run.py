"""`bacalhau job run` (spec cli.md 8.8, 11)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.job_template import TEMPLATE_FLAGS, expand
from bacalhau.cli.submission import RUNTIME_FLAGS, Runtime, invalid, submit
from bacalhau.cli.values import BOOL
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(
    session: Session,
    *,
    arguments: tuple[str, ...],
    show_warnings: bool,
    no_template: bool,
    template_vars: dict[str, str],
    template_envs: str,
    **options: Any,
) -> None:
    """Read a job and submit it."""
    from bacalhau.models.jobfile import load_job

    name = arguments[0] if arguments else "-"
    text = read_text(session, name)
    if not no_template:
        text = expand(
            text,
            "standard input" if name == "-" else name,
            template_vars=template_vars,
            template_envs=template_envs,
            environment=session.environment,
        )
    try:
        job, warnings = load_job(text)
    except UserError as exc:
        raise invalid(exc) from exc
    submit(session, job, warnings, Runtime.of(options), warn=show_warnings)


def read_text(session: Session, name: str) -> str:
    """Return the content of a job file; ``-`` is standard input.

    Raises:
        UserError: the file cannot be read, or is not text.
    """
    try:
        if name == "-":
            if session.stdin.isatty():
                session.note("Reading from /dev/stdin; send Ctrl-d to stop.")
            return session.stdin.read()
        return Path(name).read_text(encoding="utf-8")
    except OSError as exc:
        raise UserError(
            f'opening job file ("{name}"): {exc.strerror}',
            hint="give the path of a file that you may read; `-` is standard input",
            component="CLI",
        ) from exc
    except UnicodeDecodeError as exc:
        raise UserError(
            f'job file ("{name}") is not UTF-8 text: byte {exc.start + 1} is not',
            hint="save it as UTF-8 and try again",
            component="CLI",
        ) from exc


COMMAND = Command(
    "run",
    run,
    flags=(
        *RUNTIME_FLAGS,
        *TEMPLATE_FLAGS,
        Flag("show-warnings", BOOL, False, "Print what the server says about the job."),
    ),
    arity=Arity("[FILE]", 0, 1),
    text="Run the job that a YAML or JSON file describes; without a file, from standard input.",
    example="""\
# Run a job and wait for it
bacalhau job run job.yaml

# See the job as it would be submitted
bacalhau job run --dry-run job.yaml

# Fill in {{.greeting}} and every environment variable that begins with JOB_
bacalhau job run -V greeting=hello -E '^JOB_' job.yaml""",
)
