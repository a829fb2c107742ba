"""Writing files so that a crash leaves the old or the new content, never a mixture."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ROOM_BYTES = 2**18
"""What a disk should still take for others to note what has happened."""


def write_atomically(path: Path, data: bytes, mode: int = 0o644, *, is_synced: bool = True) -> None:
    """Replace a file's content. ``mode`` is applied whatever the umask says.

    ``is_synced`` False saves two waits for the disk: the content outlives the process, but after
    a power cut it may be the old one, or nothing.

    Raises:
        OSError: the old file, if any, is still there, and nothing else is left behind.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if is_synced:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_room(directory: Path) -> None:
    """See that the disk of a directory takes ``ROOM_BYTES`` more; nothing is left there.

    That is tried: what counts as free may be kept for others, or beyond a quota.

    Raises:
        OSError: it does not take so much.
    """
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(bytes(ROOM_BYTES))
        file.flush()
