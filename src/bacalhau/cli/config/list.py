"""`bacalhau config list` (spec cli.md 8.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import TABULAR_FLAGS, print_rows, print_value, to_json
from bacalhau.cli.table import Column, Fit
from bacalhau.cli.values import BOOL

if TYPE_CHECKING:
    from bacalhau.cli.session import Session
    from bacalhau.config import Key

_DESCRIPTION_WIDTH = 80
_PRETTY = Flag("pretty", BOOL, True, "Indent JSON.")


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    value: Any
    description: str
    is_document: bool = False

    @property
    def shown(self) -> str:
        """The value as Go prints it."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, list):
            return f"[{' '.join(map(str, self.value))}]"
        if self.is_document:
            return to_json(self.value).rstrip() if self.value else ""
        if isinstance(self.value, dict):
            pairs = " ".join(f"{name}:{self.value[name]}" for name in sorted(self.value))
            return f"map[{pairs}]"
        return str(self.value)


COLUMNS: tuple[Column[_Row], ...] = (
    Column("Key", lambda row: row.name),
    Column("Value", lambda row: row.shown),
    Column("Description", lambda row: row.description, _DESCRIPTION_WIDTH, Fit.SOFT),
)


def run(
    session: Session, *, arguments: tuple[str, ...], show_secrets: bool, output: str, **style: Any
) -> None:
    """Print the effective value of every key, as the settings of this call make it."""
    if output == "yaml":
        _print_document(session, with_secrets=show_secrets)
        return
    rows = _rows(session, with_secrets=show_secrets)
    if output == "json":
        entries = [
            {"Key": row.name, "Value": row.value, "Description": row.description} for row in rows
        ]
        print_value(session, entries, output=output, pretty=style["pretty"])
        return
    print_rows(session, COLUMNS, rows, output=output, **style)


def _print_document(session: Session, *, with_secrets: bool) -> None:
    from bacalhau.cli.yaml_text import dump_yaml
    from bacalhau.config.documents import nested

    session.write(dump_yaml(nested(session.settings, with_secrets=with_secrets)))
    session.say()


def _rows(session: Session, *, with_secrets: bool) -> list[_Row]:
    from bacalhau.config import KEYS
    from bacalhau.config.documents import plain, shown_value

    settings = session.settings

    def value(key: Key) -> Any:
        found = plain(key, shown_value(settings, key, with_secrets=with_secrets))
        return "" if found is None else found

    return [
        _Row(key.name, value(key), key.description, key.is_document)
        for key in sorted(KEYS, key=lambda key: key.name)
    ]


COMMAND = Command(
    "list",
    run,
    flags=(
        *(flag for flag in TABULAR_FLAGS if flag.long != "pretty"),
        _PRETTY,
        Flag("show-secrets", BOOL, False, "Show tokens and passwords."),
    ),
    arity=Arity(maximum=None),
    text="Show every configuration key with its effective value.",
    example="""\
# What a configuration file would have to say
bacalhau config list --output yaml""",
)
