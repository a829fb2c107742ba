"""Two small files that say that a devstack runs: its process, and the port of its API."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.errors import UserError
from bacalhau.lib.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def claimed(*, ignores_others: bool) -> Iterator[None]:
    """Hold the place of this machine's only devstack, and leave no file behind.

    A file of a process that is gone is nobody's claim.

    Raises:
        UserError: another devstack runs, unless ``ignores_others``; or the file cannot be written.
    """
    path = _path("pid")
    other = _living_process(path)
    if other and not ignores_others:
        raise UserError(
            f"a devstack runs already, as process {other}",
            code="ConfigurationError",
            hint=f"stop it; or remove {path} if that process is something else; "
            "or set IGNORE_PID_AND_PORT_FILES=1",
            component="Devstack",
        )
    _write(path, os.getpid())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        _path("port").unlink(missing_ok=True)


def write_port(port: int) -> None:
    """Say where the API listens.

    Raises:
        UserError: the file cannot be written.
    """
    _write(_path("port"), port)


def _write(path: Path, number: int) -> None:
    try:
        write_atomically(path, str(number).encode())
    except OSError as exc:
        raise UserError(
            f"{path} cannot be written: {exc.strerror}",
            code="ConfigurationError",
            hint="remove it, or name another temporary folder with TMPDIR",
            component="Devstack",
        ) from exc


def _path(kind: str) -> Path:
    return Path(tempfile.gettempdir()) / f"bacalhau-devstack.{kind}"


def _living_process(path: Path) -> int:
    """Return the process that a file names, or 0 when there is none."""
    try:
        process = max(int(path.read_text()), 0)
    except (OSError, ValueError):
        return 0
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return 0
    except PermissionError:
        pass  # Somebody else's process lives too.
    return process
