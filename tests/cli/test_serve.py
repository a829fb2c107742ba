"""A node as an operator starts it: flags of the past, its data directory, its name."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from bacalhau.cli.flags.node import GONE_SERVE_FLAGS, OLD_SERVE_FLAGS
from bacalhau.config import KEYS
from tests.support.cli import run_cli
from tests.support.env import Env, free_port, open_env

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = ("-c", "Engines.Disabled=docker")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    with open_env(tmp_path) as opened:
        yield opened


def modes(directory: Path) -> dict[str, str]:
    return {
        path.name: oct(stat.S_IMODE(path.stat().st_mode))
        for path in directory.iterdir()
        if path.is_file()
    }


def test_the_files_of_a_data_directory(env: Env) -> None:
    node = env.start_node(*PLAIN)
    data = env.directory / "node"
    found = modes(data)
    assert found["system_metadata.yaml"] == found["repo.version"] == "0o600"
    assert found["node.lock"] == "0o600"
    assert found["bacalhau.run"] == "0o755"
    assert (data / "bacalhau.run").read_text() == (
        f"export BACALHAU_API_HOST=127.0.0.1\nexport BACALHAU_API_PORT={node.port}\n"
    )
    assert f" {data / 'bacalhau.run'}\n" in node.log.read_text()
    name = yaml.safe_load((data / "system_metadata.yaml").read_text())["NodeName"]
    assert yaml.safe_load(env.cli("agent", "node").stdout)["Info"]["NodeID"] == name
    assert node.stop() == 0
    assert not (data / "bacalhau.run").exists()

    again = env.start_node(*PLAIN, "--name", "other")
    assert yaml.safe_load(env.cli("agent", "node").stdout)["Info"]["NodeID"] == name
    assert f"event=node_keeps_its_name node_id={name}" in again.log.read_text()


def test_the_variables_of_a_running_node_reach_commands(env: Env) -> None:
    file = env.directory / "node.env"
    env.variables["DEVSTACK_ENV_FILE"] = str(file)
    node = env.start_node(*PLAIN)
    assert not (env.directory / "node" / "bacalhau.run").exists()
    env.variables["BACALHAU_API_PORT"] = "1"
    assert env.cli("agent", "alive").stdout == "Status: OK\n"
    file.write_text("export 'x\n")
    refused = env.cli("agent", "alive")
    assert (refused.code, refused.stdout) == (1, "")
    assert f"Error: the file of variables {file} cannot be used: line 1" in refused.stderr
    assert node.stop() == 0


def test_a_node_under_nohup_outlives_its_terminal(env: Env) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        node = env.start_node(*PLAIN)
    finally:
        signal.signal(signal.SIGHUP, before)
    node.signal(signal.SIGHUP)
    assert env.cli("agent", "alive").code == 0
    assert node.is_alive


def test_a_node_that_is_asked_twice_at_once_ends_well(env: Env) -> None:
    node = env.start_node(*PLAIN)
    node.signal(signal.SIGTERM)
    assert node.stop() == 0


def test_an_address_of_ipv6_is_shown_in_brackets(env: Env) -> None:
    node = env.start_node(*PLAIN, "--name", "six", "--api-host", "::")
    assert f"address=[::]:{node.port} " in node.log.read_text()


def test_two_nodes_cannot_share_a_data_directory(env: Env) -> None:
    node = env.start_node(*PLAIN)
    data = env.directory / "node"
    second = env.cli("serve", "--data-dir", str(data), "--api-port", str(free_port()))
    assert second.code == 1
    assert f"data directory {data} is in use by process {node.popen.pid}" in second.stderr
    assert "name another directory with --data-dir" in second.stderr


def test_a_data_directory_of_another_version_is_refused(env: Env) -> None:
    data = env.directory / "old"
    data.mkdir()
    (data / "repo.version").write_text('{"Version":3}')
    refused = env.cli("serve", "--data-dir", str(data))
    assert refused.code == 1
    assert f"Error: data directory {data} has layout 3, of a Bacalhau up to 1.4.0" in refused.stderr
    assert sorted(os.listdir(data)) == ["node.lock", "repo.version"]  # noqa: PTH208


def test_flags_of_the_past_do_what_they_did(env: Env) -> None:
    port = free_port()
    node = env.start_node(
        *("--node-type", "requester", "--node-type", "compute", "--repo", "past"),
        *("--labels", "zone=a,rack=7", "--limit-total-cpu", "100m", "--disable-engine", "docker"),
        *("--default-publisher", "local", "--job-selection-reject-stateless"),
        *("--local-publisher-port", str(port), "--port", str(free_port()), "--log-level", "debug"),
        *("--ignore-physical-resource-limits", "true", "--name-provider", "hostname"),
    )
    config = yaml.safe_load(env.cli("agent", "config").stdout)
    assert config["Labels"] == {"zone": "a", "rack": "7"}
    assert config["Compute"]["AllocatedCapacity"]["CPU"] == "100m"
    assert config["Engines"]["Disabled"] == ["docker"]
    assert config["JobDefaults"]["Ops"]["Task"]["Publisher"]["Type"] == "local"
    assert config["JobAdmissionControl"]["RejectStatelessJobs"] is True
    assert config["Logging"]["Level"] == "debug"
    assert config["DataDir"] == str(env.directory / "past")
    log = node.log.read_text()
    assert "Flag --repo has been deprecated, Use --data-dir=<path> to set this configuration" in log
    assert (
        "Flag --labels has been deprecated, Use --config Labels=<value> to set this configuration"
    ) in log
    assert ("Flag --ignore-physical-resource-limits has been deprecated, it has no effect") in log


def test_flags_of_the_past_name_keys_that_exist() -> None:
    known = {key.name for key in KEYS}
    named = {key for flag in OLD_SERVE_FLAGS for key in flag.keys or ()}
    assert named <= known
    assert len({flag.long for flag in OLD_SERVE_FLAGS}) == len(OLD_SERVE_FLAGS)


def test_flags_of_the_past_are_not_shown() -> None:
    shown = run_cli("serve", "--help").stdout
    assert not [flag.long for flag in OLD_SERVE_FLAGS if f"--{flag.long} " in shown]
    assert "--tls" not in shown


@pytest.mark.parametrize("flag", GONE_SERVE_FLAGS)
def test_flags_that_are_gone_say_what_there_is_instead(flag: str) -> None:
    outcome = run_cli("serve", f"--{flag}=x")
    assert outcome.code == 1
    assert outcome.stderr == (f"\nError: unknown flag: --{flag}\nHint:  {GONE_SERVE_FLAGS[flag]}\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--node-type", "x"], "invalid node type x. Only compute and requester values"),
        (["--network", "libp2p"], 'unknown network "libp2p"'),
        (["--docker-manifest-cache-duration", "7"], "missing unit in duration"),
        (["--port", "x"], 'invalid argument "x" for "--port" flag'),
        (["--port", "70000"], 'invalid value "70000" for API.Port'),
        (["--api-host", "public"], "invalid value"),
    ],
)
def test_values_that_cannot_be(flags: list[str], message: str) -> None:
    if flags[-1] == "public":
        flags = ["--api-host", "private" if _is_public() else "public"]
    outcome = run_cli("serve", *flags)
    assert outcome.code == 1
    assert message in outcome.stderr


def _is_public() -> bool:
    from bacalhau.lib.addresses import resolve_address

    try:
        return bool(resolve_address("public"))
    except ValueError:
        return False


def test_the_configuration_wins_over_an_old_flag() -> None:
    outcome = run_cli(
        *("serve", "--labels", "a=b", "-c", "Labels=c=d", "-c", "NameProvider=nobody")
    )
    assert outcome.code == 1
    assert "--labels has no effect: --config sets Labels" in outcome.stderr
    assert "expected one of puuid, uuid, hostname, aws, gcp" in outcome.stderr


def test_old_flags_of_all_commands(tmp_path: Path) -> None:
    directory = str(tmp_path)
    outcome = run_cli(
        *("config", "list", "--output", "csv", "--repo", directory, "--tls", "--insecure"),
        *("--cacert", "/ca.pem", "--log-level", "warn", "--log-mode", "json"),
    )
    values = dict(line.split(",")[:2] for line in outcome.lines)
    assert values["DataDir"] == directory
    assert values["API.TLS.UseTLS"] == values["API.TLS.Insecure"] == "true"
    assert values["API.TLS.CAFile"] == "/ca.pem"
    assert (values["Logging.Level"], values["Logging.Mode"]) == ("warn", "json")
    assert outcome.stderr.count("has been deprecated") == 6


def test_old_ipfs_flags_of_clients() -> None:
    outcome = run_cli("docker", "run", "--dry-run", "--ipfs-connect", "/ip4/1.2.3.4", "ubuntu")
    assert outcome.code == 0
    assert "Image: ubuntu" in outcome.stdout
    assert "Flag --ipfs-connect has been deprecated" in outcome.stderr
