"""Effective settings (spec config.md 1, cli.md 3.2 to 3.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bacalhau.config import KEYS, Settings
from bacalhau.errors import UserError


def _error(environment: dict[str, str], *assignments: str) -> UserError:
    with pytest.raises(UserError) as caught:
        Settings.load(environment, assignments)
    assert caught.value.code == "ConfigurationError"
    assert caught.value.hint
    return caught.value


def test_every_key_has_its_default_and_a_text() -> None:
    settings = Settings.load({}, [])
    assert settings.text("API.Host") == "127.0.0.1"
    assert settings.integer("API.Port") == 1234
    assert settings.flag("Orchestrator.Enabled") is False
    assert settings.words("Engines.Disabled") == ()
    assert settings.seconds("Compute.Heartbeat.Interval") == 15
    assert all(key.text.endswith(".") for key in KEYS)


def test_defaults_pass_their_own_checks() -> None:
    for key in KEYS:
        if isinstance(key.default, str):
            assert Settings.load({}, [f"{key.name}={key.default}"]).text(key.name) in (
                key.default,
                f"{key.default}0s",
            )


def test_variables_are_named_after_the_key() -> None:
    environment = {
        "BACALHAU_API_HOST": "0.0.0.0",
        "BACALHAU_API_PORT": "0",
        "BACALHAU_COMPUTE_ENABLED": "T",
        "BACALHAU_ENGINES_DISABLED": "docker,wasm",
        "BACALHAU_COMPUTE_HEARTBEAT_INTERVAL": "100ms",
        "BACALHAU_LABELS": "zone=a,rack=7",
    }
    settings = Settings.load(environment, [])
    assert settings.text("API.Host") == "0.0.0.0"
    assert settings.integer("API.Port") == 0
    assert settings.flag("Compute.Enabled") is True
    assert settings.words("Engines.Disabled") == ("docker", "wasm")
    assert settings.seconds("Compute.Heartbeat.Interval") == 0.1
    assert settings.pairs("Labels") == {"zone": "a", "rack": "7"}


def test_an_empty_variable_is_none() -> None:
    assert Settings.load({"BACALHAU_API_PORT": ""}, []).integer("API.Port") == 1234


def test_assignments_win_over_variables_and_the_last_over_the_first() -> None:
    environment = {"BACALHAU_API_PORT": "1"}
    assert Settings.load(environment, ["API.Port=2"]).integer("API.Port") == 2
    assert Settings.load(environment, ["api.port=2", "API.PORT=3"]).integer("API.Port") == 3


def test_a_flag_alone_means_yes() -> None:
    assert Settings.load({}, ["compute.enabled"]).flag("Compute.Enabled") is True
    assert Settings.load({}, ["Compute.Enabled=0"]).flag("Compute.Enabled") is False


def test_a_value_may_hold_equals_signs_and_be_empty() -> None:
    assert Settings.load({}, ["NodeID=a=b"]).text("NodeID") == "a=b"
    assert Settings.load({}, ["NodeID="]).text("NodeID") == ""
    assert Settings.load({}, ["Engines.Disabled="]).words("Engines.Disabled") == ()


def test_durations_are_kept_in_gos_form() -> None:
    key = "InputSources.ReadTimeout"
    assert Settings.load({}, [f"{key}=90s"]).text(key) == "1m30s"
    assert Settings.load({}, [f"{key}=0"]).seconds(key) == 0


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("API.Port=http", "expected a whole number"),
        ("API.Port=1_000", "expected a whole number"),
        ("API.Port=70000", "from 0 to 65535"),
        ("API.Port=-1", "from 0 to 65535"),
        ("InputSources.Types.S3.Concurrency=0", "from 1 to"),
        ("Compute.Enabled=yes", "expected true or false"),
        ("Compute.Enabled=", "expected true or false"),
        ("Compute.Heartbeat.Interval=30", "expected a duration such as"),
        ("Compute.Heartbeat.Interval=-5s", "must not be negative"),
        ("Compute.Heartbeat.Interval=0s", "must be more than zero"),
        ("Engines.Disabled=a, b", "without spaces or semicolons"),
        ("Engines.Disabled=a;b", "without spaces or semicolons"),
        ("Engines.Disabled=a,,b", "empty element"),
        ("Labels=zone", 'expected key=value, got "zone"'),
        ("Labels=a=b=c", 'expected key=value, got "a=b=c"'),
        ("Labels==a", "expected key=value"),
        ("Labels=a=", "expected key=value"),
        ("Logging.Level=loud", "expected one of"),
        ("JobDefaults.Batch.Task.Resources.CPU=lots", "expected cores"),
        ("JobDefaults.Batch.Task.Resources.Memory=-1", "expected bytes"),
        ("API.MaxBodySize=0", "it must be from 1000 to"),
        ("JobAdmissionControl.ProbeHTTP=nope", "expected an address such as http://"),
        ("JobAdmissionControl.ProbeHTTP=ftp://host/x", "expected an address such as http://"),
        ("JobAdmissionControl.ProbeHTTP=http://", "expected an address such as http://"),
        ("Compute.AllocatedCapacity.CPU=110%", "between 0% and 100%"),
        ("Compute.AllocatedCapacity.Memory=much", ", or a percentage such as 70%"),
        ("Compute.AllocatedCapacity.Disk=-1%", "between 0% and 100%"),
        ("Compute.AllocatedCapacity.GPU=one", "whole number"),
    ],
)
def test_a_bad_value_is_told_with_its_key_and_what_is_accepted(assignment: str, text: str) -> None:
    name, _, value = assignment.partition("=")
    error = _error({}, assignment)
    assert error.message.startswith(f'invalid value "{value}" for {name}: ')
    assert text in error.message
    assert error.fields == (name,)


def test_a_bad_variable_is_named() -> None:
    error = _error({"BACALHAU_API_PORT": "x"})
    assert error.hint == "correct the variable BACALHAU_API_PORT; the default is 1234"


def test_a_bad_alias_is_named() -> None:
    assert "the variable LOG_LEVEL" in _error({"LOG_LEVEL": "loud"}).hint


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    error = _error({}, "api.prot=1")
    assert error.message == '"api.prot" is not a valid config key'
    assert error.hint == "did you mean API.Port? `bacalhau config list` shows all keys"
    assert _error({}, "zzz=1").hint == "`bacalhau config list` shows all keys"


def test_a_key_alone_that_is_no_flag_needs_a_value() -> None:
    error = _error({}, "API.Port")
    assert (error.message, error.hint) == ("API.Port needs a value", "write API.Port=VALUE")


def test_other_variables_are_left_alone() -> None:
    environment = {"BACALHAU_API": "x", "BACALHAU_ENVIRONMENT": "production", "PATH": "/bin"}
    assert Settings.load(environment, []).integer("API.Port") == 1234


def test_aliases_count_where_the_derived_name_is_not_set() -> None:
    environment = {"BACALHAU_DIR": "/alias", "LOG_LEVEL": "DEBUG"}
    settings = Settings.load(environment, [])
    assert settings.data_directory == Path("/alias")
    assert settings.text("Logging.Level") == "DEBUG"
    environment |= {"BACALHAU_DATADIR": "/derived", "BACALHAU_LOGGING_LEVEL": "warn"}
    settings = Settings.load(environment, [])
    assert settings.data_directory == Path("/derived")
    assert settings.text("Logging.Level") == "warn"


def test_the_data_directory_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Settings.load({}, []).data_directory == tmp_path / ".bacalhau"
    assert Settings.load({}, ["DataDir=~/x"]).data_directory == tmp_path / "x"
    assert Settings.load({}, ["DataDir=here"]).data_directory == tmp_path / "here"


@pytest.mark.parametrize("text", ["$HOME/x", "/a/${b}"])
def test_a_data_directory_with_a_dollar_is_refused(text: str) -> None:
    assert "variables are not expanded" in _error({}, f"DataDir={text}").message
    assert "variables are not expanded" in _error({"BACALHAU_DIR": text}).message


def test_an_empty_or_relative_data_directory_is_refused() -> None:
    assert _error({}, "DataDir=").message == "invalid DataDir: the data directory is empty"
    error = _error({"BACALHAU_DATADIR": "here"})
    assert error.message == 'invalid DataDir: "here" is a relative path'


def test_no_home_directory_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load({}, ["DataDir=~nobody-of-this-name/x"])
    with pytest.raises(UserError, match="no home directory"):
        _ = settings.data_directory


def test_settings_made_by_hand_keep_the_other_defaults() -> None:
    settings = Settings({"API.Port": 5})
    assert (settings.integer("API.Port"), settings.text("API.Host")) == (5, "127.0.0.1")
