"""What a node keeps about itself between starts, and the lock on its data directory."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bacalhau.errors import UserError
from bacalhau.lib.files import write_atomically
from bacalhau.models import NodeID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bacalhau.ports import Ids

_NAME_FILE = "node_id"
_LOCK_FILE = "node.lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a data directory for this process alone, creating it when it is missing.

    Raises:
        UserError: the directory cannot be written, or another node uses it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise UserError(
            f"data directory {directory} cannot be written: {exc.strerror}",
            code="ConfigurationError",
            hint="make it writable, or name another with --data-dir",
            fields=["DataDir"],
        ) from exc
    try:
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def node_id(directory: Path, configured: str, ids: Ids) -> NodeID:
    """Return the node's name: the one it was given at its first start, else a new one, kept."""
    path = directory / _NAME_FILE
    if path.exists():
        return NodeID(path.read_text(encoding="utf-8").strip())
    name = configured or f"n-{ids.uuid()}"
    write_atomically(path, name.encode(), 0o600)
    return NodeID(name)


def _lock(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise UserError(
            f"data directory {directory} is in use by another node",
            code="ConfigurationError",
            hint="stop that node, or name another directory with --data-dir",
            fields=["DataDir"],
        ) from exc
