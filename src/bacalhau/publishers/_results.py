"""What publishers have in common: the archive of a results directory (spec storage.md 7.1)."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from bacalhau.errors import Code, TransientError, ValidationError
from bacalhau.lib.archives import pack_directory, regular_bytes
from bacalhau.ports import PublishedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bacalhau.lib.stopping import Stopped
    from bacalhau.models import Execution
    from bacalhau.ports import PublishProgress

log = structlog.get_logger()

ARCHIVE_SUFFIX = ".tar.gz"
_SHOWN_NAMES = 20
_PART_SUFFIX = ".part"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def archive_name(execution: Execution, component: str) -> str:
    """Return the file name of an execution's archive.

    Raises:
        ValidationError: the id, which came from the network, is no name of a file.
    """
    if not _SAFE_ID.fullmatch(execution.id):
        raise ValidationError(f"execution id {execution.id!r} is not valid", component=component)
    return f"{execution.id}{ARCHIVE_SUFFIX}"


def prepare_directory(directory: Path) -> None:
    """Make a directory for archives, and remove what earlier processes left unfinished in it."""
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(f".*{_PART_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def part_path(directory: Path, name: str) -> Path:
    """Return where an archive is written until it is complete."""
    return directory / f".{name}{_PART_SUFFIX}"


def pack(
    execution: Execution,
    results: Path,
    destination: Path,
    component: str,
    progress: PublishProgress,
    is_stopped: Stopped,
) -> tuple[PublishedFile, ...]:
    """Pack a results directory and return its files; blocks for as long as it takes.

    What an archive cannot hold safely, such as sockets and links that lead out, is left out.

    Raises:
        TransientError: the disk refuses; the archive is not left behind.
        StoppedError: nobody waits any more; the archive is not left behind.
    """
    with on_disk("packed", component):
        advance = progress.packing(regular_bytes(results, is_stopped))
        packed = pack_directory(results, destination, is_stopped, lambda count: advance(count, 0))
    warn_of_left_out(execution, packed.skipped)
    return tuple(
        PublishedFile(path=each.name, size_bytes=each.size_bytes, digest=each.digest)
        for each in packed.files
    )


@contextmanager
def on_disk(done: str, component: str) -> Iterator[None]:
    """Turn what the disk refuses into an error that says what could not be done to the results.

    Raises:
        TransientError: it refused.
    """
    try:
        yield
    except OSError as exc:
        raise TransientError(
            f"the results cannot be {done}: {exc.strerror or exc}",
            code=Code.DISK,
            component=component,
            hint="check the disk under the node's DataDir",
        ) from exc


def warn_of_left_out(execution: Execution, names: Sequence[str]) -> None:
    """Log which parts of the results could not be published."""
    if names:
        log.warning(
            "results_left_out",
            execution_id=execution.id,
            names=list(names[:_SHOWN_NAMES]),
            count=len(names),
        )
