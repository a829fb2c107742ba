"""Packing and unpacking directories (spec storage.md 7.1, 8.3)."""

from __future__ import annotations

import gzip
import os
import socket
import stat
import tarfile
from pathlib import Path

import pytest

from bacalhau.lib.archives import pack_directory, regular_bytes, unpack
from bacalhau.lib.stopping import StoppedError


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results directory with a bit of everything that is harmless."""
    root = tmp_path / "results"
    (root / "outputs" / "deep").mkdir(parents=True)
    (root / "stdout").write_bytes(b"hello\n")
    (root / "stderr").write_bytes(b"")
    (root / "exitCode").write_bytes(b"0")
    (root / "outputs" / "data.bin").write_bytes(os.urandom(700_000))
    (root / "outputs" / "deep" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "outputs" / "deep" / "run.sh").chmod(0o755)
    (root / "outputs" / "deep" / "up").symlink_to("../data.bin")
    (root / "outputs" / "ünïcode \\ name").write_text("x")
    return root


def _pack(root: Path, name: str = "results.tar.gz") -> Path:
    archive = root.parent / name
    assert pack_directory(root, archive).skipped == ()
    return archive


def _unpack(archive: Path) -> Path:
    target = archive.parent / f"{archive.name}-unpacked"
    target.mkdir()
    with archive.open("rb") as file:
        assert unpack(file, target) == []
    return target


def _content(root: Path) -> dict[str, tuple[str, int, bytes | str]]:
    found: dict[str, tuple[str, int, bytes | str]] = {}
    for path in root.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", 0, str(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory", mode, b"")
        else:
            found[name] = ("file", mode, path.read_bytes())
    return found


def test_what_is_packed_comes_out_again(results: Path) -> None:
    assert _content(_unpack(_pack(results))) == _content(results)


def test_members_are_sorted_owned_by_nobody_and_start_with_the_root(results: Path) -> None:
    with tarfile.open(_pack(results)) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == [
        ".",
        "exitCode",
        "outputs",
        "outputs/data.bin",
        "outputs/deep",
        "outputs/deep/run.sh",
        "outputs/deep/up",
        "outputs/ünïcode \\ name",
        "stderr",
        "stdout",
    ]
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}


def test_packing_twice_gives_the_same_bytes(results: Path) -> None:
    assert _pack(results, "a").read_bytes() == _pack(results, "b").read_bytes()


def test_times_of_files_survive(results: Path) -> None:
    os.utime(results / "stdout", (1_000_000_000, 1_000_000_000))
    assert (_unpack(_pack(results)) / "stdout").stat().st_mtime == 1_000_000_000


def test_files_with_the_same_inode_are_packed_as_files(results: Path) -> None:
    (results / "twin").hardlink_to(results / "stdout")
    assert (_unpack(_pack(results)) / "twin").read_bytes() == b"hello\n"


def test_a_read_only_directory_can_be_filled_and_is_read_only_afterwards(results: Path) -> None:
    (results / "outputs" / "deep").chmod(0o555)
    out = _unpack(_pack(results))
    assert stat.S_IMODE((out / "outputs" / "deep").stat().st_mode) == 0o555
    assert (out / "outputs" / "deep" / "run.sh").exists()


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../outside", "outputs/../../outside", "outputs/../stdout", "a/../.."]
)
def test_links_that_may_lead_out_are_left_out_and_named(results: Path, target: str) -> None:
    (results / "link").symlink_to(target)
    archive = results.parent / "results.tar.gz"
    assert pack_directory(results, archive).skipped == ("link",)
    assert "link" not in _content(_unpack(archive))


def test_pipes_and_sockets_are_left_out_and_named(results: Path) -> None:
    os.mkfifo(results / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(results)  # a socket's path must be short
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    assert pack_directory(results, results.parent / "a").skipped == ("pipe", "socket")


def test_links_are_never_followed(results: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    (results / "dir").symlink_to(secret)
    archive = results.parent / "a"
    pack_directory(results, archive)
    assert b"secret" not in gzip.decompress(archive.read_bytes())


def test_a_deep_tree_is_no_problem(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 600)
    (tmp_path / "results" / deep).mkdir(parents=True)
    (tmp_path / "results" / deep / "leaf").write_text("x")
    out = _unpack(_pack(tmp_path / "results"))
    assert (out / deep / "leaf").read_text() == "x"


def test_a_failure_leaves_no_archive(results: Path) -> None:
    archive = results.parent / "a"
    missing = results / "not there"
    with pytest.raises(FileNotFoundError):
        pack_directory(missing, archive)
    assert not archive.exists()


def test_an_error_while_closing_surfaces(results: Path) -> None:
    """A full disk is noticed when the compressor writes its rest."""
    full = results.parent / "full"  # a link, because a failure removes the destination
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        pack_directory(results, full)
    assert not full.is_symlink()


def test_packing_stops_amid_a_file_when_nobody_waits(results: Path) -> None:
    with (results / "large").open("wb") as file:
        file.truncate(2**40)
    archive = results.parent / "results.tar.gz"
    questions = iter([False] * 20)
    with pytest.raises(StoppedError):
        pack_directory(results, archive, lambda: next(questions, True))
    assert not archive.exists()


def test_what_is_read_is_told_and_known_before(results: Path) -> None:
    told: list[int] = []
    (results / "out").symlink_to(results / "outputs")
    pack_directory(results, results.parent / "results.tar.gz", advance=told.append)
    assert sum(told) == regular_bytes(results) == 700_000 + len("hello\n0#!/bin/sh\nx")
    assert len(told) > 40, "also while a large file is read"


def test_looking_at_sizes_stops_when_nobody_waits(results: Path) -> None:
    with pytest.raises(StoppedError):
        regular_bytes(results, lambda: True)
