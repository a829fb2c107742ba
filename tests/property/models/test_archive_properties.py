"""Archives: whatever they hold, nothing outside the directory changes."""

from __future__ import annotations

import errno
import gzip
import io
import os
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bacalhau.lib.archives import ArchiveError, ArchiveLimits, pack_directory, unpack

_names = st.lists(st.sampled_from(["a", "b", "l", "..", ".", ""]), min_size=1, max_size=4).map(
    "/".join
)
_kinds = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)
_members = st.lists(st.tuples(_names, _kinds, _names, st.binary(max_size=5)), max_size=8)
_LIMITS = ArchiveLimits(total_bytes=10_000, entries=50)


def _archive(members: list[tuple[str, bytes, str, bytes]]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, kind, link, data in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def _outside(root: Path, target: Path) -> dict[str, bytes]:
    """Return everything below ``root`` that is not below ``target``."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in root.rglob("*")
        if target not in path.parents and path != target
    }


def _is_loop(path: Path) -> bool:
    """Tell whether links go round in circles: they lead nowhere, and realpath makes up a place."""
    try:
        path.stat()
    except OSError as exc:
        return exc.errno == errno.ELOOP
    return False


def _check_unpacking(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        target = root / "b" / "target"
        target.mkdir(parents=True)
        (root / "a").write_text("secret")
        before = _outside(root, target)
        with suppress(ArchiveError):
            unpack(io.BytesIO(data), target, _LIMITS)
        assert _outside(root, target) == before
        for path in target.rglob("*"):
            assert _is_loop(path) or Path(os.path.realpath(path)).is_relative_to(target)
            assert not path.is_file() or path.read_bytes() != b"secret"


@settings(max_examples=200, deadline=None)
@given(_members)
def test_nothing_outside_is_written_read_or_linked_to(
    members: list[tuple[str, bytes, str, bytes]],
) -> None:
    _check_unpacking(_archive(members))


@settings(max_examples=100, deadline=None)
@given(_members, st.integers(0, 4000), st.binary(min_size=1, max_size=8))
def test_damaged_archives_are_errors_and_nothing_else(
    members: list[tuple[str, bytes, str, bytes]], position: int, noise: bytes
) -> None:
    plain = bytearray(gzip.decompress(_archive(members)))
    position %= max(len(plain) - 8, 1)
    plain[position : position + len(noise)] = noise
    _check_unpacking(gzip.compress(bytes(plain), mtime=0))


@settings(max_examples=50, deadline=None)
@given(_members)
def test_what_we_pack_we_unpack_to_the_same(
    members: list[tuple[str, bytes, str, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        first, second = root / "first", root / "second"
        first.mkdir()
        second.mkdir()
        for number, (place, kind, link, data) in enumerate(members):
            folder = first.joinpath(*(part for part in place.split("/") if part in ("a", "b")))
            folder.mkdir(parents=True, exist_ok=True)
            if kind == tarfile.SYMTYPE and link:
                (folder / f"link-{number}").symlink_to(link)
            else:
                (folder / f"file-{number}").write_bytes(data)
        pack_directory(first, root / "one")
        with (root / "one").open("rb") as file:
            assert unpack(file, second) == []
        assert pack_directory(second, root / "two").skipped == ()
        assert _listing(root / "one") == _listing(root / "two")


def _listing(path: Path) -> list[tuple[str, bytes, str, int, bytes]]:
    with tarfile.open(path) as archive:
        return [
            (
                member.name,
                member.type,
                member.linkname,
                member.mode,
                b"".join(archive.extractfile(member) or ()) if member.isreg() else b"",
            )
            for member in archive
        ]
