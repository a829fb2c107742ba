"""Programs by their kind: the job that `exec` makes of them."""

from __future__ import annotations

import base64
import io
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bacalhau.cli.flags.code import LARGEST_CODE_BYTES
from bacalhau.lib.archives import ArchiveLimits, unpack
from tests.support.cli import run_cli

if TYPE_CHECKING:
    from pathlib import Path


def job_of(*arguments: str, command: tuple[str, ...] = ("exec",)) -> Any:
    """Return the job that would be submitted."""
    outcome = run_cli(*command, "--dry-run", *arguments)
    assert (outcome.code, outcome.stderr) == (0, ""), outcome
    return yaml.safe_load(outcome.stdout)


def params(job: Any) -> Any:
    return job["Tasks"][0]["Engine"]["Params"]


@pytest.mark.parametrize("command", [("exec",), ("job", "exec")])
@pytest.mark.parametrize("kind", ["python", "Python"])
def test_python(command: tuple[str, ...], kind: str) -> None:
    job = job_of(kind, "--", "-c", "print(1)", command=command)
    assert (job["Type"], job["Count"], job["Name"]) == ("batch", 1, "Python")
    assert job["Tasks"][0]["Name"] == "execute"
    assert job["Tasks"][0]["Engine"]["Type"] == "docker"
    assert params(job)["Image"] == "bacalhauproject/exec-python-3.11:0.5"
    assert params(job)["Entrypoint"] == []
    launcher, *rest = params(job)["Parameters"]
    assert (launcher, rest[:2]) == ("/build/launcher.py", ["--", "python"])
    # The launcher hands its arguments to a shell.
    assert shlex.split(" ".join(rest[2:])) == ["-c", "print(1)"]


def test_duckdb() -> None:
    job = job_of("duckdb", "select 42")
    assert job["Name"] == "DuckDB"
    assert params(job)["Image"] == "bacalhauproject/exec-duckdb:0.2"
    assert params(job)["Entrypoint"] == []
    assert params(job)["Parameters"] == ["duckdb", "select 42"]


def test_all_flags_of_jobs_and_tasks_count() -> None:
    job = job_of(
        *("--name", "mine", "--task-name", "step", "--count", "3", "-l", "a=b"),
        *("-p", "local", "--timeout", "60", "--cpu", "2", "python", "app.py"),
    )
    task = job["Tasks"][0]
    assert (job["Name"], job["Count"], job["Labels"]) == ("mine", 3, {"a": "b"})
    assert (task["Name"], task["Publisher"]["Type"]) == ("step", "local")
    assert task["Timeouts"] == {"TotalTimeout": 60}
    assert task["Resources"] == {"CPU": "2"}


def test_an_unknown_kind() -> None:
    outcome = run_cli("exec", "ruby")
    assert outcome.code == 1
    assert "the job type 'ruby' is not supported. Supported types: duckdb, python" in outcome.stderr


def test_versions() -> None:
    assert params(job_of("--version", "3.11", "python"))["Image"].endswith("exec-python-3.11:0.5")
    outcome = run_cli("exec", "python", "--version=2.7")
    assert "unsupported python version: 2.7. Supported versions: 3.11" in outcome.stderr
    outcome = run_cli("exec", "duckdb", "--version=3.11")
    assert "--version has no meaning for the job type duckdb" in outcome.stderr


def test_flags_of_the_program_stand_behind_dashes() -> None:
    outcome = run_cli("exec", "python", "app.py", "--verbose")
    assert "unknown flag: --verbose" in outcome.stderr
    assert "flags of the program belong behind --" in outcome.stderr


def content(job: Any) -> tuple[str, bytes]:
    """Return media type and data of the first input."""
    source = job["Tasks"][0]["InputSources"][0]["Source"]
    assert source["Type"] == "inline"
    head, _, data = source["Params"]["URL"].partition(";base64,")
    return head.removeprefix("data:"), base64.b64decode(data)


@pytest.mark.parametrize("size", [3, 4000])
def test_code_of_one_file_lies_in_the_code_directory(tmp_path: Path, size: int) -> None:
    path = tmp_path / "app.py"
    path.write_bytes(b"#" * size)
    job = job_of("--code", str(path), "-i", "s3://b/k:/data", "python", "app.py")
    first, second = job["Tasks"][0]["InputSources"]
    assert (first["Alias"], first["Target"]) == ("code", "/code/app.py")
    assert second["Target"] == "/data"
    assert content(job) == ("application/octet-stream", b"#" * size)


def test_code_of_a_directory_is_an_archive(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "inner").mkdir(parents=True)
    (app / "main.py").write_text("import inner.more")
    (app / "inner" / "more.py").write_text("print(1)")
    (app / "run.sh").write_text("#!/bin/sh")
    (app / "run.sh").chmod(0o755)
    (app / "link").symlink_to("main.py")
    job = job_of(f"--code={app}", "python", "main.py")
    assert job["Tasks"][0]["InputSources"][0]["Target"] == "/code"
    kind, data = content(job)
    assert kind == "application/gzip"
    there = tmp_path / "there"
    there.mkdir()
    unpack(io.BytesIO(data), there, ArchiveLimits(total_bytes=10**6, file_bytes=10**6, entries=10))
    found = {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()}
    assert found == {"app/main.py", "app/inner/more.py", "app/run.sh"}
    assert (there / "app" / "run.sh").stat().st_mode & 0o111
    assert job_of(f"--code={app}", "python", "main.py") == job


def test_code_that_cannot_be_sent(tmp_path: Path) -> None:
    outcome = run_cli("exec", "--code", "none.py", "python", "none.py")
    assert outcome.stderr == '\nError: --code "none.py": No such file or directory\n'
    large = tmp_path / "large.py"
    large.write_bytes(b"")
    with large.open("r+b") as file:
        file.truncate(LARGEST_CODE_BYTES + 1)
    for path in (large, tmp_path):
        outcome = run_cli("exec", "--code", str(path), "python", "large.py")
        assert f"has {LARGEST_CODE_BYTES + 1} bytes; code may have up to" in outcome.stderr
