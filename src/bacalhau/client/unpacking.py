"""Opening result archives, which anybody may have made (spec storage.md 8.3, security.md T-N8)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from bacalhau.client.failures import COMPONENT
from bacalhau.errors import Code, UserError
from bacalhau.lib.archives import (
    ArchiveError,
    ArchiveLimits,
    ArchiveTooLargeError,
    Extracted,
    extract,
    unpack,
)
from bacalhau.lib.units import format_bytes

_RATIO = 300
_ALWAYS_ALLOWED_BYTES = 1024**3
_LARGEST_FILE_BYTES = 100 * 10**9


def open_archive(
    archive: BinaryIO, name: str, size_bytes: int, tree: Path, *, only: str = ""
) -> Extracted:
    """Unpack an archive of a result into an empty folder, or only one path of it.

    After an error the folder is gone. An archive may grow to 300 times its size, a small one to a
    gigabyte, and never beyond what the disk has room for.

    Raises:
        UserError: code ``DamagedResult``: it is broken, or would write elsewhere, or grows beyond
            measure; code ``NoRoom``: it does not fit.
        OSError: the disk refuses.
    """
    free = shutil.disk_usage(tree).free
    grown = max(_ALWAYS_ALLOWED_BYTES, size_bytes * _RATIO)
    limits = ArchiveLimits(
        total_bytes=min(grown, free), file_bytes=_LARGEST_FILE_BYTES, read_bytes=grown
    )
    try:
        if only:
            return extract(archive, tree, only, limits)
        unpack(archive, tree, limits)
        return Extracted(is_found=True, names=())
    except ArchiveTooLargeError as exc:
        remove_tree(tree)
        raise _too_large(name, size_bytes, exc, free if free < grown else None, tree) from exc
    except ArchiveError as exc:
        remove_tree(tree)
        raise UserError(
            f"{name} is not a sound archive: {exc}",
            code=Code.DAMAGED_RESULT,
            hint="run the command again; if this repeats, look at the file with --raw",
            component=COMPONENT,
        ) from exc
    except BaseException:
        remove_tree(tree)
        raise


def remove_tree(tree: Path) -> None:
    """Remove a folder with everything in it, read-only folders included."""
    if not tree.is_dir() or tree.is_symlink():
        tree.unlink(missing_ok=True)
        return
    tree.chmod(0o700)
    for folder, folders, _ in os.walk(tree):
        for name in folders:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(tree)


def _too_large(
    name: str, size_bytes: int, error: ArchiveError, free: int | None, tree: Path
) -> UserError:
    if free is not None:
        return UserError(
            f"{name} does not fit on the disk of {tree.parent}, which has room for "
            f"{format_bytes(free)}: {error}",
            code=Code.NO_ROOM,
            hint="make room, or name a directory on another disk with --output-dir",
            component=COMPONENT,
        )
    return UserError(
        f"{name} has {format_bytes(size_bytes)} and grows beyond measure: {error}",
        code=Code.DAMAGED_RESULT,
        hint="--raw keeps it as it is; unpack it yourself where you trust it",
        component=COMPONENT,
    )
