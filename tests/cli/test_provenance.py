"""What `bacalhau job describe` shows of inputs and outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from msgspec.structs import replace

from bacalhau.cli.views import provenance as views
from bacalhau.cli.views.provenance import output_lines
from bacalhau.client import requests
from bacalhau.lifecycle.changes import JobChanges, ProvenanceDraft
from bacalhau.models import ExecutionID, SpecConfig
from bacalhau.models.provenance import FileRecord, InputRecord, OutputRecord
from tests.support.api_server import store_job
from tests.support.jobs import finished_execution, finished_job

if TYPE_CHECKING:
    from bacalhau.models import Job
    from tests.support.cli import ServedApi

INPUT = InputRecord(
    target="/inputs",
    type="s3",
    origin="s3://data/words/",
    endpoint="http://localhost:9000",
    objects=1000,
    size_bytes=123456,
    digest="1f2e3d4c5b6a" + "0" * 52,
    files=[
        FileRecord(
            key=f"words/{number}.txt",
            path=f"{number}.txt",
            size_bytes=100 + number,
            etag=f'"9b2cf535f27731c9{number}"',
            version_id="3LgRkTQmSd5lF8QX",
            sha256=f"{number}a7816bf8f01cfea" + "0" * 48,
        )
        for number in range(8)
    ],
)
OUTPUT = OutputRecord(
    type="s3",
    objects=2,
    size_bytes=7,
    digest="abcdef012345" + "0" * 52,
    files=[
        FileRecord(path="exitCode", size_bytes=1, sha256="5feceb66ffc8" + "0" * 52),
        FileRecord(path="out/\x1b[2Jx", size_bytes=6, sha256="6b86b273ff34" + "0" * 52),
    ],
)
SHOWN = """\
Execution e-2b1e6c11 Inputs
/inputs = s3://data/words/ at http://localhost:9000: 1000 files, 123456 bytes, digest 1f2e3d4c5b6a
 KEY          SIZE  VERSION       ETAG          SHA-256
 words/0.txt  100   3LgRkTQmSd5l  9b2cf535f277  0a7816bf8f01
 words/1.txt  101   3LgRkTQmSd5l  9b2cf535f277  1a7816bf8f01
 words/2.txt  102   3LgRkTQmSd5l  9b2cf535f277  2a7816bf8f01
 words/3.txt  103   3LgRkTQmSd5l  9b2cf535f277  3a7816bf8f01
 words/4.txt  104   3LgRkTQmSd5l  9b2cf535f277  4a7816bf8f01
 ... and 995 more

