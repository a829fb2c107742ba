"""What a word of a command line can be completed to (spec cli.md 5).

The scripts of `bacalhau completion` call the hidden command ``__complete`` with all words up to the
cursor, the last of them incomplete or empty. It answers with a line for each candidate, a tab and
what it is, and with a last line ``:N``: how the shell is to go on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import click

from bacalhau.cli.command import Arity, Command, Group
from bacalhau.cli.flag import GLOBAL_FLAGS, HELP, Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bacalhau.cli.session import Session

_FILES, _NO_SPACE, _NO_FILES = 0, 2, 4
"""How a shell goes on: with file names where there is no candidate; these add up."""


class Completions(NamedTuple):
    """Candidates with what they are, and how the shell goes on."""

    candidates: Sequence[tuple[str, str]] = ()
    directive: int = _FILES


def complete(root: Group, words: Sequence[str]) -> Completions:
    """Return what the last word can become; case matters."""
    *before, current = words or [""]
    place = _Place(root)
    if not all(place.step(word) for word in before):
        return Completions()
    found = place.completions(current)
    matching = [pair for pair in found.candidates if pair[0].startswith(place.part(current))]
    return Completions(matching, found.directive if matching else found.directive & ~_NO_SPACE)


class _Place:
    """Where in a command line the cursor stands, found word by word as the parser reads them."""

    def __init__(self, root: Group) -> None:
        self._path: list[str] = []
        self._command: click.Command = root
        self._context = click.Context(root)
        self._pending: Flag | None = None
        self._arguments = 0
        self._is_behind_dashes = False

    def step(self, word: str) -> bool:
        """Take in a complete word; False where nothing can be said about what follows."""
        if self._pending is not None:
            self._pending = None
        elif self._is_flag(word):
            self._is_behind_dashes = word == "--"
            self._pending = self._awaiting(word)
        elif isinstance(self._command, Group):
            child = self._command.get_command(self._context, word)
            if child is None:
                return False
            self._path.append(word)
            self._command = child
        else:
            self._arguments += 1
        return True

    def part(self, current: str) -> str:
        """Return what of the incomplete word is to be completed: of ``--flag=x`` the ``x``."""
        if self._pending is None and self._is_flag(current) and current.startswith("--"):
            _, equals, value = current.partition("=")
            return value if equals else current
        return current

    def completions(self, current: str) -> Completions:
        """Return everything that could stand here."""
        if self._pending is not None:
            return _values(self._pending)
        if current.startswith("-") and not self._is_behind_dashes:
            name, equals, _ = current.partition("=")
            named = [flag for flag in self._flags() if equals and name == f"--{flag.long}"]
            return _values(named[0]) if named else self._flag_names()
        if isinstance(self._command, Group):
            entries, names = self._command.entries, self._command.list_commands(self._context)
            return Completions([(name, _text(entries[name])) for name in names], _NO_FILES)
        if self._path == ["config", "set"] and not self._arguments:
            return Completions(_keys(""), _NO_SPACE | _NO_FILES)
        return Completions()

    def _is_flag(self, word: str) -> bool:
        return word.startswith("-") and word != "-" and not self._is_behind_dashes

    def _flags(self) -> list[Flag]:
        own = self._command.flags if isinstance(self._command, Command) else ()
        return [*own, HELP, *GLOBAL_FLAGS]

    def _flag_names(self) -> Completions:
        shown = sorted((flag for flag in self._flags() if not flag.hidden), key=lambda f: f.long)
        names = [(f"--{flag.long}", flag) for flag in shown]
        names += [(f"-{flag.short}", flag) for flag in shown if flag.short]
        return Completions([(name, _first_line(flag.help)) for name, flag in names], _NO_FILES)

    def _awaiting(self, word: str) -> Flag | None:
        """Return the flag whose value is the next word."""
        flags = self._flags()
        if word.startswith("--"):
            found = [flag for flag in flags if word == f"--{flag.long}"]
            return next((flag for flag in found if not flag.kind.switch), None)
        by_letter = {flag.short: flag for flag in flags if flag.short}
        for position, letter in enumerate(word[1:], start=2):
            flag = by_letter.get(letter)
            if flag is None or not flag.kind.switch:
                return flag if position == len(word) else None
        return None


def _values(flag: Flag) -> Completions:
    if flag.long == "config":
        return Completions(_keys("="), _NO_SPACE)
    if flag.kind.words:
        return Completions([(word, "") for word in flag.kind.words], _NO_FILES)
    return Completions()


def _keys(suffix: str) -> list[tuple[str, str]]:
    from bacalhau.config.keys import KEYS

    return [(f"{key.name}{suffix}", _first_line(key.text)) for key in KEYS]


def _text(entry: object) -> str:
    return _first_line(getattr(entry, "text", ""))


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def run(session: Session, *, arguments: tuple[str, ...], described: bool) -> None:
    """Print the candidates for the last argument, and how to go on."""
    from bacalhau.cli.tree import ROOT

    found = complete(ROOT, arguments)
    for value, text in found.candidates:
        session.say(f"{value}\t{text}" if described and text else value)
    session.say(f":{found.directive}")


def _command(name: str, run: Callable[..., None]) -> Command:
    return Command(name, run, arity=Arity("", 0, None), text="Complete the last word.", raw=True)


COMMAND = _command("__complete", partial(run, described=True))
BARE = _command("__completeNoDesc", partial(run, described=False))
