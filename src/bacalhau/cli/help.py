"""Help pages in the layout of the original (spec cli.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import GLOBAL_FLAGS, Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from bacalhau.cli.command import Command, Group


def command_help(ctx: click.Context, command: Command) -> str:
    """Return the page of a command."""
    usage = " ".join(filter(None, [ctx.command_path, command.arity.usage, "[flags]"]))
    sections = [command.help or "", f"Usage:\n  {usage}"]
    if command.example:
        sections.append("Examples:\n" + _indented(command.example))
    sections.append("Flags:\n" + _flag_lines([*command.flags, _help_flag(ctx)]))
    sections.append("Global Flags:\n" + _flag_lines(GLOBAL_FLAGS))
    return "\n\n".join(sections) + "\n"


def group_help(ctx: click.Context, group: Group) -> str:
    """Return the page of a group; its own flags are the global ones at the root only."""
    path = ctx.command_path
    names = group.list_commands(ctx)
    width = max(map(len, names)) + 1
    commands = [f"  {name:<{width}} {group.entries[name].text}" for name in names]
    sections = [
        group.text,
        f"Usage:\n  {path} [command]",
        "Available Commands:\n" + "\n".join(commands),
    ]
    if ctx.parent is None:
        sections.append("Flags:\n" + _flag_lines([*GLOBAL_FLAGS, _help_flag(ctx)]))
    else:
        sections.append("Flags:\n" + _flag_lines([_help_flag(ctx)]))
        sections.append("Global Flags:\n" + _flag_lines(GLOBAL_FLAGS))
    sections.append(f'Use "{path} [command] --help" for more information about a command.')
    return "\n\n".join(sections) + "\n"


def _help_flag(ctx: click.Context) -> Flag:
    from bacalhau.cli.values import BOOL

    return Flag("help", BOOL, False, f"help for {ctx.info_name}", short="h")


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
