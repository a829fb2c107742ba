"""Questions to the person in front of the terminal (spec cli.md 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session


class Terminal:
    """Asks on standard error and reads standard input, which may be a pipe."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def choose(self, names: Sequence[str]) -> str:
        """Return one of several ways to log in; an empty text when none is wanted."""
        session = self._session
        session.note("How do you want to log in?")
        for number, name in enumerate(names, start=1):
            session.note(f"{number}. {name}")
        while True:
            answer = (self.ask("Choose a number", is_hidden=False) or "").strip()
            if not answer:
                return ""
            if answer.isdecimal() and 0 < int(answer) <= len(names):
                return names[int(answer) - 1]
            session.note(f"invalid choice: {answer}")

    def ask(self, name: str, *, is_hidden: bool) -> str | None:
        """Return a line of input, which is not shown where it is hidden; None at its end."""
        session = self._session
        if is_hidden and session.stdin.isatty():
            import getpass

            return getpass.getpass(f"{name}: ", session.stderr)
        session.stdout.flush()
        session.stderr.write(f"{name}: ")
        session.stderr.flush()
        line = session.stdin.readline()
        return line.rstrip("\r\n") if line else None

    def tell(self, text: str) -> None:
        """Say something on standard error."""
        self._session.note(text)
