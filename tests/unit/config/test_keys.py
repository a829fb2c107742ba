"""The table of keys, and the environment variables made from it (spec config.md 3, 4, 12)."""

from __future__ import annotations

import re
from pathlib import Path

import bacalhau
from bacalhau.config import KEYS, Settings
from bacalhau.config.keys import SECTIONS

_V15 = Path(__file__).parents[2] / "data" / "config-variables-v1.5.txt"
_SOURCES = Path(bacalhau.__file__).parent


def test_every_variable_of_v1_5_has_its_key() -> None:
    variables = {key.variable for key in KEYS}
    assert set(_V15.read_text().split()) - variables == set()


def test_names_are_given_once() -> None:
    names = [key.name.lower() for key in KEYS]
    assert len(names) == len(set(names))
    assert set(names).isdisjoint(SECTIONS)


def test_keys_marked_as_without_effect_are_read_nowhere() -> None:
    text = "".join(
        path.read_text()
        for path in _SOURCES.rglob("*.py")
        if path.parent.name != "config" or path.parent.parent.name == "cli"
    )
    read = set(
        re.findall(r'\.(?:text|integer|flag|words|pairs|seconds)\(\s*"([A-Za-z0-9.]+)"', text)
    )
    assert [key.name for key in KEYS if key.is_pending and key.name in read] == []
    assert "API.Port" in read


def test_keys_that_are_set_in_vain_are_known() -> None:
    settings = Settings.load({}, ["WebUI.Enabled", "API.Port=5", "WebUI.Backend="])
    assert settings.without_effect == ["WebUI.Enabled"]


def test_a_variable_for_nodes_counts_for_nodes_only() -> None:
    environment = {"BACALHAU_SERVER_PORT": "2"}
    assert Settings.load(environment, []).integer("API.Port") == 1234
    assert Settings.load(environment, [], is_node=True).integer("API.Port") == 2
    environment["BACALHAU_API_PORT"] = "1"
    assert Settings.load(environment, [], is_node=True).integer("API.Port") == 1


def test_one_variable_sets_all_addresses_of_ipfs() -> None:
    settings = Settings.load({"BACALHAU_NODE_IPFS_CONNECT": "/ip4/1.2.3.4/tcp/5001"}, [])
    for section in ("InputSources", "Publishers", "ResultDownloaders"):
        assert settings.text(f"{section}.Types.IPFS.Endpoint") == "/ip4/1.2.3.4/tcp/5001"


def test_a_variable_named_like_a_section_is_told_and_hides_nothing() -> None:
    settings = Settings.load({"BACALHAU_API": "x", "BACALHAU_COMPUTE_ENABLED": "1"}, [])
    assert settings.text("API.Host") == "127.0.0.1"
    assert settings.warnings == (
        "the variable BACALHAU_API has no effect: API is a section, not a configuration key",
    )


def test_the_variable_for_tls_sets_tls() -> None:
    settings = Settings.load({"BACALHAU_API_TLS": "true"}, [])
    assert settings.flag("API.TLS.UseTLS") is True
    assert settings.warnings == ()


def test_locality_is_understood_in_any_case_everywhere() -> None:
    name = "JobAdmissionControl.Locality"
    assert Settings.load({}, [f"{name}=LOCAL"]).text(name) == "LOCAL"
    assert Settings.load({"BACALHAU_JOBADMISSIONCONTROL_LOCALITY": "local"}, []).text(name) == (
        "local"
    )
