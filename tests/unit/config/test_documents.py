"""The configuration as a nested document (spec api.md 3.5, cli.md 8.2, 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from bacalhau.config import KEYS, Settings
from bacalhau.config.documents import nested, read_assignment, with_key

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.config.keys import Value

_VALUES: dict[str, Value] = {
    "Orchestrator.Auth.Token": "s3cret",
    "Compute.Auth.Token": "s3cret",
    "Compute.Orchestrators": ("nats://s3cret@host:4222", "s3cret@other:4222", "third:4222"),
    "JobAdmissionControl.ProbeHTTP": "https://me:s3cret@host/x?key=s3cret",
    "API.Auth.Users": '[{"Username":"me","Password":"s3cret","APIKey":"s3cret"}]',
    "JobDefaults.Batch.Task.Publisher.Params": ("Bucket=b", "SecretKey=s3cret"),
}
SECRETS = Settings(_VALUES)


def test_no_secret_is_shown() -> None:
    shown = nested(SECRETS)
    assert "s3cret" not in str(shown)
    assert shown["Orchestrator"]["Auth"] == {"Token": "<redacted>"}
    assert shown["Compute"]["Orchestrators"] == [
        "nats://<redacted>@host:4222",
        "<redacted>@other:4222",
        "third:4222",
    ]
    assert shown["JobAdmissionControl"]["ProbeHTTP"] == "https://<redacted>@host/x?<redacted>"
    assert shown["API"]["Auth"]["Users"] == [
        {"Username": "me", "Password": "<redacted>", "APIKey": "<redacted>"}
    ]
    params = shown["JobDefaults"]["Batch"]["Task"]["Publisher"]["Params"]
    assert params == {"Bucket": "b", "SecretKey": "<redacted>"}


def test_secrets_are_shown_to_who_asks() -> None:
    assert str(nested(SECRETS, with_secrets=True)).count("s3cret") == 9


def test_tokens_that_are_not_set_are_not_masked() -> None:
    assert nested(Settings())["Orchestrator"]["Auth"] == {}


def test_values_have_the_types_of_yaml() -> None:
    shown = nested(Settings({"Labels": ("Zone=a",), "Engines.Disabled": ("wasm",)}))
    assert shown["Labels"] == {"Zone": "a"}
    assert shown["Engines"]["Disabled"] == ["wasm"]
    assert shown["API"]["Port"] == 1234
    assert shown["InputSources"]["ReadTimeout"] == "5m0s"
    assert shown["API"]["TLS"] == {"Insecure": False}


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    values: dict[str, Value] = {
        "InputSources.Types.S3.AllowAnonymous": False,
        "Publishers.Types.S3.PreSignedURLExpiration": "0s",
        "Labels": ("Zone=a=b",),
        "DataDir": "/somewhere",
        "API.Auth.Methods": "",
    }
    first = Settings({**_VALUES, **values})
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(nested(first, with_secrets=True)))
    second = Settings.load({}, [], [path])
    assert second.warnings == ()
    different = [
        key.name
        for key in KEYS
        if first.effective(key.name) != second.effective(key.name) and not key.is_document
    ]
    assert different == []


def test_a_key_is_set_and_known_names_become_lower_case() -> None:
    document = {
        "API": {"Host": "a", "Port": 1},
        "Labels": {"Zone": "a"},
        "api.tls": {"UseTLS": True},
        "Unknown": {"Thing": 1},
        "Compute": None,
    }
    changed = with_key(document, *read_assignment("Compute.Orchestrators", "a,b"))
    assert changed == {
        "api": {"host": "a", "port": 1, "tls": {"usetls": True}},
        "labels": {"Zone": "a"},
        "Unknown": {"Thing": 1},
        "compute": {"orchestrators": ["a", "b"]},
    }
