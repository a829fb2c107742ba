"""`bacalhau job executions` (spec cli.md 8.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.output import TABULAR_FLAGS, print_rows
from bacalhau.cli.paging import check_word, paging_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.cli.session import Session
    from bacalhau.models.execution import Execution

_OWN_ORDERS: dict[str, Callable[[Execution], str]] = {
    "id": lambda execution: execution.id,
    "state": lambda execution: str(execution.compute_state.state_type),
}
"""Orders that servers of v1.5 do not know: the rows are sorted here."""
_ORDERS = ("created_at", "modified_at", *_OWN_ORDERS)
_SYNONYMS = ("create_time", "modify_time")


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
    from bacalhau.cli.views.jobs import execution_columns
    from bacalhau.client import Page

    check_word("order-by", order_by, (*_ORDERS, *_SYNONYMS))
    key = _OWN_ORDERS.get(order_by.lower())
    page = Page(limit, next_token, order_by, order_reversed)
    if key:
        page = Page(next_token=next_token)
    with session.client() as client:
        items = client.executions(arguments[0], page).items
    if key:
        items = sorted(items, key=key, reverse=order_reversed)[: limit or None]
    print_rows(session, execution_columns(items), items, **form)


COMMAND = Command(
    "executions",
    run,
    flags=(*paging_flags(20, _ORDERS), *TABULAR_FLAGS),
    arity=Arity("JOB", 1, 1),
    text="List the executions of a job. JOB is an id or the start of one.",
)
