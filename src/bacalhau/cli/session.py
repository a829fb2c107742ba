"""What every command has at hand: settings, a client, the three streams."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.client import Client
    from bacalhau.client.tls import Trust
    from bacalhau.config import Settings

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class Session:
    """One run of the program. Nothing is read, opened or connected before it is asked for.

    Attributes:
        program: The name the user typed, for texts that repeat it.
        given: The flags that the command line names, by their long names.
        late_config_hint: Goes with errors in a ``--config`` that stands behind an argument.
        is_node: Whether the settings are those of a node, which reads more variables.
        config_arguments: What ``--config`` was given, in order.
    """

    def __init__(
        self,
        program: str,
        *,
        environment: Mapping[str, str] | None = None,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.program = program
        self.environment = os.environ if environment is None else environment
        self.stdin = stdin or sys.stdin
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.given: frozenset[str] = frozenset()
        self.late_config_hint = ""
        self.is_node = False
        self.config_arguments: list[str] = []
        self._keys: dict[str, tuple[str, str]] = {}
        self._settings: Settings | None = None
        self._noted: set[str] = set()

    def set_key(self, key: str, value: object, *, flag: str = "") -> None:
        """Note a key that a flag of the command line sets; ``--config`` wins over it."""
        self._keys[key] = (str(value), flag)
        self._settings = None

    def sets(self, key: str) -> bool:
        """Tell whether the command line itself sets a key, by a flag or by ``--config``."""
        assigned = (text.partition("=")[0].strip().lower() for text in self.config_arguments)
        return key in self._keys or key.lower() in assigned

    @property
    def settings(self) -> Settings:
        """The effective settings; ``--config`` wins over other flags, and those over environment.

        Raises:
            UserError: code ``ConfigurationError``.
        """
        if self._settings is None:
            self._settings = self._load()
        return self._settings

    @property
    def flag_assignments(self) -> list[str]:
        """What flags other than ``--config`` set, as ``KEY=VALUE``."""
        return [f"{key}={value}" for key, (value, _) in self._keys.items()]

    def _load(self) -> Settings:
        from bacalhau.config import Settings
        from bacalhau.config.sources import split_arguments

        self._warn_of_conflicts()
        try:
            files, assignments = split_arguments(self.config_arguments)
            settings = Settings.find(
                self.environment,
                [*self.flag_assignments, *assignments],
                files,
                is_node=self.is_node,
            )
        except UserError as exc:
            if self.late_config_hint:
                exc.hint = f"{exc.hint}\n{self.late_config_hint}".strip()
            raise
        for warning in settings.warnings:
            self.note_once(f"Warning: {warning}")
        return settings

    def _assigned(self) -> set[str]:
        return {text.partition("=")[0].strip().lower() for text in self.config_arguments}

    def _warn_of_conflicts(self) -> None:
        assigned = self._assigned()
        for key, (_, flag) in self._keys.items():
            if flag and key.lower() in assigned:
                self.note_once(f"--{flag} has no effect: --config sets {key}")

    def warn_without_effect(self, *prefixes: str) -> None:
        """Tell which keys are set although nothing reads them yet."""
        for name in self.settings.without_effect:
            if name.startswith(prefixes):
                self.note_once(f"Warning: {name} is set, and has no effect in this version")

    def client(self, *, timeout_seconds: float | None = None) -> Client:
        """Return a client for the server that the settings name; it connects when it is used."""
        from bacalhau.cli.identity import identity_headers
        from bacalhau.cli.prompts import Terminal
        from bacalhau.client import Client
        from bacalhau.client.api import DEFAULT_TIMEOUT_SECONDS
        from bacalhau.client.credentials import Credentials
        from bacalhau.client.tokens import TokenFile
        from bacalhau.lib.build import build_headers

        host, directory = self.settings.text("API.Host"), self.settings.data_directory
        return Client(
            _ANY_ADDRESS.get(host, host),
            self.settings.integer("API.Port"),
            timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds,
            headers={**build_headers(), **identity_headers(directory, self.environment)},
            credentials=Credentials(
                TokenFile(directory / "tokens.json"), directory / "user_id.pem", Terminal(self)
            ),
            trust=self._trust(),
        )

    def _trust(self) -> Trust | None:
        """Return whose certificates count, or None where TLS is not spoken."""
        if not self.settings.flag("API.TLS.UseTLS"):
            return None
        from bacalhau.client.tls import Trust

        return Trust(
            ca_file=self.settings.text("API.TLS.CAFile"),
            is_blind=self.settings.flag("API.TLS.Insecure"),
        )

    def write(self, text: str) -> None:
        """Write data, as it is, to standard output."""
        self.stdout.write(text)

    def say(self, line: str = "") -> None:
        """Write a line to standard output."""
        self.stdout.write(f"{line}\n")
        self.stdout.flush()

    def note(self, line: str) -> None:
        """Write a line to standard error: progress, hints, warnings."""
        self.stdout.flush()
        self.stderr.write(f"{line}\n")
        self.stderr.flush()

    def note_once(self, line: str) -> None:
        """Write a line to standard error unless it was written before."""
        if line not in self._noted:
            self._noted.add(line)
            self.note(line)

    def warn(self, kind: str, text: str) -> None:
        """Tell of an ``Error`` or a ``Warning`` on standard error that does not end the command."""
        style = "1;31" if kind == "Error" else "1;33"
        self.note(f"\n{self.painted(f'{kind}: ', style, self.stderr)}{text}")

    @property
    def is_debug(self) -> bool:
        """True when the user wants all details of errors and events."""
        if self.environment.get("DEBUG", "").lower() == "true":
            return True
        level = self.environment.get("LOG_LEVEL", "")
        if self._settings is not None:
            level = self._settings.text("Logging.Level")
        return level.lower() in ("debug", "trace")

    def has_colour(self, stream: TextIO) -> bool:
        """True when a stream is a terminal and the user has not asked for plain text."""
        return stream.isatty() and not self.environment.get("NO_COLOR")

    def painted(self, text: str, code: str, stream: TextIO) -> str:
        """Return text in an ANSI style, or as it is where there is no colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colour(stream) else text