Execution e-2b1e6c11 Outputs
s3://results/e-1/: 2 files, 7 bytes, digest abcdef012345
 PATH          SIZE  SHA-256
 exitCode      1     5feceb66ffc8
 out/\\x1b[2Jx  6     6b86b273ff34
"""


def add(server: ServedApi, *inputs: InputRecord, outputs: OutputRecord | None = None) -> Job:
    job = finished_job()
    published = SpecConfig(type="s3", params={"Bucket": "results", "Key": "e-1/"})
    execution = finished_execution(job, published=published)
    draft = ProvenanceDraft(execution_id=execution.id, inputs=inputs, outputs=outputs)
    server.run(store_job(server.api.store, job, [execution]))
    server.run(server.api.store.apply(JobChanges(job_id=job.id, provenance=(draft,))))
    return job


def sections(lines: list[str]) -> str:
    """Return the part of the page on inputs and outputs."""
    return "\n".join(lines[lines.index("Execution e-2b1e6c11 Inputs") :])


def test_the_page_tells_where_data_came_from_and_went_to(server: ServedApi) -> None:
    job = add(server, INPUT, outputs=OUTPUT)
    lines = server.cli("job", "describe", job.id).lines
    assert sections(lines).startswith(SHOWN)


def test_columns_of_which_nothing_is_known_are_left_out(server: ServedApi) -> None:
    file = FileRecord(key="https://e.org/x", path="x", size_bytes=3, sha256="ab" * 32)
    web = replace(INPUT, type="urldownload", origin=file.key, endpoint="", objects=1, files=[file])
    job = add(server, web)
    text = sections(server.cli("job", "describe", job.id).lines)
    assert "\n/inputs = https://e.org/x: 1 file, 123456 bytes, digest" in text
    assert "\n KEY              SIZE  SHA-256\n" in text


def test_what_the_node_lent_is_not_shown_as_if_it_were_known(server: ServedApi) -> None:
    lent = FileRecord(key="/mnt/data", path=".", is_directory=True)
    job = add(server, replace(INPUT, origin="/mnt/data", endpoint="", objects=1, files=[lent]))
    text = sections(server.cli("job", "describe", job.id).lines)
    assert "\n/inputs = /mnt/data: lent by the node, not hashed\n" in text


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"URL": "http://bob:pw@h:1/e-1.tar.gz?X-Amz-Signature=s"}, "http://h:1/e-1.tar.gz"),
        ({"Bucket": "b", "Key": "k.tar.gz", "Region": "x"}, "s3://b/k.tar.gz"),
        ({}, "s3"),
    ],
)
def test_the_place_of_results_is_shown_without_secrets(params: dict[str, str], place: str) -> None:
    text = output_lines(OUTPUT, SpecConfig(type="x", params=params))
    assert text.startswith(f"{place}: 2 files, 7 bytes")


def test_everything_that_is_kept_can_be_printed(server: ServedApi) -> None:
    job = add(server, INPUT, outputs=OUTPUT)
    (told,) = json.loads(server.cli("job", "describe", "--provenance", job.id).stdout)
    assert [len(each["Files"]) for each in (*told["Inputs"], told["Outputs"])] == [8, 2]
    text = server.cli("job", "describe", "--provenance", "--output", "yaml", job.id).stdout
    assert yaml.safe_load(text) == [told]


def test_further_executions_are_pointed_at(
    server: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SHOWN_EXECUTIONS", 1)
    job = add(server, INPUT)
    assert "further executions" not in server.cli("job", "describe", job.id).stdout
    second = replace(finished_execution(job), id=ExecutionID("e-second"))
    draft = ProvenanceDraft(execution_id=second.id, inputs=(INPUT,))
    changes = JobChanges(
        job_id=job.id, executions=(replace(second, revision=1),), provenance=(draft,)
    )
    server.run(server.api.store.apply(changes))
    page = server.cli("job", "describe", job.id)
    assert page.lines[-1] == f"\tbacalhau job describe --provenance {job.id}"
    assert len(json.loads(server.cli(*page.lines[-1].split()[1:]).stdout)) == 2


def test_the_json_of_a_job_stays_as_it_was(server: ServedApi) -> None:
    job = add(server, INPUT, outputs=OUTPUT)
    document = json.loads(server.cli("job", "describe", "--output", "json", job.id).stdout)
    assert list(document) == ["Job", "History", "Executions"]


def test_a_server_that_does_not_know_of_it_is_no_obstacle(
    server: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add(server, INPUT)
    ours = requests.provenance

    def unknown(*arguments: object, **options: object) -> requests.Request[object]:
        return replace_path(ours(*arguments, **options))  # type: ignore[arg-type]

    monkeypatch.setattr(requests, "provenance", unknown)
    outcome = server.cli("job", "describe", job.id)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "Standard Output" in outcome.stdout
    assert "Inputs" not in outcome.stdout


def replace_path(request: requests.Request[object]) -> requests.Request[object]:
    from dataclasses import replace as changed

    return changed(request, path=f"{request.path}-of-later-versions")


def test_a_name_with_a_line_break_is_one_row() -> None:
    record = OutputRecord(
        type="s3", objects=1, size_bytes=1, files=[FileRecord(path="a\nb\tc", size_bytes=1)]
    )
    assert " a\\x0ab\\x09c  1" in output_lines(record, SpecConfig())
