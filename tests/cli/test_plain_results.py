"""Results as files of their own, with a list of them (spec storage.md 9.3)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.client import fetch as fetching
from bacalhau.errors import Code, ConflictError, NotFoundError, TransientError, UserError
from bacalhau.lib.backoff import Backoff
from tests.support.file_server import Files, serve_files
from tests.support.results import archive, download, links, plain, plain_listed, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = {"exitCode": b"0", "stdout": b"1", "outputs/x": b"x", "outputs/deep/y": b""}
TWO = {"exitCode": b"3", "stdout": b"2", "outputs/z": b"z"}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """A file server, and a client that does not wait for long."""
    monkeypatch.setattr(fetching, "BACKOFF", Backoff(initial_seconds=0.01, maximum_seconds=0.01))
    with serve_files() as served:
        yield served


def test_every_file_gets_its_place(files: Files, tmp_path: Path) -> None:
    download([plain(files, ONE)], tmp_path)
    assert tree(tmp_path) == {
        "exitCode": "0",
        "outputs/deep/y": "",
        "outputs/x": "x",
        "stdout": "1",
    }
    assert "/b/e-1/_manifest.json" not in dict(files.requests), "the list is part of the result"


def test_several_executions(files: Files, tmp_path: Path) -> None:
    specs = [plain(files, ONE), plain(files, TWO, "e-2")]
    download(specs, tmp_path)
    assert tree(tmp_path) == {
        "exitCode": "03",
        "outputs/deep/y": "",
        "outputs/x": "x",
        "outputs/z": "z",
        "stdout": "12",
    }
    assert download(specs, tmp_path) == (False, 0)


def test_plain_files_and_an_archive(files: Files, tmp_path: Path) -> None:
    files.content["/2.tar.gz"] = archive(stdout="2", exitCode="1")
    download([plain(files, ONE), *links(files, "/2.tar.gz")], tmp_path)
    assert (tmp_path / "stdout").read_text() == "12"


def test_the_same_results_are_not_fetched_again(files: Files, tmp_path: Path) -> None:
    spec = plain(files, ONE)
    download([spec], tmp_path)
    asked = len(files.requests)
    assert download([spec], tmp_path) == (False, 0)
    assert len(files.requests) == asked


def test_only_what_is_missing_is_fetched(files: Files, tmp_path: Path) -> None:
    spec = plain(files, ONE)
    download([spec], tmp_path)
    (tmp_path / "stdout").unlink()
    assert download([spec], tmp_path) == (True, 1)
    assert (tmp_path / "stdout").read_text() == "1"


def test_other_files_in_the_way_are_found_before_anything_is_fetched(
    files: Files, tmp_path: Path
) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "x").write_text("mine")
    with pytest.raises(ConflictError, match=r"already exists: .*/outputs/x"):
        download([plain(files, ONE)], tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConflictError, match=r"already exists: .*/other/outputs/x"):
        download([plain(files, ONE), plain(files, ONE, "e-2")], other)
    assert files.requests == []
    assert tree(tmp_path) == {"outputs/x": "mine"}


def test_raw_keeps_them_below_their_own_folder(files: Files, tmp_path: Path) -> None:
    assert download([plain(files, TWO)], tmp_path, raw=True) == (True, 3)
    host = files.url.partition("//")[2].replace(":", "_")
    assert set(tree(tmp_path)) == {
        f"raw/{host}_b_e-1/{path}" for path in ("exitCode", "outputs/z", "stdout")
    }
    assert download([plain(files, TWO)], tmp_path, raw=True) == (False, 0)


def test_files_of_another_content_are_refused(files: Files, tmp_path: Path) -> None:
    spec = plain(files, ONE)
    files.content["/b/e-1/stdout"] = b"2"
    with pytest.raises(UserError, match="/b/e-1/stdout does not have the checksum"):
        download([spec], tmp_path)
    assert "stdout" not in {path.name for path in tmp_path.rglob("*")}


def test_a_broken_download_goes_on(files: Files, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(3_000_000)
    spec = plain(files, {**ONE, "big": data})
    files.break_after["/b/e-1/big"] = [2_000_000, *[0] * fetching.ATTEMPTS]
    with pytest.raises(TransientError):
        download([spec], tmp_path)
    files.break_after.clear()
    _, moved_bytes = download([spec], tmp_path)
    assert moved_bytes <= 1_000_100
    assert (tmp_path / "big").read_bytes() == data
    assert not (tmp_path / "raw").exists()


def test_names_that_downloads_use_themselves(files: Files, tmp_path: Path) -> None:
    content = {
        name: random.Random(name).randbytes(1_500_000)
        for name in ("x", "x.part", "x.part.log", "x.parts/x", "x.opened", "n" * 255, "raw/x")
    }
    download([plain(files, content)], tmp_path)
    found = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert found == content


class TestOnePath:
    @pytest.mark.parametrize(
        ("only", "expected"),
        [
            ("outputs/x", {"outputs/x": "x"}),
            ("outputs", {"outputs/deep/y": "", "outputs/x": "x"}),
            ("stdout", {"stdout": "1"}),
        ],
    )
    def test_nothing_else_is_fetched(
        self, only: str, expected: dict[str, str], files: Files, tmp_path: Path
    ) -> None:
        download([plain(files, ONE)], tmp_path, only=only)
        assert tree(tmp_path) == expected
        assert {path for path, _ in files.requests} == {f"/b/e-1/{path}" for path in expected}

    def test_of_several_executions(self, files: Files, tmp_path: Path) -> None:
        download([plain(files, ONE), plain(files, TWO, "e-2")], tmp_path, only="outputs")
        assert tree(tmp_path) == {"outputs/deep/y": "", "outputs/x": "x", "outputs/z": "z"}

    def test_what_is_left_of_a_broken_download_is_not_taken_along(
        self, files: Files, tmp_path: Path
    ) -> None:
        spec = plain(files, ONE)
        files.status["/b/e-1/exitCode"] = 404
        with pytest.raises(NotFoundError):
            download([spec], tmp_path)
        download([spec], tmp_path, only="outputs/x")
        found = {path: text for path, text in tree(tmp_path).items() if path[:4] != "raw/"}
        assert found == {"outputs/x": "x"}

    def test_none_of_that_name(self, files: Files, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match='the results have no file "x"') as caught:
            download([plain(files, ONE)], tmp_path, only="x")
        assert caught.value.hint.startswith("did you mean outputs/x")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([{"Path": "../x"}], "'../x' is no path within it"),
        ([{"Path": "a/../../x"}], "is no path within it"),
        ([{"Path": "/etc/x"}], "'/etc/x' is no path within it"),
        ([{"Path": ""}], "is no path within it"),
        ([{"Path": "."}], "is no path within it"),
        ([{"Path": "a//b"}], "is no path within it"),
        ([{"Path": "a\0b"}], "is no path within it"),
        ([{"Path": "x" * 300}], "is no path within it"),
        ([{"Path": "a"}, {"Path": "a"}], '"a" stands there twice'),
        ([{"Path": "a"}, {"Path": "a/b"}], '"a" is both a file and a folder'),
        ([{"Path": "a/b/c"}, {"Path": "a"}], '"a" is both a file and a folder'),
        ([{"Path": "a", "SizeBytes": -1}], "size of -1"),
        ([{"Path": "a", "SizeBytes": 2**70}], "has a size of"),
        ([{"Path": "a", "SizeBytes": "1"}], "that is none"),
        ([{"Path": "a", "SHA256": "zz"}], "has a SHA256 that is none: 'zz'"),
        ([{"Path": "a", "PreSignedURL": None}], "has no PreSignedURL"),
        ([{"Path": "a", "PreSignedURL": "file:///etc/passwd"}], "not an HTTP address"),
        ([{"Path": 7}], "a file has no Path"),
        (["a"], "an object was expected"),
    ],
)
def test_hostile_lists_are_refused_before_anything_is_fetched(
    listed: list[Any], message: str, files: Files, tmp_path: Path
) -> None:
    url = {"PreSignedURL": f"{files.url}/x"}
    entries = [{**url, **item} if isinstance(item, dict) else item for item in listed]
    with pytest.raises(UserError) as caught:
        download([plain_listed(files, entries)], tmp_path)
    assert message in caught.value.message
    assert caught.value.hint or "HTTP" in message
    assert files.requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_result_without_its_list(files: Files, tmp_path: Path) -> None:
    spec = plain(files, ONE)
    del spec.params["Files"]
    with pytest.raises(UserError, match="s3://b/e-1/ comes without a list") as caught:
        download([spec], tmp_path)
    assert caught.value.code == Code.DAMAGED_RESULT
