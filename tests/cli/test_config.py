"""`bacalhau config` and `bacalhau agent config` (spec cli.md 8.1 to 8.3)."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bacalhau.config import KEYS
from tests.support.cli import Outcome, run_cli
from tests.support.golden_cli import assert_shape, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import ServedApi


def _cli(directory: Path, *arguments: str, **variables: str) -> Outcome:
    return run_cli(*arguments, environment={"BACALHAU_DIR": str(directory), **variables})


def test_the_list_has_a_row_for_each_key_in_order(tmp_path: Path) -> None:
    lines = _cli(tmp_path, "config", "list", "--wide", "ignored").lines
    assert lines[0].split() == ["KEY", "VALUE", "DESCRIPTION"]
    assert [line.split()[0] for line in lines[1:]] == sorted(key.name for key in KEYS)
    assert any(line.split()[:3] == ["API.Port", "1234", "Port"] for line in lines)
    assert " [nats://127.0.0.1:4222] " in "\n".join(lines)


def test_keys_without_effect_are_marked(tmp_path: Path) -> None:
    lines = _cli(tmp_path, "config", "list", "--wide").lines
    marked = {line.split()[0] for line in lines if line.endswith("(No effect yet.)")}
    assert marked == {key.name for key in KEYS if key.is_pending}


def test_values_are_printed_as_they_are_set(tmp_path: Path) -> None:
    settings = ("-c", "Labels=b=2,a=1", "-c", "Engines.Disabled=docker,wasm", "-c", "WebUI.Enabled")
    outcome = _cli(
        tmp_path,
        "config",
        "list",
        "--output",
        "csv",
        *settings,
        BACALHAU_API_AUTH_METHODS='{"X":{}}',
    )
    assert outcome.lines[0] == "Key,Value,Description"
    values = {line.split(",")[0]: line for line in outcome.lines[1:]}
    assert values["Labels"].startswith("Labels,map[a:1 b:2],")
    assert values["Engines.Disabled"].startswith("Engines.Disabled,[docker wasm],")
    assert values["WebUI.Enabled"].startswith("WebUI.Enabled,true,")
    assert values["API.Auth.Methods"].startswith('API.Auth.Methods,"{""X"":{}}",')
    assert values["DataDir"].startswith(f"DataDir,{tmp_path},")


def test_json_has_lists_as_lists_also_from_the_environment(tmp_path: Path) -> None:
    outcome = _cli(
        tmp_path, "config", "list", "--output", "json", BACALHAU_COMPUTE_ORCHESTRATORS="a,b"
    )
    assert outcome.stdout.startswith('[\n  {\n    "Key": "API.')
    entries = {entry["Key"]: entry for entry in json.loads(outcome.stdout)}
    assert entries["Compute.Orchestrators"]["Value"] == ["a", "b"]
    assert entries["API.Port"] == {
        "Key": "API.Port",
        "Value": 1234,
        "Description": "Port of the API.",
    }
    flat = _cli(tmp_path, "config", "list", "--output", "json", "--pretty=false")
    assert flat.stdout.count("\n") == 1


def test_the_yaml_form_can_be_used_as_a_file(tmp_path: Path) -> None:
    first = _cli(tmp_path, "config", "list", "--output", "yaml", "-c", "API.Port=5")
    assert first.stdout.endswith("\n\n")
    assert yaml.safe_load(first.stdout)["API"]["Port"] == 5
    path = tmp_path / "mine.yaml"
    path.write_text(first.stdout)
    assert _cli(tmp_path, "config", "list", "--output", "yaml", "-c", str(path)) == first


def test_secrets_are_shown_to_who_asks(tmp_path: Path) -> None:
    arguments = ("config", "list", "-c", "Orchestrator.Auth.Token=s3cret", "--output")
    for form in ("table", "csv", "json", "yaml"):
        assert "s3cret" not in _cli(tmp_path, *arguments, form).stdout
        assert "s3cret" in _cli(tmp_path, *arguments, form, "--show-secrets").stdout


def test_the_file_of_the_data_directory_counts_and_its_mistakes_are_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("api: {port: 99, prot: 1}")
    outcome = _cli(tmp_path, "config", "list", "--output", "csv")
    assert any(line.startswith("API.Port,99,") for line in outcome.lines)
    assert outcome.stderr == (
        f"Warning: {tmp_path}/config.yaml: API.prot is not a configuration key and has no effect; "
        "did you mean API.Port?\n"
    )


def test_setting_keys_as_recorded(tmp_path: Path) -> None:
    assert_shape(_cli(tmp_path, "config", "set", "API.Host", "127.0.0.1"), "config-set")
    assert_shape(_cli(tmp_path, "config", "set", "Nonsense.Key", "1"), "config-set-unknown")


def test_setting_a_key_makes_the_file(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    outcome = _cli(directory, "config", "set", "compute.orchestrators=http://h:1,http://i:2")
    path = directory / "config.yaml"
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout == f"Writing config to {path}\n"
    assert path.read_text() == (
        "compute:\n    orchestrators:\n    - http://h:1\n    - http://i:2\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_setting_a_key_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("# mine\nAPI:\n  Port: 5\nLabels: {Zone: A}\nOther: 1\n")
    path.chmod(0o600)
    outcome = _cli(tmp_path, "config", "set", "labels=Foo=bar,baz=buz")
    assert outcome.stderr == f"Comments in {path} are not kept\n"
    assert yaml.safe_load(path.read_text()) == {
        "Other": 1,
        "api": {"port": 5},
        "labels": {"Foo": "bar", "baz": "buz"},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listed = _cli(tmp_path, "config", "list", "--output", "csv")
    assert any(line.startswith("Labels,map[Foo:bar baz:buz],") for line in listed.lines)


def test_several_values_make_a_list(tmp_path: Path) -> None:
    _cli(tmp_path, "config", "set", "Engines.Disabled", "docker", "wasm")
    content = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert content == {"engines": {"disabled": ["docker", "wasm"]}}


def test_the_file_to_change_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("")
    assert _cli(tmp_path, "config", "set", "-c", str(path), "API.Port=5").code == 0
    assert path.read_text() == "api:\n    port: 5\n"
    assert not (tmp_path / "config.yaml").exists()


def test_a_file_with_a_bad_value_can_be_put_right(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("API: {Port: http}")
    assert _cli(tmp_path, "config", "list").code == 1
    assert _cli(tmp_path, "config", "set", "API.Port=5").code == 0
    assert _cli(tmp_path, "config", "list").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["API.Port"], "must provide both key and value, or key=value"),
        (
            [""],
            "must provide both key and value, or key=value\nHint:  write: config set KEY=VALUE\n",
        ),
        (
            ["Compute.AllocatedCapacity.CPU=110%"],
            'invalid value "110%" for Compute.AllocatedCapacity.CPU: '
            "a percentage is between 0% and 100%",
        ),
        (["API.Port=x"], 'invalid value "x" for API.Port: expected a whole number'),
        (["DataDir=$HOME/x"], 'invalid DataDir: "$HOME/x" contains $'),
        (["API.Port=1", "-c", "API.Host=x"], "config file must end with '.yaml' or '.yml'"),
        (["API.Port=1", "-c", "/nowhere/x.yaml"], "config file /nowhere/x.yaml does not exist"),
        ([], "requires at least 1 arg(s), only received 0"),
    ],
)
def test_what_cannot_be_set_is_told_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    outcome = _cli(tmp_path, "config", "set", *arguments)
    assert outcome.code == 1
    assert outcome.stderr.startswith(f"\nError: {message}")
    assert list(tmp_path.iterdir()) == []


def test_one_file_only_can_be_changed(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("")
    files = ("-c", str(tmp_path / "a.yaml"), "-c", str(tmp_path / "b.yaml"))
    outcome = _cli(tmp_path, "config", "set", *files, "API.Port=5")
    assert "Error: single config file can be set" in outcome.stderr


def test_a_data_directory_is_set_as_a_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _cli(tmp_path, "config", "set", "DataDir=there").code == 0
    content = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert content == {"datadir": str(tmp_path / "there")}


def _sections(content: Any, path: str = "") -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield f"{path}.{key}"
            yield from _sections(value, f"{path}.{key}")


def test_the_configuration_of_the_server(server: ServedApi) -> None:
    outcome = server.cli("agent", "config")
    header, _, shape = recorded("agent-config").stdout.partition("\n")
    assert header == "YAML, keys sorted:"
    assert set(_sections(yaml.safe_load(shape))) <= set(_sections(yaml.safe_load(outcome.stdout)))
    assert yaml.safe_load(outcome.stdout)["Orchestrator"]["Auth"] == {"Token": "<redacted>"}
    pretty = server.cli("agent", "config", "--output", "json")
    assert json.loads(pretty.stdout)["API"]["Host"] == "127.0.0.1"
    assert pretty.stdout.startswith('{\n  "API"')
