"""Making and removing the directories of executions."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from bacalhau.compute.failures import COMPONENT
from bacalhau.compute.output import disk_refused
from bacalhau.errors import ValidationError
from bacalhau.lib.files import write_atomically
from bacalhau.ports import Volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bacalhau.models import ResultPath

OUTPUT = "output"
"""Beside the directories of jobs, so no job can have this name."""

_BUFFER_BYTES = 256 * 1024
_KEPT_INPUTS = "inputs.json"
_MAKING_ATTEMPTS = 8
_RESERVED = frozenset({"stdout", "stderr", "exitCode"})
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")

log = structlog.get_logger()


class _KeptVolume(msgspec.Struct, frozen=True):
    path: str
    target: str
    read_only: bool


@contextlib.contextmanager
def disk(wanted: str) -> Iterator[None]:
    """Say what could not be done when the disk refuses.

    Raises:
        TransientError: in place of an OSError.
    """
    try:
        yield
    except OSError as exc:
        raise disk_refused(wanted, exc) from exc


def directory_name(identifier: str) -> str:
    """Return an identifier as a file name; it comes from the network, so it is not believed.

    Raises:
        ValidationError: it is no plain name.
    """
    if not _is_plain(identifier) or identifier == OUTPUT:
        raise ValidationError(
            f"{identifier!r} cannot be the name of a directory",
            hint="identifiers have letters, digits, '.', '_' and '-' only",
            component=COMPONENT,
        )
    return identifier


def make_output(results: Path, wanted: ResultPath) -> Volume:
    """Make the directory of a result path, writable for whichever user the task runs as.

    Raises:
        ValidationError: the name leads out of the results, or hides a file of theirs.
    """
    segments = wanted.name.removeprefix("/").split("/")
    if not all(_is_plain(segment) for segment in segments) or segments[0] in _RESERVED:
        raise ValidationError(
            f'"{wanted.name}" cannot be the name of a result path',
            hint="use letters, digits, '.', '_' and '-', but not stdout, stderr or exitCode",
            component=COMPONENT,
        )
    directory = results.joinpath(*segments)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o777)
    return Volume(path=directory, target=wanted.path)


def make_input(directory: Path) -> None:
    """Make an empty directory that any user may read."""
    _make(directory)
    directory.chmod(0o755)


def write_kept_inputs(input_root: Path, volumes: Sequence[Volume]) -> None:
    """Note that all inputs are prepared, and where they are.

    A killed process leaves the note. A power cut may not, but it ends the task, too.
    """
    kept = [_KeptVolume(str(each.path), each.target, each.read_only) for each in volumes]
    _make(input_root)
    write_atomically(input_root / _KEPT_INPUTS, msgspec.json.encode(kept), is_synced=False)


def read_kept_inputs(input_root: Path) -> tuple[Volume, ...] | None:
    """Return the inputs that were prepared to the end, or None."""
    try:
        written = (input_root / _KEPT_INPUTS).read_bytes()
        kept = msgspec.json.decode(written, type=list[_KeptVolume])
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return tuple(
        Volume(path=Path(each.path), target=each.target, read_only=each.read_only) for each in kept
    )


def write_list(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines into a file that has its name once it is complete.

    Raises:
        OSError: the disk refuses; all the same there are no lines left to go through.
    """
    part = path.with_name(f".{path.name}.part")
    remaining = iter(lines)
    try:
        _make(path.parent)
        with part.open("wb", buffering=_BUFFER_BYTES) as file:
            file.writelines(remaining)
        part.replace(path)
    except OSError:
        deque(remaining, maxlen=0)
        part.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Remove a tree that may be absent."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def discard(*paths: Path) -> None:
    """Remove trees. What cannot be removed, such as files of another user, waits for the sweep."""
    for path in paths:
        try:
            remove(path)
        except OSError as exc:
            log.warning("leftover_kept", path=str(path), error=str(exc))


def directories_in(parent: Path) -> list[Path]:
    """Return the directories in a directory, sorted; none when it is gone."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return []


def last_change_ns(directory: Path) -> int:
    """Return when the latest file in a directory was written; 0 when there is none."""
    if not directory.is_dir():
        return 0
    return max((path.stat().st_mtime_ns for path in directory.iterdir()), default=0)


def _make(directory: Path) -> None:
    """Make a directory, also while another execution of the job removes the parent they share."""
    for _ in range(_MAKING_ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            directory.mkdir(parents=True, exist_ok=True)
            return
    directory.mkdir(parents=True, exist_ok=True)


def _is_plain(name: str) -> bool:
    return _SEGMENT.fullmatch(name) is not None and name not in (".", "..")
