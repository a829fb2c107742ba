"""Result archives made to do harm (spec security.md T-N8): nothing is written outside, or left."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from bacalhau.client import unpacking
from bacalhau.client.unpacking import remove_tree
from bacalhau.errors import Code, UserError
from bacalhau.lib.archives import ArchiveLimits
from tests.support.file_server import Files, serve_files
from tests.support.results import archive, download, links

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def files() -> Iterator[Files]:
    """A file server."""
    with serve_files() as served:
        yield served


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty directory beside which nothing may appear."""
    path = tmp_path / "outer" / "results"
    path.mkdir(parents=True)
    return path


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info, data


def packed(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        for info, data in (member("stdout", b"hi"), *members):
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def everything(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*")}


HOSTILE: dict[str, tuple[list[Member], str]] = {
    "parent": ([member("../../etc/x", b"x")], 'unsafe name in the archive: "../../etc/x"'),
    "absolute": ([member("/etc/x", b"x")], 'unsafe name in the archive: "/etc/x"'),
    "hidden parent": ([member("a/../../x", b"x")], 'unsafe name in the archive: "a/../../x"'),
    "long name": ([member("n" * 300, b"x")], "has a name longer than 255 bytes"),
    "link out": (
        [member("out", kind=tarfile.SYMTYPE, link="../..")],
        'the link "out" leads out of the archive, to "../.."',
    ),
    "absolute link": (
        [member("out", kind=tarfile.SYMTYPE, link="/etc")],
        'the link "out" leads out of the archive, to "/etc"',
    ),
    "file through link": (
        [
            member("d", kind=tarfile.DIRTYPE),
            member("to", kind=tarfile.SYMTYPE, link="d"),
            member("to/x", b"x"),
        ],
        '"to" is not a directory',
    ),
    "hard link out": (
        [member("hard", kind=tarfile.LNKTYPE, link="../../secret")],
        'the link "hard" to "../../secret" cannot be made',
    ),
    "hard link to a link": (
        [
            member("to", kind=tarfile.SYMTYPE, link="stdout"),
            member("hard", kind=tarfile.LNKTYPE, link="to"),
        ],
        'the link "hard" does not lead to a file of the archive',
    ),
    "twice": ([member("a", b"1"), member("a", b"2")], '"a" exists already'),
    "file and folder": ([member("a", b"1"), member("a/b", b"2")], '"a" is not a directory'),
}


@pytest.mark.parametrize(("members", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_it_is_refused_and_named(
    members: list[Member], message: str, files: Files, place: Path
) -> None:
    (place.parent.parent / "secret").write_text("s")
    files.content["/e.tar.gz"] = packed(*members)
    with pytest.raises(UserError, match=r"_e\.tar\.gz is not a sound archive: ") as caught:
        download(links(files, "/e.tar.gz"), place)
    assert message in caught.value.message
    assert caught.value.code == Code.DAMAGED_RESULT
    assert everything(place.parent) == {"results"}


@pytest.mark.parametrize("name", ["parent", "absolute", "hidden parent", "long name"])
def test_names_are_looked_at_also_where_only_one_path_is_wanted(
    name: str, files: Files, place: Path
) -> None:
    members, message = HOSTILE[name]
    files.content["/e.tar.gz"] = packed(*members)
    with pytest.raises(UserError, match=r"is not a sound archive") as caught:
        download(links(files, "/e.tar.gz"), place, only="nothing")
    assert message in caught.value.message
    assert everything(place.parent) == {"results"}


def test_the_good_results_beside_it_are_not_merged(files: Files, place: Path) -> None:
    files.content["/1.tar.gz"] = archive(stdout="good")
    files.content["/2.tar.gz"] = packed(member("../x", b"x"))
    with pytest.raises(UserError, match=r"_2\.tar\.gz is not a sound archive"):
        download(links(files, "/1.tar.gz", "/2.tar.gz"), place)
    assert {name for name in everything(place) if not name.startswith("raw")} == set()
    assert {path.name[-8:] for path in (place / "raw").iterdir()} == {"1.tar.gz"}


def test_devices_and_pipes_are_left_out(files: Files, place: Path) -> None:
    files.content["/e.tar.gz"] = packed(
        member("null", kind=tarfile.CHRTYPE),
        member("disk", kind=tarfile.BLKTYPE),
        member("pipe", kind=tarfile.FIFOTYPE),
    )
    download(links(files, "/e.tar.gz"), place)
    assert everything(place) == {"stdout"}


def endless(size: int) -> bytes:
    """Return a small archive of one large file of zeros."""
    buffer = io.BytesIO()
    info = tarfile.TarInfo("zeros")
    info.size = size
    with gzip.GzipFile(fileobj=buffer, mode="wb") as compressed:
        compressed.write(info.tobuf())
        for _ in range(0, size, 2**20):
            compressed.write(bytes(2**20))
        compressed.write(bytes(1024))
    return buffer.getvalue()


def test_an_archive_that_grows_beyond_measure(
    files: Files, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_ALWAYS_ALLOWED_BYTES", 2**20)
    bomb = files.content["/e.tar.gz"] = endless(200 * 2**20)
    assert len(bomb) < 210_000
    with pytest.raises(UserError, match=r"grows beyond measure: .*zeros") as caught:
        download(links(files, "/e.tar.gz"), place)
    assert "--raw keeps it as it is" in caught.value.hint
    assert everything(place.parent) == {"results"}
    with pytest.raises(UserError, match=r"grows beyond measure: .*zeros"):
        download(links(files, "/e.tar.gz"), place, only="zeros")
    assert everything(place.parent) == {"results"}


def test_an_archive_that_does_not_end(
    files: Files, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zeros behind the end of the archive belong to no file."""
    monkeypatch.setattr(unpacking, "_ALWAYS_ALLOWED_BYTES", 2**20)
    monkeypatch.setattr("bacalhau.lib._untar._HEADER_ALLOWANCE_BYTES", 1)
    files.content["/e.tar.gz"] = gzip.compress(gzip.decompress(packed()) + bytes(100 * 2**20))
    with pytest.raises(UserError, match="grows beyond measure: the archive is larger"):
        download(links(files, "/e.tar.gz"), place)
    assert everything(place.parent) == {"results"}


def test_an_archive_that_the_disk_has_no_room_for(
    files: Files, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched is kept: it is room that is missing."""
    files.content["/e.tar.gz"] = endless(3 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(
        UserError, match=r"does not fit on the disk of .*room for 1\.0 MB"
    ) as caught:
        download(links(files, "/e.tar.gz"), place)
    assert caught.value.code == Code.NO_ROOM
    assert [path.name[-8:] for path in (place / "raw").iterdir()] == ["e.tar.gz"]
    monkeypatch.undo()
    asked = files.sent_bytes
    download(links(files, "/e.tar.gz"), place)
    assert files.sent_bytes == asked + 1, "a look at its version"
    assert everything(place) == {"zeros"}


def test_a_truncated_archive(files: Files, place: Path) -> None:
    whole = packed(member("data", os.urandom(50_000)))
    for cut in (0, 5, 100, 30_000, len(whole) - 4):
        files.content["/e.tar.gz"] = whole[:cut]
        with pytest.raises(UserError, match="is not a sound archive"):
            download(links(files, "/e.tar.gz"), place)
        assert everything(place.parent) == {"results"}


def test_an_archive_of_more_entries_than_anybody_needs(
    files: Files, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(ArchiveLimits, entries=1000)
    monkeypatch.setattr(unpacking, "ArchiveLimits", few)
    files.content["/e.tar.gz"] = packed(*(member(f"{number}") for number in range(1000)))
    with pytest.raises(UserError, match="more than 1000 entries"):
        download(links(files, "/e.tar.gz"), place)
    assert everything(place.parent) == {"results"}


def test_a_folder_that_cannot_be_written_to(files: Files, place: Path) -> None:
    folder, _ = member("outputs", kind=tarfile.DIRTYPE)
    folder.mode = 0o555
    files.content["/e.tar.gz"] = packed((folder, b""), member("outputs/x", b"x"))
    download(links(files, "/e.tar.gz"), place)
    assert stat.S_IMODE((place / "outputs").stat().st_mode) == 0o555
    assert everything(place) == {"stdout", "outputs", "outputs/x"}
    other = place.parent / "other"
    (other / "outputs").mkdir(parents=True)
    (other / "outputs" / "x").write_text("mine")
    with pytest.raises(UserError, match="already exists"):
        download(links(files, "/e.tar.gz"), other)
    assert everything(other) == {"outputs", "outputs/x"}
    (place / "outputs").chmod(0o755)


def test_trees_that_nobody_may_write_to_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_text("x")
    (tmp_path / "a/link").symlink_to("b")
    (tmp_path / "a/b").chmod(0o500)
    (tmp_path / "a").chmod(0o000)
    remove_tree(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


class TestOnePath:
    def test_a_file(self, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x", outputs__y="y")
        download(links(files, "/1.tar.gz"), place, only="outputs/x")
        assert everything(place) == {"outputs", "outputs/x"}

    def test_of_a_large_archive_no_more_is_read_than_is_needed(
        self, files: Files, place: Path
    ) -> None:
        files.content["/1.tar.gz"] = archive(first="1", rest=os.urandom(30_000_000))
        _, moved_bytes = download(links(files, "/1.tar.gz"), place, only="first")
        assert moved_bytes < 1_000_000
        assert everything(place) == {"first"}

    def test_through_broken_connections(self, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(first=os.urandom(3_000_000), last="x")
        files.break_after["/1.tar.gz"] = [1_000_000, 500_000]
        download(links(files, "/1.tar.gz"), place, only="last")
        assert everything(place) == {"last"}
        assert len(files.requests) == 3

    def test_from_a_server_that_always_begins_at_the_front(self, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(first=os.urandom(3_000_000), last="x")
        files.has_ranges = False
        files.break_after["/1.tar.gz"] = [1_000_000, 500_000, 2_500_000]
        files.busy["/1.tar.gz"] = 1
        download(links(files, "/1.tar.gz"), place, only="last")
        assert everything(place) == {"last"}

    def test_an_archive_that_changes_meanwhile(self, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(first=os.urandom(3_000_000), last="x")
        files.changes = True
        files.break_after["/1.tar.gz"] = [1_000_000]
        with pytest.raises(UserError, match=r"1\.tar\.gz changed while it was read"):
            download(links(files, "/1.tar.gz"), place, only="last")
        assert everything(place.parent) == {"results"}

    def test_an_archive_that_is_not_there(self, files: Files, place: Path) -> None:
        with pytest.raises(UserError, match="the server answered 404"):
            download(links(files, "/1.tar.gz"), place, only="last")
        assert everything(place.parent) == {"results"}

    def test_a_folder_of_several_executions(self, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x", z="")
        files.content["/2.tar.gz"] = archive(stdout="2", outputs__y="y")
        specs = links(files, "/1.tar.gz", "/2.tar.gz")
        download(specs, place, only="outputs")
        assert everything(place) == {"outputs", "outputs/x", "outputs/y"}
        download(specs, place, only="stdout")
        assert (place / "stdout").read_text() == "12"

    def test_of_an_archive_that_is_here_already(self, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        specs = links(files, "/1.tar.gz")
        download(specs, place, raw=True)
        assert download(specs, place, only="outputs/x") == (True, 0)
        found = {name for name in everything(place) if not name.startswith("raw")}
        assert found == {"outputs", "outputs/x"}

    @pytest.mark.parametrize(
        ("only", "hint"),
        [
            ("x", "did you mean outputs/x?"),
            ("output/x", "did you mean outputs/x"),
            ("nothing/like/that", "they have outputs, stdout"),
        ],
    )
    def test_none_of_that_name(self, only: str, hint: str, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        with pytest.raises(UserError, match=f'the results have no file "{only}"') as caught:
            download(links(files, "/1.tar.gz"), place, only=only)
        assert caught.value.hint.startswith(hint)
        assert everything(place.parent) == {"results"}

    def test_a_file_in_the_way(self, files: Files, place: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        (place / "stdout").write_text("mine")
        with pytest.raises(UserError, match=r"already exists: .*/stdout"):
            download(links(files, "/1.tar.gz"), place, only="stdout")
        assert files.requests == []
