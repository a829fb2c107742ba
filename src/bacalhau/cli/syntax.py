"""Splitting a command line into flags and positional arguments (spec cli.md 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bacalhau.cli.values import Kind


class FlagLike(Protocol):
    """What the parser needs to know of a flag. ``short`` is one letter, or empty."""

    @property
    def long(self) -> str:
        """The name behind two dashes."""
        ...

    @property
    def short(self) -> str:
        """The letter behind one dash."""
        ...

    @property
    def kind(self) -> Kind:
        """How values are read."""
        ...


@dataclass(slots=True)
class Parsed:
    """What a command line says: values by the long names of their flags, in order of appearance.

    ``late`` holds the flags that were given behind a positional argument.
    """

    values: dict[str, Any] = field(default_factory=dict)
    positionals: list[str] = field(default_factory=list)
    late: set[str] = field(default_factory=set)


def parse(
    arguments: Sequence[str],
    flags: Iterable[FlagLike],
    *,
    interspersed: bool = True,
    late_hint: str = "",
    gone: Mapping[str, str] | None = None,
) -> Parsed:
    """Read flags and positional arguments.

    Without ``interspersed`` everything from the first positional argument on is positional.
    ``late_hint`` goes with errors in flags that stand behind a positional argument. ``gone`` has a
    hint for each flag that there was once.

    Raises:
        UserError: an unknown flag, a missing value or one that cannot be read.
    """
    parser = _Parser(flags, interspersed=interspersed, late_hint=late_hint, gone=gone or {})
    return parser.run(arguments)


class _Parser:
    def __init__(
        self,
        flags: Iterable[FlagLike],
        *,
        interspersed: bool,
        late_hint: str,
        gone: Mapping[str, str],
    ) -> None:
        flags = list(flags)
        self._long = {flag.long: flag for flag in flags}
        self._short = {flag.short: flag for flag in flags if flag.short}
        self._interspersed = interspersed
        self._late_hint = late_hint
        self._gone = gone
        self._parsed = Parsed()
        self._rest: list[str] = []

    def run(self, arguments: Sequence[str]) -> Parsed:
        self._rest = list(arguments)
        while self._rest:
            argument = self._rest.pop(0)
            if argument == "--":
                self._take_rest()
            elif argument.startswith("--"):
                self._read_long(argument)
            elif argument.startswith("-") and argument != "-":
                self._read_short(argument)
            else:
                self._parsed.positionals.append(argument)
                if not self._interspersed:
                    self._take_rest()
        return self._parsed

    def _take_rest(self) -> None:
        self._parsed.positionals += self._rest
        self._rest = []

    def _read_long(self, argument: str) -> None:
        name, equals, value = argument[2:].partition("=")
        flag = self._long.get(name)
        if flag is None:
            raise self._failure(f"unknown flag: --{name}", self._gone.get(name, ""))
        if equals:
            self._set(flag, value)
        elif flag.kind.switch:
            self._set(flag, "true")
        elif self._rest:
            self._set(flag, self._rest.pop(0))
        else:
            raise self._failure(f"flag needs an argument: --{name}")

    def _read_short(self, argument: str) -> None:
        letters = argument[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = self._short.get(letter)
            if flag is None:
                raise self._failure(
                    f"unknown shorthand flag: '{letter}' in {argument}", self._long_hint(argument)
                )
            if letters.startswith("="):
                self._set(flag, letters[1:])
                return
            if flag.kind.switch:
                self._set(flag, "true")
                continue
            if not letters and not self._rest:
                raise self._failure(f"flag needs an argument: '{letter}' in {argument}")
            self._set(flag, letters or self._rest.pop(0))
            return

    def _set(self, flag: FlagLike, text: str) -> None:
        try:
            value = flag.kind.read(text)
        except ValueError as exc:
            name = f"-{flag.short}, --{flag.long}" if flag.short else f"--{flag.long}"
            raise self._failure(
                f'invalid argument "{text}" for "{name}" flag: {exc}',
                self._long_hint(f"-{flag.short}{text}") if flag.short else "",
            ) from exc
        old = self._parsed.values.get(flag.long)
        if flag.kind.gathers and old is not None:
            value = old | value if isinstance(old, dict) else old + value
        self._parsed.values[flag.long] = value
        if self._parsed.positionals:
            self._parsed.late.add(flag.long)

    def _long_hint(self, argument: str) -> str:
        """Return what helps when a long flag was written with one dash."""
        name = argument[1:].partition("=")[0]
        return f"names of more than one letter have two dashes: --{name}" * (name in self._long)

    def _failure(self, message: str, hint: str = "") -> UserError:
        hint = hint or (self._late_hint if self._parsed.positionals else "")
        return UserError(message, hint=hint, component="CLI")
