"""A node whose process may open few files, while somebody opens connections without end."""

from __future__ import annotations

import contextlib
import resource
import socket
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import JobState
from tests.support.docker import IMAGE

if TYPE_CHECKING:
    from tests.support.docker import DockerDaemon
    from tests.support.env import Env

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]
FILES = 160
CONNECTIONS = 200
REQUEST = b"GET /api/v1/agent/alive HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_jobs_go_on_while_all_connections_are_taken(env: Env, docker_daemon: DockerDaemon) -> None:
    env.variables["DOCKER_HOST"] = docker_daemon.host
    (env.directory / "sign").mkdir()
    node = env.start_node("-c", f"Compute.AllowListedLocalPaths={env.directory}/**")
    resource.prlimit(node.popen.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    script = "echo begun; until [ -e /sign/now ]; do sleep 0.1; done; echo survived"
    submitted = env.cli(
        *("docker", "run", "--wait=false", "-i", f"file://{env.directory}/sign:/sign"),
        *("-p", "local", IMAGE, "--", "sh", "-c", script),
    )
    job_id = submitted.stdout.strip()
    with env.client() as client:
        env.wait_until(
            lambda: client.job(job_id).job.state.state_type is JobState.RUNNING or None,
            "the job runs",
        )
    with contextlib.ExitStack() as taken:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", node.port))
            taken.enter_context(connection)
            # Who has asked for something is let wait longer than who has not.
            with contextlib.suppress(OSError):
                connection.sendall(REQUEST)
        refused = env.cli("job", "list")
        assert refused.code == 1
        assert "the server has as many connections as it can have" in refused.stderr
        (env.directory / "sign" / "now").touch()
        env.wait_until(
            lambda: "event=execution_ended" in node.log.read_text() or None, "the task has ended"
        )
    env.wait_until(lambda: env.cli("agent", "alive").code == 0 or None, "connections are taken")
    with env.client() as client:
        assert client.job(job_id).job.state.state_type is JobState.COMPLETED
        (execution,) = client.executions(job_id).items
    assert execution.run_output.stdout == "begun\nsurvived\n"
    # One line for each failure to accept would fill the disk in no time.
    assert "out of system resource" not in node.log.read_text()
