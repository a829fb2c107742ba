"""`bacalhau job list` (spec cli.md 8.8)."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import TABULAR_FLAGS, print_rows
from bacalhau.cli.paging import paging_flags, requirements
from bacalhau.cli.values import STRING
from bacalhau.errors import AmbiguousError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bacalhau.cli.session import Session
    from bacalhau.cli.table import Column
    from bacalhau.client import Client, Page
    from bacalhau.models.job import Job

_PAGE_SIZE = 1000
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
    from bacalhau.client import Page

    page = Page(limit, next_token, order_by, order_reversed)
    if reference:
        if "limit" not in session.given:
            page = replace(page, limit=0)
        found = _named(session, reference, page, wanted)
        print_rows(session, _columns(), found, output=output, **form)
        return
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


def _named(session: Session, reference: str, page: Page, labels: list[str]) -> list[Job]:
    """Return the job of an id, or all whose ids begin so, at most ``page.limit`` unless that is 0.

    Servers find one job by the beginning of its id; of several they tell that there are several.
    """
    with session.client() as client:
        try:
            return [client.job(reference).job]
        except NotFoundError:
            return []
        except AmbiguousError:
            starts = (reference, f"j-{reference}")
            jobs = _all_jobs(client, replace(page, limit=_PAGE_SIZE), labels)
            found = (job for job in jobs if job.id.startswith(starts))
            return list(islice(found, page.limit or None))


def _all_jobs(client: Client, page: Page, labels: list[str]) -> Iterator[Job]:
    while True:
        answer = client.list_jobs(page, labels=labels)
        yield from answer.items
        if not answer.next_token:
            return
        page = replace(page, next_token=answer.next_token)


COMMAND = Command(
    "list",
    run,
    flags=(
        Flag("labels", STRING, _DEFAULT_LABELS, "Show jobs whose labels meet this selector."),
        Flag("id-filter", STRING, "", "Show the jobs whose ids begin so."),
        *paging_flags(10, ("id", "created_at", "modified_at"), short="n"),
        *TABULAR_FLAGS,
    ),
    arity=Arity("", 0, 1),
    text="List jobs, oldest first; with JOB, an id or the start of some, those alone.",
    example="""\
# The ten newest jobs
bacalhau job list --order-by created_at --order-reversed

# Jobs of one team, as JSON
bacalhau job list --labels 'team=data' --output json --pretty""",
)
