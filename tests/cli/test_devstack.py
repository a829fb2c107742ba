"""Several nodes in one process, as a user starts and stops them."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.cli import run_cli
from tests.support.engines import compile_text
from tests.support.env import Env, free_port, open_env

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBE = Path(__file__).parent.parent / "data" / "wasm" / "probe.wat"


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """An environment with a place of its own for temporary files, and a module."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "probe.wasm").write_bytes(compile_text(PROBE.read_text()))
    with open_env(tmp_path) as opened:
        opened.variables["TMPDIR"] = str(temporary)
        yield opened


def run_wasm(env: Env, *flags: str, code: int = 0) -> str:
    """Run a module to its end; return the job's id."""
    outcome = env.cli(
        *("wasm", "run", "--id-only", "--entry-point", "say", *flags),
        *("probe.wasm", "hello\n", "", "0"),
    )
    assert outcome.code == code, outcome
    return outcome.stdout.strip()


def temporary(env: Env) -> list[str]:
    return sorted(path.name for path in Path(env.variables["TMPDIR"]).iterdir())


def test_jobs_run_on_all_compute_nodes_and_nothing_is_left(env: Env) -> None:
    stack = env.start_devstack()
    nodes = yaml.safe_load(env.cli("node", "list", "--output", "yaml").stdout)
    assert [node["Info"]["NodeID"] for node in nodes] == ["node-1", "node-2", "node-3"]
    labels = {key: nodes[0]["Info"]["Labels"][key] for key in ("id", "name", "env")}
    assert labels == {"id": "node-1", "name": "node-1", "env": "devstack"}

    job_id = run_wasm(env, "--count", "3", "-p", "local")
    executions = yaml.safe_load(env.cli("job", "executions", job_id, "--output", "yaml").stdout)
    assert {run["NodeID"] for run in executions} == {"node-1", "node-2", "node-3"}
    assert env.cli("job", "get", job_id).code == 0

    pid, port = (Path(env.variables["TMPDIR"], f"bacalhau-devstack.{kind}") for kind in _FILES)
    assert (pid.read_text(), port.read_text()) == (str(stack.popen.pid), str(stack.port))
    assert stack.stop() == 0
    assert temporary(env) == []
    log = stack.log.read_text()
    assert "Orchestrator-only nodes: 1\nCompute-only nodes: 3\nHybrid nodes: 0\n" in log
    assert re.search(r"^export BACALHAU_API_HOST=127\.0\.0\.1$", log, flags=re.MULTILINE)


_FILES = ("pid", "port")


def test_a_terminal_that_is_closed_ends_it_as_ctrl_c_does(env: Env) -> None:
    """The shell tells it, too, so that the signal comes twice."""
    stack = env.start_devstack()
    stack.signal(signal.SIGHUP)
    stack.signal(signal.SIGHUP)
    assert stack.popen.wait(timeout=20) == 0
    assert temporary(env) == []


def test_a_hybrid_node_and_a_bad_one(env: Env) -> None:
    env.start_devstack(
        *("--orchestrators", "0", "--hybrids", "1", "--computes", "1"),
        *("--bad-computes", "1", "--stack-repo", "stack"),
    )
    assert env.cli("agent", "node", "--output", "json").stdout.count('"NodeID":"node-0"') == 1
    good = run_wasm(env, "--constraints", "name=node-0")
    assert _state(env, good) == "Completed"
    address = f"http://127.0.0.1:{env.variables['BACALHAU_API_PORT']}/api/v1/agent/debug"
    with urllib.request.urlopen(address) as answer:
        assert json.load(answer)["jobsCompleted"] == 1
    bad = run_wasm(env, "--constraints", "name=node-1", code=1)
    assert _state(env, bad) == "Failed"
    assert "this node fails every execution" in env.cli("job", "describe", bad).stdout
    stack = env.processes[-1]
    stack.popen.terminate()
    assert stack.popen.wait(timeout=20) == 0
    assert sorted(path.name for path in (env.directory / "stack").iterdir()) == ["node-0", "node-1"]


def _state(env: Env, job_id: str) -> str:
    with env.client() as client:
        return client.job(job_id).job.state.state_type


def test_only_one_stack_at_a_time(env: Env) -> None:
    stack = env.start_devstack("--compute-nodes", "0")
    second = env.cli("devstack")
    assert second.code == 1
    assert f"a devstack runs already, as process {stack.popen.pid}" in second.stderr
    stack.kill_group()
    # The file of a process that is gone blocks nobody.
    assert "bacalhau-devstack.pid" in temporary(env)
    again = env.start_devstack("--compute-nodes", "0")
    assert again.stop() == 0


def test_a_port_of_choice_and_files_that_stay(env: Env) -> None:
    env.variables["KEEP_STACK"] = "1"
    port = free_port()
    stack = env.start_devstack("--api-port", str(port), "--compute-nodes", "0")
    assert stack.port == port
    assert stack.stop() == 0
    (name,) = temporary(env)
    assert sorted(Path(env.variables["TMPDIR"], name).iterdir())[0].name == "node-0"
    assert f"event=devstack_leaves_files directory={env.variables['TMPDIR']}/{name}" in (
        stack.log.read_text()
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--requester-nodes", "0"], "a devstack has exactly 1 orchestrator, and 0 are asked for"),
        (["--hybrid-nodes", "1"], "a devstack has exactly 1 orchestrator, and 2 are asked for"),
        (["--bad-compute-actors", "4"], "there are only 3 compute nodes"),
        (["--compute-nodes=-1"], "numbers of nodes must not be negative"),
    ],
)
def test_stacks_that_cannot_be(flags: list[str], message: str) -> None:
    outcome = run_cli("devstack", *flags)
    assert outcome.code == 1
    assert message in outcome.stderr
    # That nodes log everything is no wish for the details of errors.
    assert "Stack Trace" not in outcome.stderr


def test_flags_without_effect_say_so() -> None:
    outcome = run_cli("devstack", "--webui-address", ":1", "--requester-nodes", "0")
    assert "Flag --webui-address has been deprecated, it has no effect" in outcome.stderr


def test_old_flags_say_which_key_replaces_them() -> None:
    outcome = run_cli(
        *("devstack", "--limit-total-cpu", "50%", "--disable-engine", "docker,wasm"),
        *("--limit-job-cpu", "1", "--requester-nodes", "0"),
    )
    assert set(outcome.stderr.splitlines()) >= {
        "Flag --limit-total-cpu has been deprecated, "
        "Use --config Compute.AllocatedCapacity.CPU=<value> to set this configuration",
        "Flag --disable-engine has been deprecated, "
        "Use --config Engines.Disabled=<value> to set this configuration",
        "Flag --limit-job-cpu has been deprecated, it has no effect",
    }


def test_old_flags_set_their_keys(env: Env) -> None:
    env.start_devstack(
        *("--compute-nodes", "1", "--disabled-publisher", "s3", "--disable-storage", "s3,inline")
    )
    (node,) = yaml.safe_load(env.cli("node", "list", "--output", "yaml").stdout)
    offered = node["Info"]["ComputeNodeInfo"]
    assert "s3" not in offered["Publishers"]
    assert not {"s3", "inline"} & set(offered["StorageSources"])
