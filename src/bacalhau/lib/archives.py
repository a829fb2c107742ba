"""Directories as tar.gz files, and back, without trusting either side (spec storage.md 7.1, 8.3).

Packing is deterministic: sorted members, numeric owner 0, no time of creation. What an archive of
ours contains, ``unpack`` accepts.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from bacalhau.lib._untar import (
    ArchiveError,
    ArchiveLimits,
    ArchiveTooLargeError,
    Extracted,
    extract,
    is_inner_link,
    unpack,
)
from bacalhau.lib.stopping import StoppedError, never

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bacalhau.lib.stopping import Stopped

__all__ = [
    "ArchiveError",
    "ArchiveLimits",
    "ArchiveTooLargeError",
    "Extracted",
    "Packed",
    "PackedFile",
    "extract",
    "is_inner_link",
    "open_regular",
    "pack_directory",
    "regular_bytes",
    "unpack",
    "walk",
]

_COMPRESSION_LEVEL = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedFile:
    """A regular file of an archive; ``digest`` is its SHA-256."""

    name: str
    size_bytes: int
    digest: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """What an archive holds, in its order, and the names that were left out."""

    files: tuple[PackedFile, ...]
    skipped: tuple[str, ...]


def regular_bytes(directory: Path, is_stopped: Stopped = never) -> int:
    """Return how much ``pack_directory`` will read: the sum of all files below a directory.

    Raises:
        OSError: something could not be read.
        StoppedError: nobody waits any more.
    """
    total = 0
    waiting = [os.fspath(directory)]
    while waiting:
        _go_on(is_stopped)
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def pack_directory(
    directory: Path,
    destination: Path,
    is_stopped: Stopped = never,
    advance: Callable[[int], None] = lambda _: None,
) -> Packed:
    """Write the content of a directory as a tar.gz file.

    Left out are sockets, pipes, devices, and links that are absolute or lead out of the directory.
    Blocks for as long as it takes; memory is bounded. The file is on disk when this returns.
    ``advance`` is told how many bytes of files have been read since the last call.

    Raises:
        OSError: something could not be read or written; ``destination`` is removed.
        StoppedError: nobody waits any more; ``destination`` is removed.
    """
    files: list[PackedFile] = []
    reading = _Reading(is_stopped, advance)
    skipped: list[str] = []
    try:
        with destination.open("wb") as file:
            with (
                gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, fileobj=file, mtime=0) as compressed,
                tarfile.open(fileobj=compressed, mode="w|", format=tarfile.GNU_FORMAT) as archive,
            ):
                for name, path in walk(directory):
                    if not _add(archive, name, path, files, reading):
                        skipped.append(name)
            file.flush()
            _go_on(is_stopped)
            os.fsync(file.fileno())
    except BaseException:
        destination.unlink(missing_ok=True)
        raise
    return Packed(files=tuple(files), skipped=tuple(skipped))


def walk(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name, path), parents first, siblings sorted; the directory itself is ``.``."""
    waiting: list[tuple[str, Path]] = [(".", directory)]
    while waiting:
        name, path = waiting.pop()
        yield name, path
        if stat.S_ISDIR(path.lstat().st_mode):
            prefix = "" if name == "." else f"{name}/"
            children = sorted(path.iterdir(), reverse=True)
            waiting.extend((prefix + child.name, child) for child in children)


def _go_on(is_stopped: Stopped) -> None:
    if is_stopped():
        raise StoppedError


def _add(
    archive: tarfile.TarFile,
    name: str,
    path: Path,
    files: list[PackedFile],
    reading: _Reading,
) -> bool:
    _go_on(reading.is_stopped)
    status = path.lstat()
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(status.st_mode)
    member.mtime = int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif stat.S_ISLNK(status.st_mode):
        member.type = tarfile.SYMTYPE
        member.linkname = str(path.readlink())
        if not is_inner_link(name, member.linkname):
            return False
        archive.addfile(member)
    elif stat.S_ISREG(status.st_mode):
        with open_regular(path) as file:
            member.size = os.fstat(file.fileno()).st_size
            hashing = _Hashing(file, reading)
            archive.addfile(member, hashing)
        digest = hashing.sha256.digest()
        files.append(PackedFile(name=name, size_bytes=member.size, digest=digest))
    else:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Reading:
    """Who waits for the files that are read."""

    is_stopped: Stopped
    advance: Callable[[int], None]


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO, reading: _Reading) -> None:
        self._file = file
        self._reading = reading
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Read the next bytes."""
        _go_on(self._reading.is_stopped)
        data = self._file.read(size)
        self.sha256.update(data)
        self._reading.advance(len(data))
        return data


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; what a link points to is not opened, and a pipe not waited for.

    Raises:
        OSError: it is a link, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    return os.fdopen(descriptor, "rb")
