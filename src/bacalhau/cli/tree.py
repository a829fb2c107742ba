"""The tree of commands: names and one line each. What they do is imported when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Entry, Group

if TYPE_CHECKING:
    import click


def _entries(package: str, **texts: str) -> dict[str, Entry]:
    return {name: Entry(f"bacalhau.cli.{package}.{name}", text) for name, text in texts.items()}


class Root(Group):
    """The program itself."""

    def unknown(self, ctx: click.Context, name: str) -> None:
        """Refuse an unknown command and name those that look like it."""
        raise self.unknown_error(ctx, name)


def _deprecated(*names: str) -> dict[str, Entry]:
    return {
        name: Entry("bacalhau.cli.deprecated", "Deprecated.", name.upper(), hidden=True)
        for name in names
    }


_SHELLS = {"bash": "Bash", "fish": "fish", "powershell": "PowerShell", "zsh": "zsh"}

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
                config="Show the configuration of the node that answers.",
                node="Show the node that answers.",
                version="Show which program answers.",
            ),
        ),
        "completion": Group(
            "completion",
            "Print a script that makes a shell complete commands, flags and keys.",
            {
                shell: Entry("bacalhau.cli.completion", f"For {name}.", shell.upper())
                for shell, name in _SHELLS.items()
            },
        ),
        "config": Group(
            "config",
            "Look at and change the configuration.",
            _entries(
                "config",
                default="Print a configuration file with all defaults.",
                list="Show every key with its effective value.",
                set="Set one key in the configuration file.",
            )
            | {
                "auto-resources": Entry(
                    "bacalhau.cli.config.auto_resources",
                    "Set how much of this machine jobs may use.",
                )
            },
        ),
        "devstack": Entry("bacalhau.cli.devstack", "Run several nodes in one process."),
        "docker": Group(
            "docker",
            "Run containers.",
            _entries("docker", run="Run a container as a job."),
        ),
        "exec": Entry("bacalhau.cli.exec_command", "Run a Python or DuckDB program as a job."),
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
                validate="Check a job file.",
            )
            | {"exec": Entry("bacalhau.cli.exec_command", "Run a program.", hidden=True)},
        ),
        "node": Group(
            "node",
            "Look at the nodes of the cluster, and decide on them.",
            _entries("node", describe="Show everything about a node.", list="List nodes.")
            | {
                "approve": Entry("bacalhau.cli.node.decide", "Let a node take work.", "APPROVE"),
                "reject": Entry("bacalhau.cli.node.decide", "Give a node no work.", "REJECT"),
                "delete": Entry("bacalhau.cli.node.decide", "Forget a node.", "DELETE"),
            },
        ),
        "serve": Entry("bacalhau.cli.serve", "Run a node: orchestrator, compute node, or both."),
        "version": Entry("bacalhau.cli.version", "Show the versions of client and server."),
        "wasm": Group(
            "wasm",
            "Run WebAssembly modules.",
            _entries(
                "wasm",
                run="Run a WebAssembly module as a job.",
                validate="Check that a WebAssembly module can run.",
            ),
        ),
        **_deprecated("cancel", "create", "describe", "get", "id", "list", "logs", "validate"),
        "__complete": Entry("bacalhau.cli.completing", "Complete.", hidden=True),
        "__completeNoDesc": Entry("bacalhau.cli.completing", "Complete.", "BARE", hidden=True),
    },
)
