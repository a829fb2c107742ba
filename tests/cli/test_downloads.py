"""Fetching results, from servers that do not always behave (spec storage.md 8.2, 8.3)."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.client.download import download_results, file_name
from bacalhau.client.fetch import fetch
from bacalhau.errors import BacalhauError, ConflictError, NotFoundError, TransientError, UserError
from bacalhau.models import SpecConfig
from tests.support.api_server import store_job
from tests.support.file_server import Files, serve_files
from tests.support.jobs import finished_execution, finished_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import Outcome, ServedApi

LARGE = bytes(range(256)) * 4096


@pytest.fixture
def files() -> Iterator[Files]:
    """A file server."""
    with serve_files() as served:
        yield served


def archive(**members: bytes | str) -> bytes:
    """Return a result archive; double underscores in names are slashes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def get(url: str, destination: Path) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    fetch(url, destination, stall_seconds=10, progress=lambda *state: seen.append(state))
    return seen


def results(files: Files, *paths: str) -> list[SpecConfig]:
    return [SpecConfig(type="urlDownload", params={"URL": files.url + path}) for path in paths]


def download(specs: list[SpecConfig], directory: Path, **options: Any) -> None:
    download_results(
        specs, directory, stall_seconds=10, progress=lambda _done, _total: None, **options
    )


def tree(directory: Path) -> dict[str, str]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in sorted(found)}


