"""Writing files so that a crash leaves the old or the new content, never a mixture."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(
    path: Path, data: bytes, mode: int = 0o644, *, survives_power_cut: bool = True
) -> None:
    """Replace a file's content. ``mode`` is applied whatever the umask says.

    Without ``survives_power_cut`` the content is safe from the end of this process only: after a
    power cut the file may also be empty or absent.

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
            if survives_power_cut:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if survives_power_cut:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
