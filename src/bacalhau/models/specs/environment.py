"""Names of environment variables that engines accept from a task (spec engines.md 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.models.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RESERVED_PREFIX = "BACALHAU_"


def env_problems(pairs: Iterable[tuple[str, str, str]]) -> Iterator[Problem]:
    """Judge variables, given as (name, value, JSON path)."""
    for name, value, path in pairs:
        if not name:
            yield Problem(path, "an environment variable has no name", "write KEY=value")
        elif is_reserved(name):
            yield Problem(
                path,
                f"environment variable '{name}' cannot start with {_RESERVED_PREFIX}",
                "choose another name; this prefix is for variables that the node sets",
            )
        elif "=" in name or "\0" in name or "\0" in value:
            yield Problem(path, f"environment variable {name!r} has a character that none can have")


def is_reserved(name: str) -> bool:
    """Tell whether only the node may set a variable, whatever the case."""
    return name.upper().startswith(_RESERVED_PREFIX)
