"""The tree of commands: names and one line each. What they do is imported when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Entry, Group
from bacalhau.errors import UserError

if TYPE_CHECKING:
    import click


def _entries(package: str, **texts: str) -> dict[str, Entry]:
    return {name: Entry(f"bacalhau.cli.{package}.{name}", text) for name, text in texts.items()}


class Root(Group):
    """The program itself."""

    def unknown(self, ctx: click.Context, name: str) -> None:
        """Refuse an unknown command and name those that look like it."""
        message = f'unknown command "{name}" for "{ctx.command_path}"'
        near = [known for known in sorted(self.entries) if _is_near(name, known)]
        if near:
            message += "\n\nDid you mean this?\n" + "\n".join(f"\t{known}" for known in near)
        raise UserError(message, component="CLI")


def _is_near(typed: str, known: str) -> bool:
    return known.startswith(typed.lower()) or _edits(typed.lower(), known) <= 2


def _edits(one: str, other: str) -> int:
    """Return the Levenshtein distance of two texts."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, row = row, [i]
        for j, wanted in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted)))
    return row[-1]


ROOT = Root(
    "bacalhau",
    "Compute over data",
    {
        "agent": Group(
            "agent",
            "Ask the server about itself.",
            _entries(
                "agent",
                alive="Ask whether the server answers.",
                node="Show the node that answers.",
                version="Show which program answers.",
            ),
        ),
        "docker": Group(
            "docker",
            "Run containers.",
            _entries("docker", run="Run a container as a job."),
        ),
        "help": Entry("bacalhau.cli.help_command", "Show the help of a command."),
        "job": Group(
            "job",
            "Submit, look at and stop jobs.",
            _entries(
                "job",
                describe="Show everything about a job.",
                executions="List the executions of a job.",
                get="Download the results of a job.",
                history="List what happened to a job.",
                list="List jobs.",
                logs="Show the output of a job.",
                run="Run a job that a file describes.",
                stop="Stop a job.",
            ),
        ),
        "node": Group(
            "node",
            "Look at the nodes of the cluster.",
            _entries("node", list="List nodes."),
        ),
        "serve": Entry("bacalhau.cli.serve", "Run a node: orchestrator, compute node, or both."),
        "version": Entry("bacalhau.cli.version", "Show the versions of client and server."),
        "wasm": Group(
            "wasm",
            "Run WebAssembly modules.",
            _entries("wasm", run="Run a WebAssembly module as a job."),
        ),
    },
)