class TestFetch:
    def test_a_file_arrives_whole_and_progress_is_told(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        seen = get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == LARGE
        assert seen[-1] == (len(LARGE), len(LARGE))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]

    def test_a_broken_transfer_goes_on_where_it_stopped(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        files.break_after["/f"] = [300_000, 200_000]
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == LARGE
        assert [wanted for _, wanted in files.requests] == [
            None,
            "bytes=300000-",
            "bytes=500000-",
        ]

    def test_a_later_call_goes_on_too(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        files.break_after["/f"] = [300_000, 0]
        with pytest.raises(TransientError, match="broke off") as caught:
            get(files.url + "/f", tmp_path / "f")
        assert "goes on where this one stopped" in caught.value.hint
        assert not (tmp_path / "f").exists()
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == LARGE
        assert files.requests[-1][1] == "bytes=300000-"

    def test_a_file_that_changed_is_fetched_anew(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        files.break_after["/f"] = [300_000, 0]
        with pytest.raises(TransientError):
            get(files.url + "/f", tmp_path / "f")
        files.content["/f"] = LARGE[::-1]
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == LARGE[::-1]

    def test_redirects_are_followed(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = b"data"
        files.redirects["/old"] = files.url + "/f"
        get(files.url + "/old", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == b"data"

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense"])
    def test_only_http(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="not an HTTP address"):
            get(url, tmp_path / "f")

    def test_a_redirect_away_from_http_is_not_followed(self, files: Files, tmp_path: Path) -> None:
        files.redirects["/old"] = "ftp://127.0.0.1/x"
        with pytest.raises(BacalhauError):
            get(files.url + "/old", tmp_path / "f")

    @pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (403, UserError)])
    def test_refusals_name_the_address_without_its_signature(
        self, status: int, kind: type[BacalhauError], files: Files, tmp_path: Path
    ) -> None:
        files.status["/f"] = status
        with pytest.raises(kind) as caught:
            get(files.url + "/f?X-Amz-Signature=secret", tmp_path / "f")
        assert f"{files.url}/f: the server answered {status}" in caught.value.message
        assert "secret" not in caught.value.message

    def test_no_server(self, tmp_path: Path) -> None:
        with pytest.raises(TransientError, match="Connection refused"):
            get("http://127.0.0.1:1/f", tmp_path / "f")


class TestLayout:
    def test_names_in_raw(self) -> None:
        assert file_name("http://127.0.0.1:6001/e-1.tar.gz") == "127.0.0.1_6001_e-1.tar.gz"
        assert file_name("https://b.s3.amazonaws.com/a/k*.tgz?X-Amz=1") == (
            "b.s3.amazonaws.com_a_k_.tgz"
        )

    def test_one_result(self, files: Files, tmp_path: Path) -> None:
        files.content["/e-1.tar.gz"] = archive(
            stdout="hi\n", stderr="", exitCode="0", outputs__a__b="x"
        )
        download(results(files, "/e-1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {
            "exitCode": "0",
            "outputs/a/b": "x",
            "stderr": "",
            "stdout": "hi\n",
        }

    def test_several_results(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", exitCode="0", outputs__one="1")
        files.content["/2.tgz"] = archive(stdout="2", exitCode="0", outputs__two="2")
        download(results(files, "/1.tar.gz", "/2.tgz"), tmp_path)
        assert tree(tmp_path) == {
            "exitCode": "00",
            "outputs/one": "1",
            "outputs/two": "2",
            "stdout": "12",
        }

    def test_raw_keeps_what_was_published(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1")
        download(results(files, "/1.tar.gz"), tmp_path, raw=True)
        (path,) = (tmp_path / "raw").iterdir()
        assert path.read_bytes() == files.content["/1.tar.gz"]

    def test_results_that_collide_are_not_merged(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(outputs__x="1")
        files.content["/2.tar.gz"] = archive(outputs__x="2")
        with pytest.raises(ConflictError, match=r"already exists: .*/outputs/x. Try --raw"):
            download(results(files, "/1.tar.gz", "/2.tar.gz"), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["raw"]

    def test_what_was_fetched_is_not_fetched_again(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1")
        specs = results(files, "/1.tar.gz", "/2.tar.gz")
        with pytest.raises(NotFoundError):
            download(specs, tmp_path)
        files.content["/2.tar.gz"] = archive(stdout="2")
        download(specs, tmp_path)
        assert [path for path, _ in files.requests] == ["/1.tar.gz", "/2.tar.gz", "/2.tar.gz"]
        assert tree(tmp_path) == {"stdout": "12"}

    def test_a_damaged_archive_is_told_and_forgotten(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1" * 1000)[:-20]
        with pytest.raises(UserError, match="is not a sound archive"):
            download(results(files, "/1.tar.gz"), tmp_path)
        files.content["/1.tar.gz"] = archive(stdout="1")
        download(results(files, "/1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {"stdout": "1"}

    def test_an_archive_cannot_write_elsewhere(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(**{"..__evil": "x"})
        target = tmp_path / "out"
        target.mkdir()
        with pytest.raises(UserError, match="is not a sound archive"):
            download(results(files, "/1.tar.gz"), target)
        assert not (tmp_path / "evil").exists()

    def test_a_file_that_is_no_archive_is_kept_as_it_is(self, files: Files, tmp_path: Path) -> None:
        files.content["/report.txt"] = b"text"
        download(results(files, "/report.txt"), tmp_path)
        ((name, text),) = tree(tmp_path).items()
        assert name.endswith("_report.txt")
        assert text == "text"

    def test_one_path_of_the_results(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        download(results(files, "/1.tar.gz"), tmp_path, only="outputs/x")
        assert tree(tmp_path) == {"outputs/x": "x"}
        with pytest.raises(NotFoundError, match='no file "nope"'):
            download(results(files, "/1.tar.gz"), tmp_path, only="nope")

    def test_signed_links_are_checked_against_the_checksum(
        self, files: Files, tmp_path: Path
    ) -> None:
        content = files.content["/k.tar.gz"] = archive(stdout="1")
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        good = SpecConfig(
            type="s3PreSigned",
            params={
                "PreSignedURL": files.url + "/k.tar.gz?X-Amz-Signature=s",
                "SourceSpec": {"Bucket": "b", "Key": "k.tar.gz", "ChecksumSHA256": digest},
            },
        )
        download([good], tmp_path)
        assert tree(tmp_path) == {"stdout": "1"}
        bad = SpecConfig(
            type="s3PreSigned", params={**good.params, "SourceSpec": {"ChecksumSHA256": "AAAA"}}
        )
        other = tmp_path / "other"
        other.mkdir()
        with pytest.raises(UserError, match="checksum"):
            download([bad], other)
        assert tree(other) == {}


class TestJobGet:
    def run(self, server: ServedApi, published: SpecConfig | None, *arguments: str) -> Outcome:
        job = finished_job(published=published)
        execution = finished_execution(job, published=published)
        server.run(store_job(server.api.store, job, [execution]))
        return server.cli("job", "get", job.id, *arguments)

    def test_into_a_directory_of_its_own(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        files.content["/e.tar.gz"] = archive(stdout="hi", exitCode="0")
        outcome = self.run(server, results(files, "/e.tar.gz")[0])
        job_id = finished_job().id
        assert outcome.code == 0
        assert outcome.stdout == (
            f"Results for job '{job_id}' have been written to...\n{tmp_path}/job-j-2b1e6c11\n"
        )
        assert outcome.stderr == f"Fetching results of job '{job_id}'...\n"
        assert tree(tmp_path) == {"job-j-2b1e6c11/exitCode": "0", "job-j-2b1e6c11/stdout": "hi"}
        again = server.cli("job", "get", job_id)
        assert again.code == 1
        assert "output already exists at" not in again.stdout
        assert f"already exists: {tmp_path}/job-j-2b1e6c11/exitCode. Try --raw" in again.stderr

    def test_the_directory_is_named_as_the_user_did(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "out").mkdir()
        files.content["/e.tar.gz"] = archive(stdout="hi")
        outcome = self.run(server, results(files, "/e.tar.gz")[0], "--output-dir", "out")
        assert outcome.lines[-1] == "out"
        assert tree(tmp_path) == {"out/stdout": "hi"}

    def test_a_directory_that_cannot_be_made(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "job-j-2b1e6c11").write_text("in the way")
        files.content["/e.tar.gz"] = archive(stdout="hi")
        outcome = self.run(server, results(files, "/e.tar.gz")[0])
        assert outcome.code == 1
        assert outcome.stderr.splitlines()[2:] == [
            f"Error: cannot write results to {tmp_path}/job-j-2b1e6c11: File exists",
            "Hint:  name a directory that you may write to, and that has room, with --output-dir",
        ]

    def test_nothing_published(self, server: ServedApi) -> None:
        outcome = self.run(server, None)
        assert outcome.code == 0
        assert outcome.lines[0] == "No results found"
        assert outcome.lines[-1] == f"  bacalhau job logs {finished_job().id}"

    def test_results_that_no_downloader_knows_are_shown(
        self, server: ServedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        outcome = self.run(server, SpecConfig(type="ipfs", params={"CID": "Qm"}))
        assert outcome.code == 0
        notice, _, items = outcome.stderr.partition("\n")[2].partition("\n")
        assert notice == "No supported downloader found for the published results: ipfs"
        assert json.loads(items) == [{"Type": "ipfs", "Params": {"CID": "Qm"}}]
        assert tree(tmp_path) == {}

    def test_a_kind_that_is_switched_off_is_not_downloaded(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        files.content["/e.tar.gz"] = archive(stdout="hi")
        off = ("-c", "ResultDownloaders.Disabled=URLDownload")
        outcome = self.run(server, results(files, "/e.tar.gz")[0], *off)
        assert outcome.code == 0
        assert "ResultDownloaders.Disabled lists urlDownload\n" in outcome.stderr
        assert files.requests == []

    def test_an_interrupted_download_goes_on(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        noise = random.Random(1).randbytes(600_000)
        files.content["/e.tar.gz"] = archive(stdout="hi", data=noise)
        files.break_after["/e.tar.gz"] = [300_000, 0]
        broken = self.run(server, results(files, "/e.tar.gz")[0])
        assert broken.code == 1
        assert "Hint:  run the same command again: it goes on where" in broken.stderr
        again = server.cli("job", "get", finished_job().id)
        assert again.code == 0
        assert files.requests[-1][1] == "bytes=300000-"
        (folder,) = tmp_path.iterdir()
        assert sorted(path.name for path in folder.iterdir()) == ["data", "stdout"]
        assert (folder / "data").read_bytes() == noise

    def test_progress_is_drawn_on_a_terminal(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("bacalhau.cli.job.get._DRAWN_EVERY_SECONDS", 0)
        content = files.content["/e.tar.gz"] = archive(stdout="hi")
        spec = results(files, "/e.tar.gz")[0]
        job = finished_job(published=spec)
        execution = finished_execution(job, published=spec)
        server.run(store_job(server.api.store, job, [execution]))
        outcome = server.cli("job", "get", job.id, terminal=True)
        size = f"{len(content)}"
        drawn, erased = outcome.stderr.split("\r")[-2:]
        assert size in drawn.replace(",", "")
        assert " of " in drawn
        assert erased == "\x1b[K"
