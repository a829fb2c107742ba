"""Docker jobs from the command line to their end (spec engines.md 7)."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import ComputeState, JobState
from tests.support.docker import IMAGE, ODD_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models import Execution, Job
    from tests.support.cli import Outcome
    from tests.support.docker import DockerDaemon
    from tests.support.env import Env

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]
JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
NETWORKED = ("-c", "JobAdmissionControl.AcceptNetworkedJobs=true")


@pytest.fixture
def node(env: Env, docker_daemon: DockerDaemon) -> Env:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    env.start_node()
    return env


def ended(env: Env, outcome: Outcome) -> tuple[Job, Execution]:
    found = JOB_ID.search(outcome.stdout)
    assert found, f"{outcome.stdout}\n{outcome.stderr}"
    with env.client() as client:
        (execution,) = client.executions(found[0]).items
        return client.job(found[0]).job, execution


def run(env: Env, *arguments: str) -> tuple[Job, Execution]:
    return ended(env, env.cli("docker", "run", *arguments))


def shell(script: str, *flags: str) -> tuple[str, ...]:
    return (*flags, IMAGE, "--", "sh", "-c", script)


def test_flags_and_the_words_behind_them_reach_the_task(node: Env) -> None:
    script = 'echo "$(pwd) $A $B $1"; env | grep -c "^BACALHAU_JOB_ID=j-"'
    flags = ("--entrypoint", "sh,-c", "--workdir", "/usr", "-e", "A=1", "--env", "B=x y")
    _, execution = run(node, *flags, ODD_IMAGE, "--", script, "zero", "one")
    assert execution.run_output.stdout == "/usr 1 x y one\n1\n"


def test_the_engine_is_meant_whatever_its_case(node: Env) -> None:
    task = {
        "Name": "main",
        "Engine": {"Type": "Docker", "Params": {"image": IMAGE, "parameters": ["echo", "$A"]}},
        "Env": {"A": "1"},
    }
    document = {"Type": "batch", "Tasks": [task]}
    (node.directory / "job.json").write_text(json.dumps(document))
    _, execution = ended(node, node.cli("job", "run", "job.json"))
    assert execution.run_output.stdout == "$A\n"


def test_an_exit_code_is_a_result_with_both_outputs(node: Env) -> None:
    job, execution = run(node, *shell("echo o; echo e >&2; exit 3"))
    assert job.state.state_type is JobState.COMPLETED
    output = execution.run_output
    assert (output.stdout, output.stderr, output.exit_code) == ("o\n", "e\n", 3)


def test_the_summary_is_cut_and_the_log_is_not(node: Env) -> None:
    job, execution = run(node, *shell("head -c 5000 /dev/zero | tr '\\0' x; printf y"))
    output = execution.run_output
    assert (output.stdout, output.stdout_truncated) == ("x" * 2048, True)
    assert node.cli("job", "logs", job.id).stdout == "x" * 5000 + "y"


def test_results_are_named_as_the_job_says(node: Env) -> None:
    script = "echo a > /a/file; echo b > /data/b/file"
    job, _ = run(node, *shell(script, "-p", "local", "-o", "one/two:/a", "-o", "b:/data/b"))
    target = node.directory / "got"
    target.mkdir()
    done = node.cli("job", "get", job.id, "--output-dir", str(target))
    assert done.code == 0, done.stderr
    assert (target / "one" / "two" / "file").read_text() == "a\n"
    assert (target / "b" / "file").read_text() == "b\n"
    assert (target / "exitCode").read_text() == "0"


def test_running_out_of_memory_is_told_with_the_limit_and_keeps_the_log(node: Env) -> None:
    job, execution = run(node, *shell("echo before; exec tail /dev/zero", "--memory", "20Mb"))
    assert job.state.state_type is JobState.FAILED
    assert "memory limit exceeded" in job.state.message
    assert "20 MB" in job.state.message
    assert execution.run_output.exit_code == 137
    assert node.cli("job", "logs", job.id).stdout == "before\n"


def test_writing_more_than_was_asked_for_is_told_with_both_amounts(node: Env) -> None:
    script = "head -c 30000000 /dev/zero > /file; exec sleep 100"
    job, _ = run(node, *shell(script, "--disk", "20Mb"))
    assert job.state.state_type is JobState.FAILED
    assert "has written 30 MB, and 20 MB are allowed" in job.state.message


def test_more_gpus_than_there_are_is_told_at_once(node: Env) -> None:
    outcome = node.cli("docker", "run", "--gpu", "1", IMAGE, "true")
    job = JOB_ID.search(outcome.stdout)
    assert job
    with node.client() as client:
        found = client.job(job[0]).job
    assert found.state.state_type is JobState.FAILED
    assert "GPU" in found.state.message


def test_a_stopped_job_gets_a_signal_and_its_last_words_can_be_read(node: Env) -> None:
    script = "trap 'echo bye; exit 4' TERM; echo begun; while :; do sleep 0.05; done"
    outcome = node.cli("docker", "run", "--wait=false", "--id-only", *shell(script))
    job_id = outcome.stdout.strip()
    node.wait_until(lambda: node.cli("job", "logs", job_id).stdout == "begun\n", "it has begun")
    assert node.cli("job", "stop", job_id).code == 0

    def execution() -> Execution:
        with node.client() as client:
            return client.executions(job_id).items[0]

    node.wait_until(
        lambda: execution().compute_state.state_type is ComputeState.CANCELLED, "it is stopped"
    )
    node.wait_until(
        lambda: node.cli("job", "logs", job_id).stdout == "begun\nbye\n", "the last words are there"
    )


class TestHTTPNetwork:
    """One listed server is reached, and nothing else."""

    @pytest.fixture
    def server(self) -> Iterator[int]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"hello {self.headers['X-Bacalhau-Job-ID']}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            with contextlib.ExitStack() as stack:
                stack.callback(thread.join)
                stack.callback(server.shutdown)
                yield server.server_port

    def test_a_listed_domain_is_reached_and_another_is_not(
        self, env: Env, docker_daemon: DockerDaemon, server: int
    ) -> None:
        env.variables["DOCKER_HOST"] = docker_daemon.host
        networks = "Engines.Types.Docker.AllowedPrivateNetworks=127.0.0.0/8,::1/128"
        env.start_node(*NETWORKED, "-c", networks)
        script = (
            f"wget -q -O - http://127.0.0.1:{server}/;"
            f" wget -q -O - http://localhost:{server}/ || echo refused"
        )
        job, execution = run(env, *shell(script, "--network", "http", "--domain", "127.0.0.1"))
        assert job.state.state_type is JobState.COMPLETED, job.state.message
        assert execution.run_output.stdout == f"hello {job.id}\nrefused\n"
        assert "403 Forbidden" in execution.run_output.stderr

    def test_it_has_to_be_allowed_by_the_operator(self, node: Env) -> None:
        job = node.cli(
            "docker", "run", *shell("true", "--network", "http", "--domain", "a.example")
        )
        found = JOB_ID.search(job.stdout)
        assert found
        with node.client() as client:
            message = client.job(found[0]).job.state.message
        assert "this node does not run jobs that require network access" in message
