"""`bacalhau serve` (spec cli.md 8.10)."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import click

from bacalhau.cli.command import Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.flags.node import GONE_SERVE_FLAGS, OLD_SERVE_FLAGS
from bacalhau.cli.values import BOOL, STRING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session


_ROLES = ("Orchestrator.Enabled", "Compute.Enabled")


def run(session: Session, *, name: str, node_type: Sequence[Sequence[str]]) -> None:
    """Run a node until a signal ends it."""
    session.is_node = True
    for key in chain.from_iterable(node_type):
        session.set_key(key, "true")
    if name:
        session.set_key("NodeID", name)
    settings = session.settings
    if not any(settings.flag(key) for key in _ROLES):
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
        Flag(
            "orchestrator",
            BOOL,
            None,
            "Accept and schedule jobs (Orchestrator.Enabled).",
            keys=("Orchestrator.Enabled",),
        ),
        Flag("compute", BOOL, None, "Run jobs (Compute.Enabled).", keys=("Compute.Enabled",)),
        Flag("name", STRING, "", "The node's name, kept from its first start on."),
        *OLD_SERVE_FLAGS,
    ),
    gone=GONE_SERVE_FLAGS,
    text="Run a node: an orchestrator, a compute node, or both.",
    example="""\
# Everything in one process, for a first try
bacalhau serve --orchestrator --compute""",
)
