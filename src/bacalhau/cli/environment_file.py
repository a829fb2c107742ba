"""Files of variables, as ``bacalhau serve`` writes them (spec cli.md 1.1)."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def read_variables(path: Path) -> dict[str, str]:
    """Return what the lines ``NAME=VALUE`` of a file set, with or without ``export`` before them.

    Values may be quoted as in a shell; nothing in them is expanded.

    Raises:
        UserError: code ``ConfigurationError``: the file cannot be read, or a line is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise _unusable(path, f"it cannot be read: {exc}") from exc
    variables = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise _unusable(path, f"line {number} is not NAME=VALUE")
        try:
            variables[match[1]] = "".join(shlex.split(match[2], comments=True))
        except ValueError as exc:
            raise _unusable(path, f"line {number}: {exc}") from exc
    return variables


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"the file of variables {path} cannot be used: {reason}",
        code=Code.CONFIGURATION,
        hint="correct it, or unset DEVSTACK_ENV_FILE",
        component="CLI",
    )
