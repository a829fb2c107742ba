"""`bacalhau serve` (spec cli.md 8.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bacalhau.cli.command import Command, Flag
from bacalhau.cli.values import BOOL, STRING

if TYPE_CHECKING:
    from bacalhau.cli.session import Session


def run(session: Session, *, orchestrator: bool | None, compute: bool | None, name: str) -> None:
    """Run a node until a signal ends it."""
    session.is_node = True
    roles = {"Orchestrator.Enabled": orchestrator, "Compute.Enabled": compute}
    for key, value in roles.items():
        if value is not None:
            session.set_key(key, "true" if value else "false")
    if name:
        session.set_key("NodeID", name)
    settings = session.settings
    if not any(settings.flag(key) for key in roles):
        session.note("Neither --orchestrator nor --compute is given: this node is an orchestrator")
        session.set_key("Orchestrator.Enabled", "true")
        settings = session.settings
    session.warn_without_effect("")
    from bacalhau.node import serve

    click.get_current_context().exit(serve(settings))


COMMAND = Command(
    "serve",
    run,
    flags=(
        Flag("orchestrator", BOOL, None, "Accept and schedule jobs (Orchestrator.Enabled)."),
        Flag("compute", BOOL, None, "Run jobs (Compute.Enabled)."),
        Flag("name", STRING, "", "The node's name, kept from its first start on."),
    ),
    text="Run a node: an orchestrator, a compute node, or both.",
    example="""\
# Everything in one process, for a first try
bacalhau serve --orchestrator --compute""",
)
