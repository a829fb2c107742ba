"""`bacalhau job history` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import TABULAR_FLAGS, print_rows
from bacalhau.cli.paging import paging_flags
from bacalhau.cli.values import STRING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session
    from bacalhau.client import Client
    from bacalhau.models.history import JobHistory


def run(
    session: Session,
    *,
    arguments: tuple[str],
    limit: int,
    next_token: str,
    order_by: str,
    order_reversed: bool,
    event_type: str,
    execution_id: str,
    node_id: str,
    no_style: bool,
    **form: Any,
) -> None:
    """Print the events of a job and of its executions."""
    from bacalhau.cli.views.events import history_columns
    from bacalhau.client import Page

    items: list[JobHistory] = []
    with session.client() as client:
        while True:
            page = Page(limit, next_token, order_by, order_reversed)
            answer = client.history(
                arguments[0], page, event_type=event_type, execution_id=execution_id
            )
            items += answer.items
            next_token = answer.next_token
            # A job that has not ended always has a token. Without a limit all of now is shown.
            if limit or not next_token or not answer.items:
                break
        if node_id:
            items = _of_node(client, arguments[0], node_id, items)
    colour = session.has_colour(session.stdout) and not no_style
    columns = history_columns(colour=colour, debug=session.is_debug)
    print_rows(session, columns, items, no_style=no_style, **form)


def _of_node(
    client: Client, job: str, node_id: str, items: Sequence[JobHistory]
) -> list[JobHistory]:
    """Return the events of executions on a node, named by its id or the start of one."""
    runs = client.executions(job).items
    there = {run.id for run in runs if run.node_id.startswith(node_id)}
    return [item for item in items if item.execution_id in there]


COMMAND = Command(
    "history",
    run,
    flags=(
        Flag("event-type", STRING, "all", "One of all, job, execution."),
        Flag("execution-id", STRING, "", "Show events of this execution only."),
        Flag("node-id", STRING, "", "Show events of executions on this node only."),
        *paging_flags(0, ("id",)),
        *TABULAR_FLAGS,
    ),
    arity=Arity("JOB", 1, 1),
    text="List what happened to a job. JOB is an id or the start of one.",
)
