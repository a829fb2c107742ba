"""`bacalhau version` (spec cli.md 8.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import TABULAR_FLAGS, print_rows, print_value
from bacalhau.cli.table import Column
from bacalhau.cli.values import BOOL
from bacalhau.errors import BacalhauError
from bacalhau.lib.build import GIT_VERSION, build_fields

if TYPE_CHECKING:
    from bacalhau.cli.session import Session
    from bacalhau.models.node import BuildVersionInfo

_SERVER_SECONDS = 3.0


def run(
    session: Session,
    *,
    client: bool,
    output: str,
    pretty: bool,
    hide_header: bool,
    no_style: bool,
    wide: bool,
) -> None:
    """Print the version of this program, and that of the server when it answers."""
    server = None if client else _ask_server(session)
    if output in ("json", "yaml"):
        versions: dict[str, object] = {"clientVersion": build_fields()}
        if server is not None:
            versions["serverVersion"] = server
        print_value(session, versions, output=output, pretty=pretty)
        return
    row = {"client": GIT_VERSION}
    if server is not None:
        row["server"] = server.git_version
    row["Update Message"] = ""
    print_rows(
        session,
        [_column(name) for name in row],
        [row],
        output=output,
        pretty=pretty,
        hide_header=hide_header,
        no_style=no_style,
        wide=wide,
    )


def _column(name: str) -> Column[dict[str, str]]:
    return Column(name, lambda row: row[name])


def _ask_server(session: Session) -> BuildVersionInfo | None:
    """Return the server's version, or None when there is no server: that is no error here."""
    with session.client(timeout_seconds=_SERVER_SECONDS) as client:
        try:
            return client.version()
        except BacalhauError:
            return None


COMMAND = Command(
    "version",
    run,
    flags=(Flag("client", BOOL, False, "Show the client's version only."), *TABULAR_FLAGS),
    text="Show the versions of client and server.",
)
