"""Flags: what they are called, what they take, and those that every command has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bacalhau.cli.values import BOOL, INT, STRING, each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.values import Kind


class Flag(click.Option):
    """One flag, such as ``Flag("limit", UINT32, 10, "Most jobs to show.")``.

    A flag with ``deprecated`` advice works, is not shown in help, and says what to use instead.
    One with ``keys`` sets these configuration keys, of which there may be none, and its command
    does not see it; ``--config`` wins over it.
    """

    def __init__(
        self,
        long: str,
        kind: Kind,
        default: Any,
        text: str,
        *,
        short: str = "",
        is_global: bool = False,
        deprecated: str = "",
        shows_default: bool = True,
        keys: Sequence[str] | None = None,
    ) -> None:
        declared = [f"-{short}", f"--{long}"] if short else [f"--{long}"]
        super().__init__(
            [*declared, long.replace("-", "_")], is_flag=False, help=text, hidden=bool(deprecated)
        )
        self.long = long
        self.short = short
        self.kind = kind
        self.fallback = default
        self.is_global = is_global
        self.advice = deprecated
        self.shows_default = shows_default
        self.keys = keys

    def assigned(self, value: Any) -> str:
        """Return a value of this flag as a configuration key takes it."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, dict):
            return ",".join(f"{name}={text}" for name, text in value.items())
        return ",".join(value) if isinstance(value, list) else str(value)


NO_EFFECT = "it has no effect"


def advice(*keys: str) -> str:
    """Return what to use instead of a flag that sets these keys."""
    shown = " --config ".join(f"{key}=<value>" for key in keys)
    return f"Use --config {shown} to set this configuration" if keys else NO_EFFECT


def _old(long: str, kind: Kind, key: str, instead: str = "") -> Flag:
    text = f"As --config {key}."
    return Flag(
        long,
        kind,
        None,
        text,
        is_global=True,
        keys=(key,),
        deprecated=instead or advice(key),
    )


HELP = Flag("help", BOOL, False, "help for this command", short="h")
GLOBAL_FLAGS = (
    Flag(
        "api-host",
        STRING,
        None,
        "The host of the server (API.Host).",
        is_global=True,
        keys=("API.Host",),
    ),
    Flag(
        "api-port",
        INT,
        None,
        "The port of the server (API.Port).",
        is_global=True,
        keys=("API.Port",),
    ),
    Flag(
        "config",
        each("key=value", str),
        [],
        "Set one configuration key, or name a YAML file; may be repeated.",
        short="c",
        is_global=True,
    ),
    Flag(
        "data-dir",
        STRING,
        None,
        "The folder of everything that is kept.",
        is_global=True,
        keys=("DataDir",),
    ),
    _old("repo", STRING, "DataDir", "Use --data-dir=<path> to set this configuration"),
    _old("tls", BOOL, "API.TLS.UseTLS"),
    _old("cacert", STRING, "API.TLS.CAFile"),
    _old("insecure", BOOL, "API.TLS.Insecure"),
    _old("log-mode", STRING, "Logging.Mode"),
    _old("log-level", STRING, "Logging.Level"),
)
