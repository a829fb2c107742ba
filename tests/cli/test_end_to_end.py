"""Real processes: a node that runs WebAssembly, and the commands of a user."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.engines import compile_text
from tests.support.env import COMMAND, Env, open_env
from tests.support.file_server import serve_files
from tests.support.golden_cli import assert_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBE = Path(__file__).parent.parent / "data" / "wasm" / "probe.wat"
JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
HELLO = ("hello\n", "", "0")
"""Arguments of the probe's function `say`: standard output, standard error, exit code."""

NODE_ID = "n-5ac1b2d3-0d0e-4a53-9a55-1f3a7b8c9d0e"
JOB_FILE = """\
Name: hello
Type: batch
Count: 1
Tasks:
- Name: main
  Engine:
    Type: wasm
    Params:
      EntryModule: {{Source: {{Type: inline, Params: {{URL: "{url}"}}}}}}
      EntryPoint: say
      Parameters: ["hello\\n", "oops\\n", "{code}"]
{publisher}
"""
PUBLISHED = """\
  Publisher: {Type: local}
  ResultPaths: [{Name: outputs, Path: /outputs}]"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    """A running node, and the module of the tests as ``probe.wasm`` in the working directory."""
    from bacalhau.cli.flags.module import inline_url

    directory = tmp_path_factory.mktemp("env")
    module = directory / "probe.wasm"
    module.write_bytes(compile_text(PROBE.read_text()))
    url = inline_url(module)
    for name, code, publisher in (
        ("job.yaml", 0, PUBLISHED),
        ("fail.yaml", 3, PUBLISHED),
        ("bare.yaml", 0, ""),
    ):
        text = JOB_FILE.format(url=url, code=code, publisher=publisher)
        (directory / name).write_text(text)
    with open_env(directory) as opened:
        opened.start_node("--name", NODE_ID)
        yield opened


@pytest.fixture(autouse=True)
def _logs_of_failures(env: Env, request: pytest.FixtureRequest) -> Iterator[None]:
    """Show what the node logged when a test fails."""
    failures = request.session.testsfailed
    yield
    if request.session.testsfailed > failures:
        print(env.tails())


def wasm_run(*arguments: str, module: str = "probe.wasm", call: str = "say") -> list[str]:
    """Return a command line that runs a function of the probe."""
    return ["wasm", "run", "--entry-point", call, *arguments, module]


def submitted(env: Env, *arguments: str) -> str:
    """Run a command that submits a job and prints its id alone; return that."""
    outcome = env.cli(*arguments)
    assert outcome.code == 0, outcome
    assert JOB_ID.fullmatch(outcome.stdout.strip()), outcome
    return outcome.stdout.strip()


def forever(env: Env) -> str:
    """Start a job that never ends, and wait until it runs; return its id."""
    job_id = submitted(env, *wasm_run("--wait=false", call="forever"), "tick")
    env.wait_until(lambda: state(env, job_id) == "Running", "the job runs")
    return job_id


def state(env: Env, job_id: str) -> str:
    with env.client() as client:
        return client.job(job_id).job.state.state_type


def test_submitting_as_recorded(env: Env) -> None:
    assert_shape(env.cli("job", "run", "job.yaml"), "job-run")
    assert_shape(env.cli("job", "run", "bare.yaml"), "docker-run")
    assert_shape(env.cli("job", "run", "--follow", "job.yaml"), "job-run-follow")
    assert_shape(env.cli("job", "run", "--wait=false", "job.yaml"), "job-run-no-wait")
    assert_shape(env.cli("job", "run", "--id-only", "job.yaml"), "job-run-id-only")
    piped = env.cli("job", "run", "--id-only", stdin=(env.directory / "job.yaml").read_text())
    assert_shape(piped, "job-run-stdin")
    assert_shape(env.cli(*wasm_run(), *HELLO), "docker-run")
    assert_shape(env.cli(*wasm_run("-f"), *HELLO), "docker-run-follow")
    assert_shape(env.cli(*wasm_run("--id-only"), *HELLO), "wasm-run")
    assert_shape(env.cli(*wasm_run("--id-only"), *HELLO), "docker-run-id-only")
    assert_shape(env.cli(*wasm_run("--wait=false"), *HELLO), "docker-run-wait-false")
    failing = (*HELLO[:2], "1")
    assert_shape(env.cli(*wasm_run(), *failing), "docker-run-fail")
    assert_shape(env.cli(*wasm_run(), *failing), "job-run-fail")


def test_a_task_that_fails_is_told_in_the_results_only(env: Env) -> None:
    outcome = env.cli("job", "run", "--node-details", "fail.yaml")
    assert outcome.code == 0
    assert outcome.stderr == "• Node n-5ac1b2d3: oops\n"
    assert "Completed successfully" in outcome.stdout


def test_looking_at_a_job_as_recorded(env: Env) -> None:
    job_id = submitted(env, "job", "run", "--id-only", "bare.yaml")
    assert_shape(env.cli("job", "describe", job_id), "job-describe")
    with env.client() as client:
        assert {"bacalhau.org/orchestrator.id", "bacalhau.org/server.instance.id"} <= (
            client.job(job_id).job.meta.keys()
        )
    assert_shape(env.cli("job", "describe", job_id[:10]), "job-describe")
    assert_shape(env.cli("job", "describe", "j-none"), "job-describe-not-found")
    assert_shape(env.cli("job", "executions", job_id), "job-executions")
    assert_shape(env.cli("job", "executions", "--wide", job_id), "job-executions-wide")
    assert_shape(env.cli("job", "history", job_id), "job-history")
    assert_shape(env.cli("job", "history", "--output", "json", job_id), "job-history-json")
    assert_shape(env.cli("job", "logs", job_id), "job-logs")
    assert_shape(env.cli("job", "logs", "j-none"), "job-logs-not-found")
    assert_shape(env.cli("job", "list", "--labels", "a=nothing"), "job-list-none")


def test_executions_as_yaml_as_recorded(env: Env) -> None:
    job_id = submitted(env, "job", "run", "--id-only", "job.yaml")
    outcome = env.cli("job", "executions", job_id, "--output", "yaml")
    assert_shape(outcome, "job-executions-yaml")


def test_lists_as_recorded(env: Env) -> None:
    for _ in range(4):
        submitted(env, *wasm_run("--id-only"), *HELLO)
    three = env.cli("job", "list", "--limit", "3")
    assert len(three.lines) == 7
    assert env.cli("job", "list", "--limit", "3", "--output", "csv").lines[0] == (
        "created,id,job,type,state"
    )
    newest = env.cli("job", "list", "--limit", "2", "--wide", "--order-reversed")
    assert_shape(newest, "job-list-wide")
    assert_shape(env.cli("node", "list"), "node-list")
    assert_shape(env.cli("node", "list", "--hide-header"), "node-list-hide-header")
    assert_shape(env.cli("node", "list", "--output", "csv"), "node-list-csv")


def test_the_server_as_recorded(env: Env) -> None:
    assert_shape(env.cli("agent", "alive"), "agent-alive")
    assert_shape(env.cli("agent", "node"), "agent-node")
    assert_shape(env.cli("agent", "node", "--output", "json"), "agent-node-json")
    assert_shape(env.cli("node", "describe", NODE_ID), "node-describe")
    assert_shape(env.cli("node", "describe", NODE_ID[:10]), "node-describe")
    assert_shape(env.cli("node", "list", "--output", "json"), "node-list-json")
    assert_shape(env.cli("version"), "version")
    assert_shape(env.cli("version", "--client"), "version-client")
    assert_shape(env.cli("version", "--output", "json", "--pretty"), "version-json")


def test_deciding_on_a_node(env: Env) -> None:
    assert_shape(env.cli("node", "approve", NODE_ID), "node-approve-approved")
    assert env.cli("node", "reject", NODE_ID, "-m", "broken disk").stdout == "Ok\n"
    assert ",REJECTED," in env.cli("node", "list", "--output", "csv").stdout
    assert env.cli("node", "approve", NODE_ID).stdout == "Ok\n"
    unknown = env.cli("node", "approve", "n-none")
    assert (unknown.code, unknown.stdout) == (0, "")
    assert unknown.stderr.startswith("Failed to approve node n-none: ")


def test_mistakes_as_recorded(env: Env) -> None:
    (env.directory / "broken.yaml").write_text("Name: [\n")
    (env.directory / "bad.yaml").write_text("Type: batch\nCount: -1\n")
    assert_shape(env.cli("job", "run", "broken.yaml"), "job-run-broken-yaml")
    assert_shape(env.cli("job", "run", "bad.yaml"), "job-run-invalid")
    assert_shape(env.cli("job", "run", "none.yaml"), "job-run-missing-file")
    assert_shape(env.cli("job", "list", "--nonsense"), "unknown-flag")
    assert_shape(env.cli("job", "describe"), "missing-argument")
    assert_shape(env.cli("docker", "run"), "docker-run-no-image")
    assert_shape(env.cli("nonsense"), "unknown-command")


@pytest.mark.parametrize(
    ("known", "misspelt", "guess"),
    [
        ("Type: wasm", "Type: wsam", "wasm"),
        ("{Type: local}", "{Type: locl}", "local"),
        ("{Type: inline,", "{Type: inlin,", "inline"),
    ],
)
def test_a_type_that_no_node_offers_ends_with_the_nearest_that_one_does(
    env: Env, known: str, misspelt: str, guess: str
) -> None:
    text = (env.directory / "job.yaml").read_text()
    assert known in text
    path = env.directory / f"misspelt-{guess}.yaml"
    path.write_text(text.replace(known, misspelt))
    job_id = submitted(env, "job", "run", "--id-only", "--wait=false", path.name)
    env.wait_until(lambda: state(env, job_id) == "Failed", "the job fails")
    with env.client() as client:
        assert f"did you mean {guess}?" in client.job(job_id).job.state.message


def test_stopping_as_recorded(env: Env) -> None:
    job_id = forever(env)
    assert_shape(env.cli("job", "stop", job_id), "job-stop")
    assert_shape(env.cli("job", "stop", job_id), "job-stop-again")
    done = submitted(env, *wasm_run("--id-only"), *HELLO)
    assert_shape(env.cli("job", "stop", done), "job-stop-completed")
    assert_shape(env.cli("job", "stop", "--quiet", "j-none"), "job-stop-quiet-not-found")


def test_getting_results_as_recorded(env: Env, tmp_path: Path) -> None:
    job_id = submitted(env, "job", "run", "--id-only", "job.yaml")
    assert_shape(env.cli("job", "get", job_id, cwd=tmp_path), "job-get")
    folder = tmp_path / job_id[:10].join(["job-", ""])
    found = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert found == {"exitCode": "0", "stdout": "hello\n", "stderr": "oops\n"}
    assert (folder / "outputs").is_dir()
    assert_shape(env.cli("job", "get", job_id, cwd=tmp_path), "job-get-again")
    assert_shape(env.cli("job", "get", "j-none", cwd=tmp_path), "job-get-not-found")


def test_what_a_task_writes_to_outputs_comes_back(env: Env, tmp_path: Path) -> None:
    with serve_files() as files:
        files.content["/input.txt"] = b"data"
        command = wasm_run(
            *("--id-only", "-p", "local", "-i", f"{files.url}/input.txt:/in"), call="copy"
        )
        job_id = submitted(env, *command, "/in/input.txt", "/outputs/copy")
    outcome = env.cli("job", "get", job_id, "--output-dir", str(tmp_path))
    assert outcome.code == 0, outcome
    assert (tmp_path / "outputs" / "copy").read_bytes() == b"data"
    only = tmp_path / "only"
    only.mkdir()
    assert env.cli("job", "get", f"{job_id}/exitCode", "--output-dir", str(only)).code == 0
    assert [path.name for path in only.iterdir()] == ["exitCode"]


def test_ctrl_c_while_waiting_leaves_the_job_alone(env: Env) -> None:
    process = env.start_cli(*wasm_run(call="forever"), "tick")
    env.wait_until(lambda: "Running" in process.log.read_text(), "the job runs")
    process.signal(signal.SIGINT)
    assert process.popen.wait(timeout=20) == 0
    text = process.log.read_text()
    assert "Warning: no longer watching; the job is still running" in text
    assert "\tbacalhau job describe j-" in text
    assert "Traceback" not in text
    found = JOB_ID.search(text)
    assert found is not None
    assert state(env, found[0]) == "Running"
    assert env.cli("job", "stop", "--quiet", found[0]).code == 0


def test_ctrl_c_while_following_is_quiet(env: Env) -> None:
    job_id = forever(env)
    process = env.start_cli("job", "logs", "--follow", job_id)
    env.wait_until(lambda: "tick" in process.log.read_text(), "output arrives")
    process.signal(signal.SIGINT)
    assert process.popen.wait(timeout=20) == 0
    assert set(process.log.read_text().splitlines()) <= {"tick"}
    assert state(env, job_id) == "Running"
    assert env.cli("job", "stop", "--quiet", job_id).code == 0


def test_a_follower_ends_with_the_job(env: Env) -> None:
    job_id = forever(env)
    process = env.start_cli("job", "logs", "--follow", job_id)
    env.wait_until(lambda: "tick" in process.log.read_text(), "output arrives")
    assert env.cli("job", "stop", "--quiet", job_id).code == 0
    process.popen.wait(timeout=20)


def test_a_reader_that_has_seen_enough_is_no_trouble(env: Env) -> None:
    for _ in range(3):
        submitted(env, *wasm_run("--id-only"), *HELLO)
    variables = {**os.environ, **env.variables}
    with subprocess.Popen(
        [*COMMAND, "job", "list", "--output", "json", "--pretty"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_command_leaves_nothing_in_the_users_home(env: Env) -> None:
    before = set(env.directory.iterdir())
    assert env.cli("job", "list").code == 0
    assert set(env.directory.iterdir()) == before


def test_a_node_ends_when_asked_and_knows_its_jobs_afterwards(tmp_path: Path) -> None:
    with open_env(tmp_path) as own:
        (tmp_path / "probe.wasm").write_bytes(compile_text(PROBE.read_text()))
        node = own.start_node(name="first", data=tmp_path / "data")
        job_id = submitted(own, *wasm_run("--id-only"), *HELLO)
        assert node.stop() == 0
        assert own.cli("job", "list").code == 1
        own.start_node(name="second", data=tmp_path / "data")
        assert f"ID            = {job_id}" in own.cli("job", "describe", job_id).lines
