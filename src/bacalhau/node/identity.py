"""The lock on a node's data directory, and the name that the node keeps there."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import Code, UserError
from bacalhau.models import NodeID
from bacalhau.node.metadata import open_metadata, write_metadata
from bacalhau.node.name_providers import check_name, provide_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bacalhau.config import Settings
    from bacalhau.ports import Ids

log = structlog.get_logger()

_LOCK_FILE = "node.lock"
_FORMER_NAME_FILE = "node_id"
_FOREIGN_STORES = ("orchestrator/state_boltdb.db", "compute/state_boltdb.db")


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a data directory for this process alone, creating it when it is missing.

    The lock ends with the process, however it ends. The file names the process that holds it.

    Raises:
        UserError: the directory cannot be written, or another process uses it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise _unwritable(directory, exc) from exc
    try:
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def node_id(directory: Path, settings: Settings, ids: Ids) -> NodeID:
    """Return the node's name: the one of its first start, else a given one, else a new one, kept.

    Raises:
        UserError: the directory is of another version or cannot be written, or there is no name.
    """
    metadata = open_metadata(directory, ids)
    configured = settings.text("NodeID")
    kept = metadata.node_name or _former_name(directory)
    if kept and configured not in ("", kept):
        log.warning(
            "node_keeps_its_name",
            node_id=kept,
            refused=configured,
            hint="a node has one name for ever; name another data directory for another node",
        )
    if configured and not kept:
        check_name(configured, "--name")
    name = kept or configured or provide_name(settings.text("NameProvider"), ids)
    if name != metadata.node_name:
        write_metadata(directory, replace(metadata, node_name=name))
        (directory / _FORMER_NAME_FILE).unlink(missing_ok=True)
    _tell_of_foreign_stores(directory)
    return NodeID(name)


def _former_name(directory: Path) -> str:
    """Return the name from where it was kept before there was ``system_metadata.yaml``."""
    path = directory / _FORMER_NAME_FILE
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _tell_of_foreign_stores(directory: Path) -> None:
    for name in _FOREIGN_STORES:
        if (directory / name).exists():
            log.warning(
                "store_of_another_program",
                file=str(directory / name),
                hint="it is neither read nor changed; this program has stores of its own",
            )


def _lock(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise UserError(
            f"data directory {directory} is in use by {_holder(descriptor)}",
            code=Code.CONFIGURATION,
            hint="stop that node, or name another directory with --data-dir",
            fields=["DataDir"],
        ) from exc
    except OSError as exc:
        raise _unwritable(directory, exc) from exc
    # For people; a full disk must not keep a node from starting.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _holder(descriptor: int) -> str:
    process = os.pread(descriptor, 32, 0).strip()
    return f"process {process.decode()}" if process.isdigit() else "another process"


def _unwritable(directory: Path, exc: OSError) -> UserError:
    reason = "it is not a directory" if isinstance(exc, FileExistsError) else exc.strerror
    return UserError(
        f"data directory {directory} cannot be written: {reason}",
        code=Code.CONFIGURATION,
        hint="make it writable, or name another with --data-dir",
        fields=["DataDir"],
    )
