"""`bacalhau node list` (spec cli.md 8.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import TABULAR_FLAGS, print_rows
from bacalhau.cli.paging import check_word, paging_flags, requirements
from bacalhau.cli.values import STRING, STRINGS

if TYPE_CHECKING:
    from bacalhau.cli.session import Session

_ORDERS = (
    "id",
    "type",
    "approval",
    "status",
    "available_cpu",
    "available_memory",
    "available_disk",
    "available_gpu",
)
_APPROVALS = ("approved", "pending", "rejected")
_STATUSES = ("connected", "disconnected")


def run(
    session: Session,
    *,
    labels: str,
    limit: int,
    next_token: str,
    order_by: str,
    order_reversed: bool,
    show: list[str],
    filter_approval: str,
    filter_status: str,
    **form: Any,
) -> None:
    """Print the nodes of the cluster."""
    check_word("filter-approval", filter_approval, _APPROVALS)
    check_word("filter-status", filter_status, _STATUSES)
    wanted = requirements(labels)
    from bacalhau.cli.views.nodes import node_columns
    from bacalhau.client import Page

    with session.client() as client:
        answer = client.nodes(
            Page(limit, next_token, order_by, order_reversed),
            labels=wanted,
            approval=filter_approval,
            status=filter_status,
        )
    print_rows(session, node_columns(show), answer.nodes, **form)


COMMAND = Command(
    "list",
    run,
    flags=(
        Flag("labels", STRING, "", "Show nodes whose labels meet this selector."),
        Flag(
            "show",
            STRINGS,
            ["labels", "capacity"],
            "Groups of columns: labels, version, features, capacity.",
        ),
        Flag("filter-approval", STRING, "", "One of approved, pending, rejected."),
        Flag("filter-status", STRING, "", "One of connected, disconnected."),
        *paging_flags(0, _ORDERS),
        *TABULAR_FLAGS,
    ),
    text="List the nodes of the cluster.",
)
