"""Printing values as table, CSV, JSON or YAML (spec cli.md 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from bacalhau.cli.flag import Flag
from bacalhau.cli.values import BOOL, PLAIN_FORMAT, TABULAR_FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session
    from bacalhau.cli.table import Column

Row = TypeVar("Row")

_PRETTY = Flag("pretty", BOOL, False, "Indent JSON.")
TABULAR_FLAGS = (
    Flag("output", TABULAR_FORMAT, "table", "One of table, csv, json, yaml."),
    _PRETTY,
    Flag("hide-header", BOOL, False, "Leave out the header line."),
    Flag("no-style", BOOL, False, "Leave out colours."),
    Flag("wide", BOOL, False, "Show values in full length."),
)


def plain_flags(default: str) -> tuple[Flag, ...]:
    """Return the flags of a command that prints one object; empty: a form of its own."""
    return (Flag("output", PLAIN_FORMAT, default, "One of json, yaml."), _PRETTY)


def print_rows(
    session: Session,
    columns: Sequence[Column[Row]],
    rows: Sequence[Row],
    *,
    output: str,
    pretty: bool,
    hide_header: bool,
    no_style: bool,
    wide: bool,
) -> None:
    """Print rows in the wanted form; JSON and YAML show the rows themselves, as a list."""
    if output in ("json", "yaml"):
        print_value(session, list(rows), output=output, pretty=pretty)
        return
    from bacalhau.cli.table import TableStyle, render_csv, render_table

    if output == "csv":
        session.write(render_csv(columns, rows, header=not hide_header))
        return
    colour = session.has_colour(session.stdout) and not no_style
    style = TableStyle(header=not hide_header, wide=wide, colour=colour)
    session.write(render_table(columns, rows, style))


def print_value(session: Session, value: Any, *, output: str, pretty: bool = False) -> None:
    """Print one value as JSON or YAML."""
    session.write(to_json(value, pretty=pretty) if output == "json" else to_yaml(value))


def to_json(value: Any, *, pretty: bool = False, indent: int = 2) -> str:
    """Return JSON on one line, or ``pretty`` on many; markup characters are escaped."""
    import msgspec

    encoded = msgspec.json.encode(value)
    if pretty:
        encoded = msgspec.json.format(encoded, indent=indent)
    text = encoded.decode()
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return f"{text}\n"


def to_yaml(value: Any) -> str:
    """Return YAML with sorted keys, derived from the JSON form."""
    import msgspec

    from bacalhau.cli.yaml_text import dump_yaml

    return dump_yaml(msgspec.to_builtins(value, enc_hook=str))
