"""Recordings of the original that need no node which runs, and a look at all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from bacalhau.models import ResourcesConfig, SpecConfig
from bacalhau.models.jobfile import load_job
from tests.support.api_server import store_job
from tests.support.cli import run_cli
from tests.support.golden_cli import NAMES, OVERRIDES, assert_shape
from tests.support.jobs import finished_execution, finished_history, finished_job

if TYPE_CHECKING:
    from bacalhau.models import Job
    from tests.support.cli import ServedApi

FOLDER = Path(__file__).parent
DOCKER = """\
Name: docker
Type: batch
Count: 1
Tasks:
- Name: main
  Engine:
    Type: docker
    Params: {Image: ubuntu, Entrypoint: [sh, -c], Parameters: [echo hello]}
  Publisher: {Type: local}
  ResultPaths: [{Name: outputs, Path: /outputs}]
"""
WASM = """\
Name: wasm
Type: batch
Count: 1
Tasks:
- Name: main
  Engine:
    Type: wasm
    Params:
      EntryModule: {Source: {Type: inline, Params: {URL: "data:,"}}, Target: ""}
      Entrypoint: _start
"""


def add_job(server: ServedApi, text: str, number: int = 1, *meta: str) -> Job:
    """Store a completed job as a job file has it, with the defaults of the original."""
    task = load_job(text)[0].task
    task = structs.replace(task, resources=ResourcesConfig(cpu="500m", memory="1gb"))
    published = SpecConfig(type="urlDownload", params={"URL": "http://127.0.0.1/x"})
    names = ("orchestrator.id", "requester.id", "server.instance.id", *meta)
    stamped = {f"bacalhau.org/{name}": "x" for name in names}
    job = structs.replace(finished_job(number), tasks=[task], labels={}, meta=stamped)
    execution = finished_execution(job, published=published)
    desired = structs.replace(execution.desired_state, message="execution completed")
    execution = structs.replace(execution, desired_state=desired)
    server.run(store_job(server.api.store, job, [execution], finished_history(job)))
    return job


@pytest.mark.parametrize("name", ["job-describe-json", "job-describe-yaml"])
def test_describing_in_other_forms(server: ServedApi, name: str) -> None:
    job = add_job(server, DOCKER, 1, "client.instance.id")
    outcome = server.cli("job", "describe", "--output", name.rpartition("-")[2], job.id)
    assert_shape(outcome, name)


def test_listing(server: ServedApi) -> None:
    for number, text in enumerate([WASM, WASM, DOCKER, DOCKER], start=1):
        add_job(server, text, number)
    assert_shape(server.cli("job", "list", "--limit", "3"), "job-list")
    as_json = server.cli("job", "list", "--limit", "1", "--output", "json")
    assert_shape(as_json, "job-list-json")


def test_mistakes(server: ServedApi) -> None:
    form = server.cli("job", "list", "--output", "nonsense")
    # The recording has lost the bracket behind the last word.
    assert_shape(replace(form, stderr=form.stderr.replace('"]', '"')), "bad-output-format")
    assert_shape(server.cli("job", "list", "--order-by", "nonsense"), "job-list-bad-order")
    assert_shape(server.cli("node", "describe", "n-none"), "node-describe-not-found")


def test_job_files(tmp_path: Path) -> None:
    path, bad = tmp_path / "job.yaml", tmp_path / "bad.yaml"
    path.write_text(DOCKER)
    bad.write_text("Type: nonsense\n")
    assert_shape(run_cli("job", "run", "--dry-run", str(path)), "job-run-dry-run")
    assert_shape(run_cli("job", "run", str(bad)), "job-run-invalid")
    assert_shape(run_cli("job", "validate", str(path)), "job-validate")
    assert_shape(run_cli("job", "validate", str(bad)), "job-validate-invalid")


def test_first_use(tmp_path: Path) -> None:
    fresh = {"BACALHAU_DIR": str(tmp_path / "data")}
    assert_shape(run_cli("version", "--client", environment=fresh), "version-first-use")
    assert_shape(run_cli("job", "list", "--api-port", "1", environment=fresh), "no-server")


def test_every_recording_is_compared() -> None:
    tests = "".join(path.read_text() for path in FOLDER.glob("test_*.py"))
    assert [name for name in NAMES if f'"{name}"' not in tests] == []


def test_every_override_says_why_in_words_of_the_documentation() -> None:
    page = (FOLDER.parents[1] / "docs" / "reference" / "differences.md").read_text()
    assert [name for name, entry in OVERRIDES.items() if entry["reason"] not in page] == []
