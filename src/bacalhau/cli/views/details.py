"""What the nodes that ran a job have printed (spec cli.md 10.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.visible import visible
from bacalhau.models.ids import short_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bacalhau.models.execution import Execution


def node_details(executions: Iterable[Execution]) -> list[str]:
    """Return a line for each distinct message: which node, or how many runs on how many nodes."""
    by_message: dict[str, list[Execution]] = {}
    for run in executions:
        message = _message(run)
        if message:
            by_message.setdefault(message, []).append(run)
    return [f"• {_who(runs)}: {message}" for message, runs in by_message.items()]


def _message(run: Execution) -> str:
    output = run.run_output
    text = output.error_msg or (output.stderr if output.exit_code > 0 else output.stdout)
    if not text and run.is_discarded:
        text = run.compute_state.message
    return visible(text.strip())


def _who(runs: list[Execution]) -> str:
    nodes = {run.node_id for run in runs}
    if len(runs) == 1:
        return f"Node {short_id(runs[0].node_id)}"
    return f"{len(runs)} runs on {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}"
