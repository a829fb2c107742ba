"""Fetching results, from servers that do not always behave (spec storage.md 8.2, 8.3)."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from bacalhau.client.fetch import ATTEMPTS
from bacalhau.client.results import file_name
from bacalhau.errors import ConflictError, NotFoundError, UserError
from bacalhau.lib.digests import format_digest
from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.models import JobState, SpecConfig, State
from bacalhau.models.provenance import FileRecord, OutputRecord
from tests.support.api_server import store_job
from tests.support.file_server import Files, serve_files
from tests.support.jobs import finished_execution, finished_job
from tests.support.results import archive, content, download, links, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.cli import Outcome, ServedApi

LARGE = bytes(range(256)) * 4096


@pytest.fixture
def files() -> Iterator[Files]:
    """A file server."""
    with serve_files() as served:
        yield served


class TestLayout:
    def test_names_in_raw(self) -> None:
        assert file_name("http://127.0.0.1:6001/e-1.tar.gz") == "127.0.0.1_6001_e-1.tar.gz"
        assert file_name("https://b.s3.amazonaws.com/a/k*.tgz?X-Amz=1") == (
            "b.s3.amazonaws.com_a_k_.tgz"
        )
        assert file_name("https://host/f.part") == "host_f.part_"
        assert len(file_name(f"https://host/{'é' * 500}.tar.gz").encode()) <= 200

    def test_one_result(self, files: Files, tmp_path: Path) -> None:
        files.content["/e-1.tar.gz"] = archive(
            stdout="hi\n", stderr="", exitCode="0", outputs__a__b="x"
        )
        download(links(files, "/e-1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {
            "exitCode": "0",
            "outputs/a/b": "x",
            "stderr": "",
            "stdout": "hi\n",
        }

    def test_several_results(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", exitCode="0", outputs__one="1")
        files.content["/2.tgz"] = archive(stdout="2", exitCode="0", outputs__two="2")
        download(links(files, "/1.tar.gz", "/2.tgz"), tmp_path)
        assert tree(tmp_path) == {
            "exitCode": "00",
            "outputs/one": "1",
            "outputs/two": "2",
            "stdout": "12",
        }

    def test_raw_keeps_what_was_published(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1")
        download(links(files, "/1.tar.gz"), tmp_path, raw=True)
        (path,) = (tmp_path / "raw").iterdir()
        assert path.read_bytes() == files.content["/1.tar.gz"]

    def test_results_that_collide_are_not_merged(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(outputs__x="1")
        files.content["/2.tar.gz"] = archive(outputs__x="2")
        with pytest.raises(
            ConflictError, match=r"already exists: .*/outputs/x. Try --raw"
        ) as caught:
            download(links(files, "/1.tar.gz", "/2.tar.gz"), tmp_path)
        assert "several executions have it; --raw" in caught.value.hint
        assert list(tmp_path.iterdir()) == [], "nothing is left behind"

    def test_nothing_is_fetched_for_a_directory_that_has_results(
        self, files: Files, tmp_path: Path
    ) -> None:
        files.content["/1.tar.gz"] = archive(stdout="new")
        (tmp_path / "stdout").write_text("mine")
        with pytest.raises(ConflictError, match=r"already exists: .*/stdout. Try --raw") as caught:
            download(links(files, "/1.tar.gz"), tmp_path)
        assert caught.value.hint == "move stdout away, or name another directory with --output-dir"
        assert files.requests == []
        assert tree(tmp_path) == {"stdout": "mine"}

    def test_what_was_fetched_is_not_fetched_again(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1")
        specs = links(files, "/1.tar.gz", "/2.tar.gz")
        download(specs[:1], tmp_path, raw=True)
        with pytest.raises(NotFoundError):
            download(specs, tmp_path)
        files.content["/2.tar.gz"] = archive(stdout="2")
        assert (tmp_path / "raw").exists(), "what has arrived is kept"
        _, moved_bytes = download(specs, tmp_path)
        assert moved_bytes == len(files.content["/2.tar.gz"])
        assert tree(tmp_path) == {"stdout": "12"}

    def test_a_file_that_changed_since_is_fetched_again(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="old")
        specs = links(files, "/1.tar.gz", "/2.tar.gz")
        download(specs[:1], tmp_path, raw=True)
        files.content["/1.tar.gz"] = archive(stdout="a new one", more="x" * 2000)
        files.content["/2.tar.gz"] = archive(stdout=".")
        download(specs, tmp_path)
        assert (tmp_path / "stdout").read_text() == "a new one."

    def test_a_merge_that_was_cut_short_goes_on(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        specs = links(files, "/1.tar.gz")
        download(specs, tmp_path, raw=True)
        (tmp_path / "stdout").write_text("1")
        _, moved_bytes = download(specs, tmp_path)
        assert moved_bytes == 0
        assert tree(tmp_path) == {"outputs/x": "x", "stdout": "1"}

    def test_the_same_object_twice_is_one_result(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        download(links(files, "/1.tar.gz", "/1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {"outputs/x": "x", "stdout": "1"}

    def test_an_output_that_is_called_raw(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", raw__x="x")
        download(links(files, "/1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {"raw/x": "x", "stdout": "1"}

    def test_a_folder_of_the_user_that_is_called_raw(self, files: Files, tmp_path: Path) -> None:
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw/photo").write_text("mine")
        (tmp_path / "raw/empty").mkdir()
        files.content["/1.tar.gz"] = archive(stdout="1", raw__x="x")
        download(links(files, "/1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {"raw/photo": "mine", "raw/x": "x", "stdout": "1"}
        assert (tmp_path / "raw/empty").is_dir()
        files.content["/2.tar.gz"] = archive(raw__photo="x")
        with pytest.raises(ConflictError, match=r"already exists: .*/raw/photo"):
            download(links(files, "/2.tar.gz"), tmp_path, only="raw")
        assert tree(tmp_path) == {"raw/photo": "mine", "raw/x": "x", "stdout": "1"}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "stdout"]

    def test_a_file_of_the_user_that_is_called_raw(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1")
        (tmp_path / "raw").write_text("mine")
        with pytest.raises(ConflictError, match="/raw is in the way") as caught:
            download(links(files, "/1.tar.gz"), tmp_path)
        assert caught.value.hint.startswith("move it away")
        assert tree(tmp_path) == {"raw": "mine"}

    def test_one_path_leaves_an_interrupted_download_alone(
        self, files: Files, tmp_path: Path
    ) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        specs = links(files, "/1.tar.gz", "/2.tar.gz")
        download(specs[:1], tmp_path, raw=True)
        files.content["/2.tar.gz"] = archive(stdout="2")
        download(specs, tmp_path, only="outputs/x")
        assert (tmp_path / "outputs/x").read_text() == "x"
        assert [path.name[-8:] for path in (tmp_path / "raw").iterdir()] == ["1.tar.gz"]

    def test_two_downloads_to_one_place(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1")
        (tmp_path / "raw").mkdir()
        other = os.open(tmp_path / "raw", os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="another process downloads to"):
            download(links(files, "/1.tar.gz"), tmp_path)
        os.close(other)
        download(links(files, "/1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {"stdout": "1"}

    def test_contents_that_are_known_decide_without_fetching(
        self, files: Files, tmp_path: Path
    ) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1", outputs__x="x")
        known = [(content("outputs/x", b"x"), content("stdout", b"1"))]
        specs = links(files, "/1.tar.gz")
        assert download(specs, tmp_path, contents=known)[0]
        asked = len(files.requests)
        assert download(specs, tmp_path, contents=known) == (False, 0)
        assert download(specs, tmp_path, contents=known, only="outputs") == (False, 0)
        (tmp_path / "outputs/x").write_text("y")
        with pytest.raises(ConflictError, match=r"already exists: .*/outputs/x"):
            download(specs, tmp_path, contents=known)
        assert len(files.requests) == asked
        assert tree(tmp_path) == {"outputs/x": "y", "stdout": "1"}

    def test_a_damaged_archive_is_told_and_forgotten(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(stdout="1" * 1000)[:-20]
        with pytest.raises(UserError, match="is not a sound archive"):
            download(links(files, "/1.tar.gz"), tmp_path)
        files.content["/1.tar.gz"] = archive(stdout="1")
        download(links(files, "/1.tar.gz"), tmp_path)
        assert tree(tmp_path) == {"stdout": "1"}

    def test_an_archive_cannot_write_elsewhere(self, files: Files, tmp_path: Path) -> None:
        files.content["/1.tar.gz"] = archive(**{"..__evil": "x"})
        target = tmp_path / "out"
        target.mkdir()
        with pytest.raises(UserError, match="is not a sound archive"):
            download(links(files, "/1.tar.gz"), target)
        assert not (tmp_path / "evil").exists()

    def test_a_file_that_is_no_archive_is_kept_as_it_is(self, files: Files, tmp_path: Path) -> None:
        files.content["/report.txt"] = b"text"
        download(links(files, "/report.txt"), tmp_path)
        ((name, text),) = tree(tmp_path).items()
        assert name.endswith("_report.txt")
        assert text == "text"

    @pytest.mark.parametrize(
        "written", [format_digest, bytes.hex, lambda digest: f"0x{digest.hex()}"]
    )
    def test_signed_links_are_checked_against_the_checksum(
        self, files: Files, tmp_path: Path, written: Callable[[bytes], str]
    ) -> None:
        content = files.content["/k.tar.gz"] = archive(stdout="1")
        digest = written(hashlib.sha256(content).digest())
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
        outcome = self.run(server, links(files, "/e.tar.gz")[0])
        job_id = finished_job().id
        assert outcome.code == 0
        assert outcome.stdout == (
            f"Results for job '{job_id}' have been written to...\n{tmp_path}/job-j-2b1e6c11\n"
        )
        assert outcome.stderr == f"Fetching results of job '{job_id}'...\n"
        assert tree(tmp_path) == {"job-j-2b1e6c11/exitCode": "0", "job-j-2b1e6c11/stdout": "hi"}
        again = server.cli("job", "get", job_id)
        assert again.code == 1
        assert len(files.requests) == 1
        assert f"already exists: {tmp_path}/job-j-2b1e6c11/exitCode. Try --raw" in again.stderr

    def test_what_the_orchestrator_keeps_of_outputs_says_that_they_are_there(
        self, server: ServedApi, files: Files, tmp_path: Path
    ) -> None:
        packed = {"exitCode": b"0", "outputs/x": b"x"}
        files.content["/e.tar.gz"] = archive(exitCode="0", outputs__x="x")
        here = ("--output-dir", str(tmp_path))
        assert self.run(server, links(files, "/e.tar.gz")[0], *here).code == 0
        job_id, asked = finished_job().id, len(files.requests)
        self.keep_outputs(server, packed)
        again = server.cli("job", "get", job_id, *here)
        assert again.code == 0
        assert again.stderr.splitlines()[1:] == [
            "They are there already, unchanged: nothing was fetched"
        ]
        assert len(files.requests) == asked
        (tmp_path / "outputs/x").write_text("y")
        other = server.cli("job", "get", job_id, *here)
        assert f"already exists: {tmp_path}/outputs/x. Try --raw" in other.stderr
        assert len(files.requests) == asked

    @pytest.mark.parametrize(
        ("packed", "objects"),
        [({"exitCode": b"0"}, 2000), ({"../x": b"0"}, 1)],
        ids=["not all are kept", "they make no sense"],
    )
    def test_what_the_orchestrator_keeps_may_be_of_no_use(
        self,
        packed: dict[str, bytes],
        objects: int,
        server: ServedApi,
        files: Files,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "stdout").write_text("mine")
        files.content["/e.tar.gz"] = archive(stdout="hi")
        spec = links(files, "/e.tar.gz")[0]
        self.run(server, spec, "--output-dir", str(tmp_path))
        self.keep_outputs(server, packed, objects)
        again = server.cli("job", "get", finished_job().id, "--output-dir", str(tmp_path))
        assert f"already exists: {tmp_path}/stdout. Try --raw" in again.stderr
        assert files.requests == []

    def keep_outputs(
        self, server: ServedApi, packed: dict[str, bytes], objects: int | None = None
    ) -> None:
        job = finished_job()
        kept = [
            FileRecord(path=path, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for path, data in packed.items()
        ]
        outputs = OutputRecord(type="local", objects=objects or len(kept), files=kept)
        draft = ProvenanceDraft(execution_id=finished_execution(job).id, inputs=(), outputs=outputs)
        server.run(server.api.store.apply(JobChanges(job_id=job.id, provenance=(draft,))))

    def test_the_directory_is_named_as_the_user_did(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "out").mkdir()
        files.content["/e.tar.gz"] = archive(stdout="hi")
        outcome = self.run(server, links(files, "/e.tar.gz")[0], "--output-dir", "out")
        assert outcome.lines[-1] == "out"
        assert tree(tmp_path) == {"out/stdout": "hi"}

    def test_a_directory_that_cannot_be_made(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "job-j-2b1e6c11").write_text("in the way")
        files.content["/e.tar.gz"] = archive(stdout="hi")
        outcome = self.run(server, links(files, "/e.tar.gz")[0])
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

    def test_nothing_published_yet(self, server: ServedApi) -> None:
        state = State[JobState](state_type=JobState.RUNNING)
        job = msgspec.structs.replace(finished_job(), state=state)
        server.run(store_job(server.api.store, job, []))
        outcome = server.cli("job", "get", job.id)
        assert outcome.code == 0
        assert outcome.lines[0] == "No results found"
        assert outcome.stderr.splitlines()[1:] == ["The job has not ended yet: it is Running"]

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
        outcome = self.run(server, links(files, "/e.tar.gz")[0], *off)
        assert outcome.code == 0
        assert "ResultDownloaders.Disabled lists urlDownload\n" in outcome.stderr
        assert files.requests == []

    def test_an_interrupted_download_goes_on(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        noise = random.Random(1).randbytes(2_000_000)
        files.content["/e.tar.gz"] = archive(stdout="hi", data=noise)
        files.break_after["/e.tar.gz"] = [300_000] + [0] * ATTEMPTS
        broken = self.run(server, links(files, "/e.tar.gz")[0])
        assert broken.code == 1
        assert "Hint:  run the same command again: it goes on where" in broken.stderr
        again = server.cli("job", "get", finished_job().id)
        assert again.code == 0
        assert (files.requests[-1][1] or "").startswith("bytes=300000-")
        (folder,) = tmp_path.iterdir()
        assert sorted(path.name for path in folder.iterdir()) == ["data", "stdout"]
        assert (folder / "data").read_bytes() == noise

    def test_links_that_expire_are_asked_for_again(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        noise = random.Random(1).randbytes(30_000_000)
        packed = files.content["/e.tar.gz"] = archive(noise=noise)
        files.expired["/e.tar.gz"] = 2
        link = {"PreSignedURL": f"{files.url}/e.tar.gz?X-Amz-Expires=1", "SourceSpec": {}}
        outcome = self.run(server, SpecConfig(type="s3PreSigned", params=link))
        assert outcome.code == 0, outcome.stderr
        assert files.expired == {}
        assert files.sent_bytes < 2 * len(packed)
        (folder,) = tmp_path.iterdir()
        assert (folder / "noise").read_bytes() == noise

    def test_links_that_are_refused_for_good(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        files.status["/e.tar.gz"] = 403
        link = {"PreSignedURL": f"{files.url}/e.tar.gz?X-Amz-Signature=s", "SourceSpec": {}}
        outcome = self.run(server, SpecConfig(type="s3PreSigned", params=link))
        assert outcome.code == 1
        assert "e.tar.gz: the server answered 403 Forbidden\n" in outcome.stderr
        assert len(files.requests) == 2
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ("/../x", 'no path of a result: "../x" leaves its directory'),
            ("//etc/x", 'no path of a result: "/etc/x" is an absolute path'),
        ],
    )
    def test_paths_that_no_result_has(
        self, argument: str, message: str, server: ServedApi, tmp_path: Path
    ) -> None:
        outcome = server.cli("job", "get", f"j-1{argument}", "--output-dir", str(tmp_path))
        assert outcome.code == 1
        assert message in outcome.stderr

    def test_a_path_and_raw(self, server: ServedApi) -> None:
        outcome = server.cli("job", "get", "j-1/stdout", "--raw")
        assert outcome.code == 1
        assert 'it does not go with a path ("stdout")' in outcome.stderr

    def test_a_folder_that_was_made_does_not_stay_empty(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        outcome = self.run(server, links(files, "/e.tar.gz")[0])
        assert outcome.code == 1
        assert "the server answered 404" in outcome.stderr
        assert list(tmp_path.iterdir()) == []

    def test_progress_is_drawn_on_a_terminal(
        self, server: ServedApi, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("bacalhau.cli.transfer.DRAWN_EVERY_SECONDS", 0)
        content = files.content["/e.tar.gz"] = archive(stdout="hi")
        spec = links(files, "/e.tar.gz")[0]
        job = finished_job(published=spec)
        execution = finished_execution(job, published=spec)
        server.run(store_job(server.api.store, job, [execution]))
        outcome = server.cli("job", "get", job.id, terminal=True)
        size = f"{len(content)}"
        drawn, erased = outcome.stderr.split("\r")[-2:]
        assert f"[####################] 100%  {size} B of {size} B" in drawn
        assert erased == "\x1b[K"
