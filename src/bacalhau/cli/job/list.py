"""`bacalhau job list` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Command, Flag
from bacalhau.cli.output import TABULAR_FLAGS, print_rows
from bacalhau.cli.paging import paging_flags, requirements
from bacalhau.cli.values import STRING

if TYPE_CHECKING:
    from bacalhau.cli.session import Session

_DEFAULT_LABELS = "bacalhau_canary != true"


def run(
    session: Session,
    *,
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
    from bacalhau.cli.views.jobs import JOB_COLUMNS
    from bacalhau.client import Page

    page = Page(limit, next_token, order_by, order_reversed)
    with session.client() as client:
        answer = client.list_jobs(page, labels=wanted)
    print_rows(session, JOB_COLUMNS, answer.items, output=output, **form)
    if answer.next_token:
        command = f"bacalhau job list --limit {limit} --next-token {answer.next_token}"
        if labels != _DEFAULT_LABELS:
            from shlex import quote

            command += f" --labels {quote(labels)}"
        # Programs read the other formats, and this line is not for them.
        tell = session.say if output == "table" else session.note
        tell(f"\nTo fetch more records use:\n\t{command}")


COMMAND = Command(
    "list",
    run,
    flags=(
        Flag("labels", STRING, _DEFAULT_LABELS, "Show jobs whose labels meet this selector."),
        *paging_flags(10, ("id", "created_at", "modified_at")),
        *TABULAR_FLAGS,
    ),
    text="List jobs, oldest first.",
    example="""\
# The ten newest jobs
bacalhau job list --order-by created_at --order-reversed

# Jobs of one team, as JSON
bacalhau job list --labels 'team=data' --output json --pretty""",
)
