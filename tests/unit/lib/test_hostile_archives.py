"""Archives made to do harm: nothing may be written outside, and memory stays bounded."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from bacalhau.lib.archives import ArchiveError, ArchiveLimits, Extracted, extract, unpack

if TYPE_CHECKING:
    from pathlib import Path


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, mode
    return member


def _archive(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return io.BytesIO(gzip.compress(plain.getvalue()))


def _link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.SYMTYPE, target), b""


def _hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.LNKTYPE, target), b""


def _file(name: str, data: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    return _member(name), data


def _directory(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.DIRTYPE, mode=mode), b""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "outer" / "target"
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "a/../../evil", "x" * 300])
def test_names_that_lead_out_are_refused(target: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="unsafe name"):
        unpack(_archive(_file(name)), target)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    "link",
    [
        ("link", "/etc"),
        ("link", ".."),
        ("d/link", "../.."),
        ("link", "d/../.."),
        ("d/link", "x/../../.."),
    ],
)
def test_links_that_lead_out_are_refused(target: Path, link: tuple[str, str]) -> None:
    with pytest.raises(ArchiveError, match="leads out of the archive"):
        unpack(_archive(_directory("d"), _link(*link)), target)


def test_nothing_is_written_through_a_link(target: Path) -> None:
    archive = _archive(_directory("d"), _link("link", "d"), _file("link/file"))
    with pytest.raises(ArchiveError, match='"link" is not a directory'):
        unpack(archive, target)
    assert not (target / "d" / "file").exists()


def test_nothing_is_written_through_a_link_that_was_there_before(target: Path) -> None:
    (target / "link").symlink_to(target.parent)
    with pytest.raises(ArchiveError, match='"link" is not a directory'):
        unpack(_archive(_file("link/file")), target)
    assert list(target.parent.iterdir()) == [target]


def test_a_directory_does_not_become_a_link(target: Path) -> None:
    with pytest.raises(ArchiveError, match='"d" exists already'):
        unpack(_archive(_directory("d"), _link("d", "x")), target)


@pytest.mark.parametrize("second", [_file("a"), _link("a", "b"), _directory("a"), _file("a/b")])
def test_an_existing_file_is_never_replaced(
    target: Path, second: tuple[tarfile.TarInfo, bytes]
) -> None:
    (target / "a").write_text("mine")
    with pytest.raises(ArchiveError):
        unpack(_archive(second), target)
    assert (target / "a").read_text() == "mine"


@pytest.mark.parametrize("source", ["/etc/passwd", "../secret", "missing", "d", "link"])
def test_hard_links_only_lead_to_files_of_the_archive(target: Path, source: str) -> None:
    (target.parent / "secret").write_text("x")
    archive = _archive(_directory("d"), _file("f"), _link("link", "f"), _hard_link("evil", source))
    with pytest.raises(ArchiveError, match="evil"):
        unpack(archive, target)


def test_a_hard_link_within_the_archive_works(target: Path) -> None:
    unpack(_archive(_file("a", b"data"), _hard_link("d/b", "a")), target)
    assert (target / "d" / "b").read_bytes() == b"data"


def test_devices_pipes_and_empty_links_are_left_out_and_named(target: Path) -> None:
    archive = _archive(
        (_member("device", tarfile.CHRTYPE), b""),
        (_member("pipe", tarfile.FIFOTYPE), b""),
        _link("link", ""),
        _file("ok"),
    )
    assert unpack(archive, target) == ["device", "pipe", "link"]
    assert [path.name for path in target.iterdir()] == ["ok"]


def test_folders_are_made_as_needed_and_special_bits_are_dropped(target: Path) -> None:
    unpack(_archive((_member("a/b/run", mode=0o6755), b"x")), target)
    assert stat.S_IMODE((target / "a" / "b" / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "a").stat().st_mode) == 0o755


def test_the_root_of_an_archive_may_be_named(target: Path) -> None:
    unpack(_archive(_directory(".", 0o000), _directory("./"), _file("./a")), target)
    assert (target / "a").exists()


def test_the_root_may_not_be_a_file(target: Path) -> None:
    with pytest.raises(ArchiveError, match="root is not a directory"):
        unpack(_archive(_file("d/..")), target)


@pytest.mark.parametrize(
    "limits",
    [
        ArchiveLimits(total_bytes=15),
        ArchiveLimits(file_bytes=9),
        ArchiveLimits(entries=1),
    ],
)
def test_limits_hold(target: Path, limits: ArchiveLimits) -> None:
    with pytest.raises(ArchiveError, match=r"larger than allowed|holds more than|more than 1 entr"):
        unpack(_archive(_file("a", b"x" * 10), _file("b", b"x" * 10)), target, limits)


def test_a_small_file_that_unpacks_to_much_is_stopped(target: Path) -> None:
    """The bomb is in the padding behind the archive, where no member accounts for it."""
    bomb = gzip.compress(b"\0" * 30_000_000)
    limits = ArchiveLimits(total_bytes=1_000_000, entries=10)
    with pytest.raises(ArchiveError, match="larger than allowed"):
        unpack(io.BytesIO(bomb), target, limits)


def test_a_header_of_many_megabytes_is_not_read_into_memory(target: Path) -> None:
    name = _member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    with pytest.raises(ArchiveError, match="oversized header"):
        unpack(_archive((name, b"x" * 5_000_000)), target)


def test_sparse_members_are_left_out(target: Path) -> None:
    member = _member("sparse", tarfile.GNUTYPE_SPARSE)
    assert unpack(_archive((member, b"")), target) == ["sparse"]


@pytest.mark.parametrize(
    "data",
    [b"", b"not gzip", gzip.compress(b"x" * 600), gzip.compress(b"")],
    ids=["empty", "text", "no tar within", "nothing within"],
)
def test_what_is_no_archive_is_said_to_be_damaged(target: Path, data: bytes) -> None:
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(io.BytesIO(data), target)


def test_a_truncated_archive_is_an_error_wherever_it_is_cut(target: Path) -> None:
    whole = _archive(_file("a", bytes(range(256)) * 40), _file("b", b"y" * 3000)).getvalue()
    for cut in range(0, len(whole), 31):
        directory = target / str(cut)
        directory.mkdir()
        with pytest.raises(ArchiveError):
            unpack(io.BytesIO(whole[:cut]), directory)


def _with_size(kind: bytes, size: int, data: bytes = b"") -> io.BytesIO:
    """Make an archive whose one member claims a size of its own."""
    member = _member("a", kind)
    member.pax_headers = {"size": str(size)}
    plain = member.tobuf(tarfile.PAX_FORMAT) + data
    return io.BytesIO(gzip.compress(plain))


@pytest.mark.parametrize(("kind", "size"), [(tarfile.REGTYPE, -5), (b"Z", -5000)])
def test_a_negative_size_is_an_error(target: Path, kind: bytes, size: int) -> None:
    with pytest.raises(ArchiveError):
        unpack(_with_size(kind, size, b"\0" * 4096), target, ArchiveLimits(file_bytes=0))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, b"Z"])
def test_a_size_beyond_the_end_is_an_error(target: Path, kind: bytes) -> None:
    with pytest.raises(ArchiveError, match=r'ends within "a"|unexpected end'):
        unpack(_with_size(kind, 5000, b"x" * 600), target)


def test_folders_that_are_there_already_are_used(target: Path) -> None:
    (target / "d").mkdir()
    unpack(_archive(_file("d/a")), target)
    assert (target / "d" / "a").exists()


def test_a_flipped_bit_in_the_checksum_is_noticed(target: Path) -> None:
    whole = bytearray(_archive(_file("a", b"hello")).getvalue())
    whole[-6] ^= 1
    with pytest.raises(ArchiveError, match="CRC"):
        unpack(io.BytesIO(bytes(whole)), target)


def test_a_chain_of_headers_is_no_endless_recursion(target: Path) -> None:
    header = _member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 2
    block = header.tobuf() + b"x\0".ljust(512, b"\0")
    with pytest.raises(ArchiveError):
        unpack(io.BytesIO(gzip.compress(block * 5000)), target)


class TestExtract:
    def test_one_file_and_nothing_behind_it(self, target: Path) -> None:
        archive = _archive(_file("a", b"1"), _file("d/b", b"2"), _file("c", b"3" * 100_000))
        whole = archive.getvalue()
        cut = io.BytesIO(whole[: len(whole) - 20])
        assert extract(cut, target, "d/b") == Extracted(is_found=True, names=("a",))
        assert [path.name for path in target.rglob("*")] == ["d", "b"]

    def test_a_folder_wherever_its_files_are(self, target: Path) -> None:
        archive = _archive(_file("d/1"), _file("dd"), _directory("d", 0o555), _file("d/e/2"))
        assert extract(archive, target, "d") == Extracted(is_found=True, names=("dd",))
        found = {path.relative_to(target).as_posix() for path in target.rglob("*")}
        assert found == {"d", "d/1", "d/e", "d/e/2"}
        assert stat.S_IMODE((target / "d").stat().st_mode) == 0o555

    def test_what_is_not_there(self, target: Path) -> None:
        archive = _archive(_directory("."), _file("a"), _file("b"))
        assert extract(archive, target, "c") == Extracted(is_found=False, names=("a", "b"))
        assert list(target.iterdir()) == []

    def test_what_is_left_out_counts_as_read_and_not_as_written(self, target: Path) -> None:
        archive = _archive(_file("large", b"x" * 100_000), _file("small", b"1"))
        limits = ArchiveLimits(total_bytes=10, read_bytes=200_000, entries=2)
        assert extract(archive, target, "small", limits).is_found
        bomb = _archive(_file("large", b"x" * 5_000_000), _file("small", b"1"))
        limits = ArchiveLimits(total_bytes=10**9, read_bytes=10, entries=2)
        with pytest.raises(ArchiveError, match="larger than allowed"):
            extract(bomb, target, "other", limits)

    def test_a_hard_link_to_what_is_left_out(self, target: Path) -> None:
        archive = _archive(_file("a"), _hard_link("b", "a"))
        with pytest.raises(ArchiveError, match='the link "b" to "a" cannot be made'):
            extract(archive, target, "b")
