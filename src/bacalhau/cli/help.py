"""Help pages in the layout of the original (spec cli.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.flag import GLOBAL_FLAGS, Flag
from bacalhau.cli.values import BOOL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def command_page(
    path: str, *, usage: str, text: str, example: str, flags: Sequence[Flag], name: str
) -> str:
    """Return the page of a command; ``path`` is all that is typed up to its ``name``."""
    sections = [text, "Usage:\n  " + " ".join(filter(None, [path, usage, "[flags]"]))]
    if example:
        sections.append("Examples:\n" + _indented(example))
    sections.append("Flags:\n" + _flag_lines([*flags, _help_flag(name)]))
    sections.append("Global Flags:\n" + _flag_lines(GLOBAL_FLAGS))
    return "\n\n".join(sections) + "\n"


def group_page(
    path: str, *, text: str, commands: Mapping[str, str], name: str, is_root: bool
) -> str:
    """Return the page of a group; its own flags are the global ones at the root only.

    ``commands`` maps the names of the sub-commands that are shown to one line each.
    """
    width = max(map(len, commands)) + 1
    sections = [
        text,
        f"Usage:\n  {path} [command]",
        "Available Commands:\n"
        + "\n".join(f"  {known:<{width}} {line}" for known, line in commands.items()),
    ]
    if is_root:
        sections.append("Flags:\n" + _flag_lines([*GLOBAL_FLAGS, _help_flag(name)]))
    else:
        sections.append("Flags:\n" + _flag_lines([_help_flag(name)]))
        sections.append("Global Flags:\n" + _flag_lines(GLOBAL_FLAGS))
    sections.append(f'Use "{path} [command] --help" for more information about a command.')
    return "\n\n".join(sections) + "\n"


def _help_flag(name: str) -> Flag:
    return Flag("help", BOOL, False, f"help for {name}", short="h")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.strip("\n").split("\n"))


def _flag_lines(flags: Sequence[Flag]) -> str:
    shown = sorted((flag for flag in flags if not flag.hidden), key=lambda flag: flag.long)
    rows = [(_flag_name(flag), _flag_text(flag)) for flag in shown]
    width = max(len(name) for name, _ in rows)
    margin = "\n" + " " * (width + 3)
    return "\n".join(f"{name:<{width}}   {text.replace(chr(10), margin)}" for name, text in rows)


def _flag_name(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    return f"  {short}--{flag.long} {flag.kind.name}".rstrip()


def _flag_text(flag: Flag) -> str:
    value = flag.fallback
    if not value or not flag.shows_default:
        return flag.help or ""
    if flag.kind.switch:
        shown = "true"
    elif flag.kind.name == "string":
        shown = f'"{value}"'
    elif flag.kind.name == "strings":
        shown = "[" + ",".join(value) + "]"
    elif flag.kind.name == "duration":
        from bacalhau.lib.units import format_duration

        shown = format_duration(value)
    else:
        shown = str(value)
    return f"{flag.help} (default {shown})"
