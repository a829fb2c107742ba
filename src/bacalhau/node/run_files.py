"""Small files that say what runs on this machine, and where its API is."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import Code, UserError
from bacalhau.lib.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.node.certificates import Certificate

_FULL = (errno.ENOSPC, errno.EDQUOT)

log = structlog.get_logger()


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
            code=Code.CONFIGURATION,
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


def exports(host: str, port: int, certificate: Certificate | None = None) -> str:
    """Return where an API is and how to speak to it, in lines that a shell can evaluate."""
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared
    lines = [f"export BACALHAU_API_HOST={host}", f"export BACALHAU_API_PORT={port}"]
    if certificate is not None:
        lines.append("export BACALHAU_API_TLS_USETLS=true")
        if certificate.is_self_signed:
            file = quote(str(certificate.certificate.absolute()))
            lines.append(f"export BACALHAU_API_TLS_CAFILE={file}")
    return "".join(f"{line}\n" for line in lines)


@contextmanager
def run_file(path: Path, content: str) -> Iterator[None]:
    """Keep a file of exports while a node runs; a node that was killed leaves it to the next.

    A disk that is full keeps no node from starting, and one that takes no writes any more none from
    stopping.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        write_atomically(path, content.encode(), 0o755)
    except OSError as exc:
        if exc.errno not in _FULL:
            raise UserError(
                f"{path} cannot be written: {exc.strerror}",
                code=Code.CONFIGURATION,
                hint="make its folder writable, or name another file with DEVSTACK_ENV_FILE",
                component="DataDir",
            ) from exc
        log.warning("run_file_not_written", path=str(path), error=exc.strerror)
    try:
        yield
    finally:
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            log.warning("run_file_left", path=str(path), error=exc.strerror)


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
            code=Code.CONFIGURATION,
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
