"""`bacalhau job list` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import TABULAR_FLAGS, print_rows
from bacalhau.cli.paging import paging_flags, requirements
from bacalhau.cli.values import STRING
from bacalhau.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session
    from bacalhau.cli.table import Column
    from bacalhau.models.job import Job

_DEFAULT_LABELS = "bacalhau_canary != true"


def run(
    session: Session,
    *,
    arguments: tuple[str, ...],
    id_filter: str,
    labels: str,
    limit: int,
    next_token: str,
    order_by: str,
    order_reversed: bool,
    output: str,
    **form: Any,
) -> None:
    """Print one page of jobs, and how to get the next one."""
    wanted = requirements(labels)
    reference = id_filter or (arguments[0] if arguments else "")
    if reference:
        print_rows(session, _columns(), _named(session, reference), output=output, **form)
        return
    from bacalhau.client import Page

    page = Page(limit, next_token, order_by, order_reversed)
    with session.client() as client:
        answer = client.list_jobs(page, labels=wanted)
    print_rows(session, _columns(), answer.items, output=output, **form)
    if answer.next_token:
        command = f"bacalhau job list --limit {limit} --next-token {answer.next_token}"
        if labels != _DEFAULT_LABELS:
            from shlex import quote

            command += f" --labels {quote(labels)}"
        # Programs read the other formats, and this line is not for them.
        tell = session.say if output == "table" else session.note
        tell(f"\nTo fetch more records use:\n\t{command}")


def _columns() -> Sequence[Column[Job]]:
    from bacalhau.cli.views.jobs import JOB_COLUMNS

    return JOB_COLUMNS


def _named(session: Session, reference: str) -> list[Job]:
    """Return the job of an id or of its beginning, if there is one."""
    with session.client() as client:
        try:
            return [client.job(reference).job]
        except NotFoundError:
            return []


COMMAND = Command(
    "list",
    run,
    flags=(
        Flag("labels", STRING, _DEFAULT_LABELS, "Show jobs whose labels meet this selector."),
        Flag("id-filter", STRING, "", "Show the job with this id, or whose id begins so."),
        *paging_flags(10, ("id", "created_at", "modified_at"), short="n"),
        *TABULAR_FLAGS,
    ),
    arity=Arity("", 0, 1),
    text="List jobs, oldest first; with JOB, an id or the start of one, that job alone.",
    example="""\
# The ten newest jobs
bacalhau job list --order-by created_at --order-reversed

# Jobs of one team, as JSON
bacalhau job list --labels 'team=data' --output json --pretty""",
)
