"""`bacalhau devstack` (spec cli.md 8.4)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bacalhau.cli.command import Command
from bacalhau.cli.flag import NO_EFFECT, Flag
from bacalhau.cli.flags.node import OLD_STACK_FLAGS
from bacalhau.cli.values import INT, STRING

if TYPE_CHECKING:
    from bacalhau.cli.session import Session

_PREDICTABLE_PORT = 1234
_COUNTS = (
    ("requester-nodes", "orchestrators", 1, "Nodes that only schedule jobs."),
    ("compute-nodes", "computes", 3, "Nodes that only run jobs."),
    ("hybrid-nodes", "hybrids", 0, "Nodes that do both."),
    ("bad-compute-actors", "bad-computes", 0, "How many compute nodes fail whatever they run."),
)
"""Flags of v1.5, their names from v1.6 on, defaults, texts."""


def run(session: Session, *, stack_repo: str, **options: Any) -> None:
    """Run several nodes until a signal ends them."""
    session.is_node = True
    session.warn_without_effect("")
    environment = session.environment
    predictable = _PREDICTABLE_PORT if environment.get("PREDICTABLE_API_PORT") else 0
    settings = session.settings
    asked = settings.text("Logging.Level") if session.sets("Logging.Level") else ""
    port = settings.integer("API.Port") if session.sets("API.Port") else predictable
    counts = {}
    for old, new, _, _ in _COUNTS:
        name = new if new in session.given else old
        counts[new.replace("-", "_")] = options[name.replace("-", "_")]
    from bacalhau.node.devstack import StackPlan, run_devstack

    plan = StackPlan(
        **counts,
        port=port,
        log_level=asked or "debug",
        directory=Path(stack_repo).expanduser().absolute() if stack_repo else None,
        keeps_files=bool(environment.get("KEEP_STACK")),
        ignores_others=bool(environment.get("IGNORE_PID_AND_PORT_FILES")),
    )
    click.get_current_context().exit(run_devstack(settings, plan))


COMMAND = Command(
    "devstack",
    run,
    flags=(
        *(Flag(old, INT, default, text) for old, _, default, text in _COUNTS),
        *(Flag(new, INT, default, f"As --{old}.") for old, new, default, _ in _COUNTS),
        Flag("stack-repo", STRING, "", "Folder of the nodes' files, kept; else temporary."),
        Flag("webui-address", STRING, "", "Address of the web UI.", keys=(), deprecated=NO_EFFECT),
        Flag("cpu-profiling-file", STRING, "", "CPU profile.", keys=(), deprecated=NO_EFFECT),
        Flag("memory-profiling-file", STRING, "", "Memory profile.", keys=(), deprecated=NO_EFFECT),
        *OLD_STACK_FLAGS,
    ),
    text="Run an orchestrator and several compute nodes in one process, for trying things out.",
    example="""\
# An orchestrator and three compute nodes, gone without a trace at the end
bacalhau devstack

# One node that does everything, and two more, one of which fails
bacalhau devstack --requester-nodes 0 --hybrid-nodes 1 --compute-nodes 2 --bad-compute-actors 1""",
)
