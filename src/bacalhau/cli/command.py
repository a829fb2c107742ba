"""Commands and groups: click's structure with the original's syntax and texts.

click brings contexts, lazy groups and declarations. Parsing and error texts are ours, because
scripts know those of the original (spec cli.md 4, 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from bacalhau.cli.flag import GLOBAL_FLAGS, HELP, Flag
from bacalhau.cli.syntax import parse
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bacalhau.cli.session import Session
    from bacalhau.cli.syntax import Parsed


@dataclass(frozen=True, slots=True)
class Arity:
    """How many positional arguments a command takes. ``maximum`` None: any number."""

    usage: str = ""
    minimum: int = 0
    maximum: int | None = 0

    def check(self, path: str, arguments: Sequence[str]) -> None:
        """Refuse a wrong number.

        Raises:
            UserError: in the words of the original.
        """
        count = len(arguments)
        if self.maximum == 0 and count:
            raise UserError(f'unknown command "{arguments[0]}" for "{path}"', component="CLI")
        if self.maximum == self.minimum and count != self.minimum:
            message = f"accepts {self.minimum} arg(s), received {count}"
        elif count < self.minimum:
            message = f"requires at least {self.minimum} arg(s), only received {count}"
        elif self.maximum is not None and count > self.maximum:
            message = f"accepts at most {self.maximum} arg(s), received {count}"
        else:
            return
        raise UserError(message, component="CLI")


NOTHING = Arity()


class Command(click.Command):
    """A command without sub-commands.

    ``run`` is called with the session and every flag by its name, positional arguments as
    ``arguments``. ``late_hint`` goes with errors in flags behind a positional argument. ``gone``
    maps flags that there are no more to what to do instead. A ``raw`` command has no flags: all
    that stands behind its name are arguments.
    """

    def __init__(
        self,
        name: str,
        run: Callable[..., None],
        *,
        flags: Sequence[Flag] = (),
        arity: Arity = NOTHING,
        text: str,
        example: str = "",
        late_hint: str = "",
        gone: Mapping[str, str] | None = None,
        raw: bool = False,
    ) -> None:
        parameters: list[click.Parameter] = [*flags, HELP, *GLOBAL_FLAGS]
        super().__init__(name, params=parameters, help=text, add_help_option=False)
        self.run = run
        self.flags = tuple(flags)
        self.arity = arity
        self.example = example
        self.late_hint = late_hint
        self.gone = gone or {}
        self.raw = raw

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fill the context from a command line."""
        session: Session = ctx.obj
        if self.raw:
            ctx.params = {"arguments": tuple(args)}
            return []
        flags = (*self.flags, HELP, *GLOBAL_FLAGS)
        parsed = parse(args, flags, late_hint=self.late_hint, gone=self.gone)
        _apply(session, parsed, flags)
        if "config" in parsed.late:
            session.late_config_hint = self.late_hint
        if parsed.values.get("help"):
            _show_help(ctx)
        self.arity.check(ctx.command_path, parsed.positionals)
        ctx.params = {
            flag.long.replace("-", "_"): parsed.values.get(flag.long, flag.fallback)
            for flag in self.flags
            if flag.keys is None
        }
        session.given = frozenset(parsed.values)
        if self.arity is not NOTHING:
            ctx.params["arguments"] = tuple(parsed.positionals)
        return []

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        return self.run(ctx.obj, **ctx.params)

    def get_help(self, ctx: click.Context) -> str:
        """Return the help page."""
        from bacalhau.cli.help import command_page

        return command_page(
            ctx.command_path,
            usage=self.arity.usage,
            text=self.help or "",
            example=self.example,
            flags=self.flags,
            name=ctx.info_name or "",
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A sub-command as its group knows it: where it is, and what it does in one line.

    ``hidden`` ones work, and no page or completion names them.
    """

    module: str
    text: str
    attribute: str = "COMMAND"
    hidden: bool = False


class Group(click.Group):
    """Sub-commands that are imported when they are used."""

    def __init__(self, name: str, text: str, entries: Mapping[str, Entry | Group]) -> None:
        parameters: list[click.Parameter] = [HELP, *GLOBAL_FLAGS]
        super().__init__(
            name,
            params=parameters,
            help=text,
            add_help_option=False,
            invoke_without_command=True,
            no_args_is_help=False,
        )
        self.entries = dict(entries)
        self.text = text

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the sub-commands that are shown, sorted."""
        return sorted(name for name, entry in self.entries.items() if not entry.hidden)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a sub-command."""
        entry = self.entries.get(cmd_name)
        if isinstance(entry, Entry):
            command: click.Command = getattr(import_module(entry.module), entry.attribute)
            return command
        return entry

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read global flags up to the name of a sub-command."""
        parsed = parse(args, (HELP, *GLOBAL_FLAGS), interspersed=False)
        _apply(ctx.obj, parsed, GLOBAL_FLAGS)
        if parsed.values.get("help") or not parsed.positionals:
            _show_help(ctx)
        ctx.args = parsed.positionals
        return ctx.args

    def invoke(self, ctx: click.Context) -> Any:
        """Run a sub-command."""
        name, *rest = ctx.args
        command = self.get_command(ctx, name)
        if command is None:
            return self.unknown(ctx, name)
        with command.make_context(name, rest, parent=ctx) as inner:
            return command.invoke(inner)

    def unknown(self, ctx: click.Context, name: str) -> None:
        """Answer a name that is no sub-command: a group shows its help (spec cli.md 1.3).

        Raises:
            UserError: the name looks like that of a sub-command.
        """
        if self.similar(ctx, name):
            raise self.unknown_error(ctx, name)
        _show_help(ctx)

    def similar(self, ctx: click.Context, name: str) -> list[str]:
        """Return the sub-commands that look like a name."""
        from bacalhau.cli.spelling import is_near

        return [known for known in self.list_commands(ctx) if is_near(name, known)]

    def unknown_error(self, ctx: click.Context, name: str) -> UserError:
        """Return the error for a name that is no sub-command, with those that look like it."""
        message = f'unknown command "{name}" for "{ctx.command_path}"'
        if near := self.similar(ctx, name):
            message += "\n\nDid you mean this?\n" + "\n".join(f"\t{known}" for known in near)
        return UserError(message, component="CLI")

    def get_help(self, ctx: click.Context) -> str:
        """Return the help page."""
        from bacalhau.cli.help import group_page

        return group_page(
            ctx.command_path,
            text=self.text,
            commands={name: self.entries[name].text for name in self.list_commands(ctx)},
            name=ctx.info_name or "",
            is_root=ctx.parent is None,
        )


def _apply(session: Session, parsed: Parsed, flags: Iterable[Flag]) -> None:
    """Set the keys that flags stand for, and say of old flags what to use instead."""
    session.config_arguments += parsed.values.get("config", [])
    for flag in flags:
        if flag.long not in parsed.values:
            continue
        for key in flag.keys or ():
            session.set_key(key, flag.assigned(parsed.values[flag.long]), flag=flag.long)
        if flag.advice:
            session.note_once(f"Flag --{flag.long} has been deprecated, {flag.advice}")


def _show_help(ctx: click.Context) -> None:
    ctx.obj.write(ctx.get_help())
    ctx.exit(0)
