"""Records of what an execution read and wrote."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from bacalhau.compute import provenance
from bacalhau.compute.inputs import PreparedInput
from bacalhau.compute.provenance import MAX_BYTES, MAX_FILES, Scribe
from bacalhau.errors import TransientError
from bacalhau.models import InputSource, SpecConfig
from bacalhau.models.provenance import FileRecord
from bacalhau.ports import Fetched, InputPlan, PlannedObject, Published, PublishedFile
from bacalhau.ports.plugin import Volume
from bacalhau.testing.workspace_fake import FakeWorkspace
from tests.support.compute_node import offer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bacalhau.models import Execution
    from bacalhau.models.provenance import FileList

EXECUTION = offer()


def digest_of(files: Iterable[FileRecord]) -> str:
    """The digest, from what the API shows of the files."""
    shown = [msgspec.to_builtins(file) for file in files]
    kept = [{k: v for k, v in file.items() if k not in ("ETag", "VersionID")} for file in shown]
    lines = [msgspec.json.encode(file) + b"\n" for file in kept]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def planned(count: int, *, prefix: str = "k/") -> tuple[PlannedObject, ...]:
    return tuple(
        PlannedObject(key=f"{prefix}{number:05}", path=f"{number:05}", size_bytes=number)
        for number in range(1, count + 1)
    )


def prepared(tmp_path: Path, *objects: PlannedObject, is_in_job: bool = False) -> PreparedInput:
    spec = SpecConfig(type="s3", params={"Bucket": "b"})
    digests = {each.path: each.path.encode() for each in objects if not each.is_directory}
    return PreparedInput(
        source=InputSource(source=spec, target="/in"),
        plan=InputPlan(
            objects=objects, origin="s3://b/k/", endpoint="http://here", is_in_job=is_in_job
        ),
        fetched=Fetched(
            volume=Volume(path=tmp_path, target="/in"), digests=digests, versions={"told": "v9"}
        ),
    )


async def test_an_input_is_recorded_with_all_that_is_known(tmp_path: Path) -> None:
    objects = (
        PlannedObject(key="k/a", path="a", size_bytes=3, etag='"e"', version="v1"),
        PlannedObject(key="k/told", path="told", size_bytes=4),
        PlannedObject(key="k/d/", path="d", size_bytes=0, etag='"m"', is_directory=True),
    )
    workspace = FakeWorkspace()
    (record,) = await Scribe(EXECUTION, workspace).inputs([prepared(tmp_path, *objects)])
    assert (record.target, record.type) == ("/in", "s3")
    assert (record.origin, record.endpoint) == ("s3://b/k/", "http://here")
    assert (record.objects, record.size_bytes) == (3, 7)
    assert record.files == [
        FileRecord(
            key="k/a", path="a", size_bytes=3, etag='"e"', version_id="v1", sha256=b"a".hex()
        ),
        FileRecord(key="k/told", path="told", size_bytes=4, version_id="v9", sha256=b"told".hex()),
        FileRecord(key="k/d/", path="d", etag='"m"', is_directory=True),
    ]
    assert record.digest == digest_of(record.files)
    assert workspace.disk.lists == {}


async def test_a_digest_is_of_the_content_however_the_origin_calls_it(tmp_path: Path) -> None:
    """An object that the node has already has no version, and one written again has another."""
    digests = set()
    for etag, version in (('"e"', "v1"), ('"e"', ""), ('"e-2"', "v2")):
        item = PlannedObject(key="k/a", path="a", size_bytes=3, etag=etag, version=version)
        inputs = [prepared(tmp_path, item)]
        (record,) = await Scribe(EXECUTION, FakeWorkspace()).inputs(inputs)
        digests.add(record.digest)
    assert len(digests) == 1


@pytest.mark.parametrize("is_file", [True, False])
async def test_the_size_is_that_of_the_file_where_the_origin_did_not_tell_it(
    tmp_path: Path, is_file: bool
) -> None:
    (tmp_path / "a").write_bytes(b"123")
    known = prepared(tmp_path, PlannedObject(key="http://h/a", path="a", size_bytes=0))
    volume = Volume(path=tmp_path / "a" if is_file else tmp_path, target="/in")
    inputs = [replace(known, fetched=replace(known.fetched, volume=volume))]
    (record,) = await Scribe(EXECUTION, FakeWorkspace()).inputs(inputs)
    assert (record.size_bytes, record.files[0].size_bytes) == (3, 3)


async def test_what_the_job_itself_contains_is_not_recorded(tmp_path: Path) -> None:
    inputs = [prepared(tmp_path, *planned(1), is_in_job=True)]
    assert await Scribe(EXECUTION, FakeWorkspace()).inputs(inputs) == ()


async def test_outputs_have_a_digest_that_depends_on_their_content_alone() -> None:
    files = (PublishedFile(path="stdout", size_bytes=2, digest=b"\xab" * 32),)
    digests = set()
    for name in ("e-1", "e-2"):
        published = Published(spec=SpecConfig(type="s3", params={"Key": name}), files=files)
        record = await Scribe(offer(name=name), FakeWorkspace()).outputs(published)
        assert record.type == "s3"
        assert record.files == [FileRecord(path="stdout", size_bytes=2, sha256="ab" * 32)]
        digests.add(record.digest)
    assert digests == {digest_of(record.files)}


async def test_a_name_that_is_no_utf8_is_recorded_readably() -> None:
    files = (PublishedFile(path=os.fsdecode(b"a\xff\\b"), size_bytes=0, digest=b"\xab" * 32),)
    published = Published(spec=SpecConfig(type="local"), files=files)
    record = await Scribe(EXECUTION, FakeWorkspace()).outputs(published)
    assert [file.path for file in record.files] == [r"a\xff\b"]


def check_cut(record: FileList, whole: bytes) -> None:
    """The whole list, as it was written, has the digest of the record, and begins as it does."""
    files = [msgspec.json.decode(line, type=FileRecord) for line in whole.splitlines()]
    assert digest_of(files) == record.digest
    assert len(files) == record.objects > len(record.files)
    assert files[: len(record.files)] == record.files


async def test_a_long_list_is_cut_and_written_in_full(tmp_path: Path) -> None:
    workspace = FakeWorkspace()
    inputs = [
        prepared(tmp_path, *planned(MAX_FILES - 1)),
        prepared(tmp_path, *planned(500)),
        prepared(tmp_path, *planned(2)),
    ]
    records = await Scribe(EXECUTION, workspace).inputs(inputs)
    assert [len(record.files) for record in records] == [MAX_FILES - 1, 1, 0]
    assert [record.objects for record in records] == [MAX_FILES - 1, 500, 2]
    lists = workspace.disk.lists
    assert set(lists) == {("e-1", "input-1"), ("e-1", "input-2")}
    check_cut(records[1], lists[EXECUTION.id, "input-1"])
    check_cut(records[2], lists[EXECUTION.id, "input-2"])


async def test_long_names_are_cut_before_there_are_many(tmp_path: Path) -> None:
    workspace = FakeWorkspace()
    objects = planned(400, prefix="x" * 1000)
    (record,) = await Scribe(EXECUTION, workspace).inputs([prepared(tmp_path, *objects)])
    assert len(msgspec.json.encode(record)) < MAX_BYTES + 1000
    assert 200 < len(record.files) < 300
    check_cut(record, workspace.disk.lists[EXECUTION.id, "input-0"])


class _FullDisk(FakeWorkspace):
    async def keep_list(self, execution: Execution, name: str, lines: Iterable[bytes]) -> None:
        await super().keep_list(execution, name, lines)
        raise TransientError("no space left")


async def test_a_full_disk_costs_the_list_but_not_its_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [prepared(tmp_path, *planned(MAX_FILES + 1))]
    (record,) = await Scribe(EXECUTION, _FullDisk()).inputs(inputs)
    (expected,) = await Scribe(EXECUTION, FakeWorkspace()).inputs(inputs)
    assert record == expected
    assert "list_of_files_lost" in capsys.readouterr().out


async def test_a_million_objects_are_recorded_in_bounded_memory(tmp_path: Path) -> None:
    """As many as an input may have, here a part of it: nothing is made of them all at once."""
    inputs = [prepared(tmp_path, *planned(20_000))]
    workspace = _Counting()
    tracemalloc.start()
    (record,) = await Scribe(EXECUTION, workspace).inputs(inputs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (record.objects, workspace.lines) == (20_000, 20_000)
    assert len(record.files) == provenance.MAX_FILES
    assert peak < 2 * 2**20


class _Counting(FakeWorkspace):
    lines = 0

    async def keep_list(self, execution: Execution, name: str, lines: Iterable[bytes]) -> None:
        for _ in lines:
            self.lines += 1
