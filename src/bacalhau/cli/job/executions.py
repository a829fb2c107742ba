"""`bacalhau job executions` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.output import TABULAR_FLAGS, print_rows
from bacalhau.cli.paging import paging_flags

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(
    session: Session,
    *,
    arguments: tuple[str],
    limit: int,
    next_token: str,
    order_by: str,
    order_reversed: bool,
    **form: Any,
) -> None:
    """Print the executions of a job."""
    from bacalhau.cli.views.jobs import EXECUTION_COLUMNS
    from bacalhau.client import Page

    with session.client() as client:
        answer = client.executions(arguments[0], Page(limit, next_token, order_by, order_reversed))
    print_rows(session, EXECUTION_COLUMNS, answer.items, **form)


COMMAND = Command(
    "executions",
    run,
    flags=(*paging_flags(20, ("created_at", "modified_at")), *TABULAR_FLAGS),
    arity=Arity("JOB", 1, 1),
    text="List the executions of a job. JOB is an id or the start of one.",
)
