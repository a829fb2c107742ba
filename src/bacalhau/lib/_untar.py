"""Unpacking archives that may be hostile."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

from bacalhau.lib.paths import clean_relative

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHUNK_BYTES = 256 * 1024
_HEADER_LIMIT_BYTES = 1024 * 1024
_HEADER_ALLOWANCE_BYTES = 4096
_MAX_MTIME = 2**33
_SUGGESTED_NAMES = 10_000
_BROKEN = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
T = TypeVar("T")


class ArchiveError(ValueError):
    """An archive that is broken, too large, or reaches out of its directory."""


class ArchiveTooLargeError(ArchiveError):
    """An archive that holds more than it may."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """The most that unpacking may write, and read: ``read_bytes`` 0 is as much as it may write."""

    total_bytes: int = 100 * 10**9
    file_bytes: int = 100 * 10**9
    entries: int = 1_000_000
    read_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Extracted:
    """Whether a path was there, and names that were, as many as are of use for a suggestion."""

    is_found: bool
    names: tuple[str, ...]


def unpack(archive: BinaryIO, directory: Path, limits: ArchiveLimits | None = None) -> list[str]:
    """Unpack a tar.gz stream into an existing directory; return the names that were left out.

    Left out are devices, pipes, and links without a target. Existing files are never replaced.
    Folders are made as needed. Set-user-ID and the like are dropped; modes of directories are
    applied at the end, so that a read-only one can be filled.

    Raises:
        ArchiveError: see the class; what was unpacked before stays in the directory.
        OSError: the disk refuses.
    """
    unpacker = _Unpacker(directory, limits or ArchiveLimits())
    unpacker.run(archive)
    return unpacker.skipped


def extract(
    archive: BinaryIO, directory: Path, path: str, limits: ArchiveLimits | None = None
) -> Extracted:
    """Unpack one file of a tar.gz stream, or one directory with all that is in it.

    ``path`` is clean and relative. Behind a file nothing is read any more. As for ``unpack``.

    Raises:
        ArchiveError: see the class; what was unpacked before stays in the directory.
        OSError: the disk refuses.
    """
    unpacker = _Unpacker(directory, limits or ArchiveLimits(), only=path)
    unpacker.run(archive)
    return Extracted(is_found=unpacker.is_found, names=tuple(unpacker.others))


def is_inner_link(name: str, target: str) -> bool:
    """Tell whether a symbolic link called ``name`` can only lead to things inside the tree.

    ``..`` may only stand at the front: behind a name, which may be a link itself, it could lead
    anywhere.
    """
    if not target or target.startswith("/") or "\0" in target:
        return False
    segments = [segment for segment in target.split("/") if segment not in ("", ".")]
    ups = next((i for i, segment in enumerate(segments) if segment != ".."), len(segments))
    return ups <= name.count("/") and ".." not in segments[ups:]


class _ForwardReader:
    """The decompressed archive, read once from front to back, with a bound on its size.

    tarfile reads whole extended headers into memory; this class refuses large ones. Everything
    else is read in chunks.
    """

    def __init__(self, source: gzip.GzipFile, limit_bytes: int) -> None:
        self._source = source
        self._limit = limit_bytes
        self._position = 0

    def read(self, size: int) -> bytes:
        if size > _HEADER_LIMIT_BYTES:
            raise ArchiveError("the archive has an oversized header")
        data = self._source.read(max(size, 0))
        self._position += len(data)
        if self._position > self._limit:
            raise ArchiveTooLargeError("the archive is larger than allowed")
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        """Skip forward; going back means that sizes in the archive contradict each other."""
        if position < self._position:
            raise ArchiveError("the archive is damaged: a size is wrong")
        while position > self._position:
            if not self.read(min(position - self._position, _CHUNK_BYTES)):
                break
        return self._position

    def drain(self) -> None:
        """Read to the end, so that the checksum of the compressor is checked."""
        while self.read(_CHUNK_BYTES):
            pass


class _Unpacker:
    """One run over one archive, or over as much of it as is needed for ``only`` one path."""

    def __init__(self, directory: Path, limits: ArchiveLimits, *, only: str = "") -> None:
        self.skipped: list[str] = []
        self.others: list[str] = []
        self.is_found = False
        self._root = directory
        self._limits = limits
        self._only = only
        self._is_complete = False
        self._written = 0
        self._directory_modes: dict[str, int] = {}
        self._real_directories = {""}

    def run(self, archive: BinaryIO) -> None:
        allowance = (self._limits.entries + 256) * _HEADER_ALLOWANCE_BYTES
        readable = self._limits.read_bytes or self._limits.total_bytes
        with gzip.GzipFile(fileobj=archive, mode="rb") as plain:
            reader = _ForwardReader(plain, readable + allowance)
            tar = _guarded(lambda: tarfile.TarFile(fileobj=cast("BinaryIO", reader), mode="r"))
            entries = 0
            while not self._is_complete and (member := _guarded(tar.next)) is not None:
                tar.members.clear()  # type: ignore[attr-defined] # else it keeps them all
                entries += 1
                if entries > self._limits.entries:
                    raise ArchiveTooLargeError(
                        f"the archive has more than {self._limits.entries} entries"
                    )
                self._extract(reader, member)
            if not self._is_complete:
                _guarded(reader.drain)
        self._apply_directory_modes()

    def _extract(self, reader: _ForwardReader, member: tarfile.TarInfo) -> None:
        try:
            name = clean_relative(member.name)
        except ValueError as exc:
            raise ArchiveError(f"unsafe name in the archive: {exc}") from exc
        if not self._is_wanted(name):
            return
        if member.isdir():
            self._make_directory(name)
            if name:
                self._directory_modes[name] = member.mode & 0o777
        elif not name:
            raise ArchiveError("the archive's root is not a directory")
        elif member.isreg() and not member.issparse():
            self._write_file(reader, member, name)
        elif member.issym() and member.linkname:
            self._make_link(name, member.linkname)
        elif member.islnk():
            self._make_hard_link(name, member.linkname)
        else:
            self.skipped.append(name)
        # A directory may go on anywhere in the archive; a file is complete.
        self._is_complete = bool(self._only) and name == self._only and not member.isdir()

    def _is_wanted(self, name: str) -> bool:
        if not self._only:
            return True
        if name == self._only or name.startswith(f"{self._only}/"):
            self.is_found = True
            return True
        if name and len(self.others) < _SUGGESTED_NAMES:
            self.others.append(name)
        return False

    def _write_file(self, reader: _ForwardReader, member: tarfile.TarInfo, name: str) -> None:
        size = member.size
        if not 0 <= size <= self._limits.file_bytes:
            raise ArchiveTooLargeError(f'"{name}" is larger than allowed ({size} bytes)')
        self._written += size
        if self._written > self._limits.total_bytes:
            raise ArchiveTooLargeError(
                f'with "{name}" the archive holds more than {self._limits.total_bytes} bytes'
            )
        with self._create(name) as file:
            _guarded(lambda: reader.seek(member.offset_data))
            while size:
                data = _guarded(lambda: reader.read(min(size, _CHUNK_BYTES)))  # noqa: B023
                if not data:
                    raise ArchiveError(f'the archive ends within "{name}"')
                file.write(data)
                size -= len(data)
            file.flush()
            os.fchmod(file.fileno(), member.mode & 0o777)
            mtime = min(max(int(member.mtime), 0), _MAX_MTIME)
            os.utime(file.fileno(), (mtime, mtime))

    def _create(self, name: str) -> BinaryIO:
        path = self._place(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            return os.fdopen(os.open(path, flags, 0o600), "wb")
        except FileExistsError as exc:
            raise ArchiveError(f'"{name}" exists already') from exc

    def _make_link(self, name: str, target: str) -> None:
        if not is_inner_link(name, target):
            raise ArchiveError(f'the link "{name}" leads out of the archive, to "{target}"')
        path = self._place(name)
        try:
            path.symlink_to(target)
        except FileExistsError as exc:
            raise ArchiveError(f'"{name}" exists already') from exc

    def _make_hard_link(self, name: str, target: str) -> None:
        try:
            source = self._place(clean_relative(target))
            is_file = stat.S_ISREG(source.lstat().st_mode)
            if not is_file:
                raise ArchiveError(f'the link "{name}" does not lead to a file of the archive')
            os.link(source, self._place(name), follow_symlinks=False)
        except (ValueError, FileNotFoundError, FileExistsError) as exc:
            raise ArchiveError(f'the link "{name}" to "{target}" cannot be made: {exc}') from exc

    def _place(self, name: str) -> Path:
        """Return where an entry goes; its parents exist afterwards and are real directories."""
        self._make_directory(name.rpartition("/")[0])
        return self._root / name

    def _make_directory(self, name: str) -> None:
        path, so_far = self._root, ""
        for segment in name.split("/") if name not in self._real_directories else ():
            path, so_far = path / segment, f"{so_far}/{segment}" if so_far else segment
            if so_far in self._real_directories:
                continue
            try:
                path.mkdir(mode=0o700)
                self._directory_modes[so_far] = 0o755
            except FileExistsError as exc:
                if not stat.S_ISDIR(path.lstat().st_mode):
                    raise ArchiveError(f'"{so_far}" is not a directory') from exc
            self._real_directories.add(so_far)

    def _apply_directory_modes(self) -> None:
        for name in sorted(self._directory_modes, reverse=True):
            (self._root / name).chmod(self._directory_modes[name])


def _guarded(step: Callable[[], T]) -> T:
    """Run a step of reading, and turn everything that broken input can cause into ArchiveError."""
    try:
        return step()
    except ArchiveError:
        raise
    except _BROKEN as exc:
        raise ArchiveError(f"the archive is damaged: {exc}") from exc
