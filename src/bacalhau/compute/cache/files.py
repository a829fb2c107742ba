"""Files of the cache: hashing, copying, linking, sweeping. All functions block.

Below the cache's directory::

    index.db            what is known of each file
    objects/<ab>/<name> files, by the SHA-256 of their identity; incomplete ones, too, which the
                        index does not know
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from bacalhau.lib.stopping import StoppedError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from bacalhau.lib.stopping import Stopped
    from bacalhau.lib.tree import Tree

INDEX = "index.db"
OBJECTS = "objects"

UNLINKABLE = (errno.EXDEV, errno.EMLINK, errno.EPERM)
"""What a disk says that cannot give a file one more name."""

_FICLONE = 0x40049409
_STEP_BYTES = 8 * 1024 * 1024
_NO_KERNEL_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def make(directory: Path) -> None:
    """Make the directories that are missing; only this user may look into them."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    make_again(directory)


def make_again(directory: Path) -> None:
    """Make the directories anew if somebody removed them, but not what they are in.

    Raises:
        OSError: that is gone, too.
    """
    for path in (directory, directory / OBJECTS):
        path.mkdir(mode=0o700, exist_ok=True)


def place_of(directory: Path, name: str) -> Path:
    """Return where the file of a name is, or would be."""
    return directory / OBJECTS / name[:2] / name


def sweep(directory: Path, known: Collection[str]) -> set[str]:
    """Remove files that are not known, or not complete; return which known ones exist."""
    present = set()
    for shelf in (directory / OBJECTS).iterdir():
        for path in shelf.iterdir():
            if path.name in known:
                present.add(path.name)
            else:
                path.unlink()
        with suppress(OSError):  # something is in it
            shelf.rmdir()
    return present


def is_linked(directory: Path, name: str) -> bool:
    """Tell whether an execution has the same file, too."""
    try:
        return place_of(directory, name).stat().st_nlink > 1
    except OSError:
        return False


def digest_of(descriptor: int, is_stopped: Stopped) -> bytes:
    """Return the SHA-256 of an open file.

    Raises:
        StoppedError: nobody waits any more.
    """
    found = hashlib.sha256()
    buffer = memoryview(bytearray(1024 * 1024))
    position = 0
    while got := os.preadv(descriptor, [buffer], position):
        if is_stopped():
            raise StoppedError
        found.update(buffer[:got])
        position += got
    return found.digest()


def shares_blocks(directory: Path) -> bool:
    """Tell whether the disk can give a copy of a file without copying its bytes."""
    with TemporaryFile(dir=directory) as source, TemporaryFile(dir=directory) as target:
        try:
            fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
    return True


def copy_into(tree: Tree, source: int, name: str, path: str, is_stopped: Stopped) -> None:
    """Give a directory its own copy of an open file, sharing blocks where the disk can.

    Raises:
        StoppedError: nobody waits any more.
        OSError: the disk refuses.
    """
    target = tree.create(name)
    try:
        facts = os.fstat(source)
        copied = 0
        while copied < facts.st_size:
            if is_stopped():
                raise StoppedError
            step = _copy(source, target, copied, min(_STEP_BYTES, facts.st_size - copied))
            if not step:
                raise OSError(errno.EIO, "a file of the input cache became shorter")
            copied += step
        os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
        tree.place(name, path)
    except BaseException:
        tree.discard(name)
        raise
    finally:
        os.close(target)


def _copy(source: int, target: int, position: int, size_bytes: int) -> int:
    try:
        return os.copy_file_range(source, target, size_bytes, position, position)
    except OSError as exc:
        if exc.errno not in _NO_KERNEL_COPY:
            raise
    return os.pwrite(target, os.pread(source, min(size_bytes, 1024 * 1024), position), position)
