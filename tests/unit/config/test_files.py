"""Configuration files (spec config.md 1.2, 1.3, 11; cli.md 3.2, 3.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from bacalhau.config import Settings
from bacalhau.config.sources import split_arguments
from bacalhau.errors import UserError


class Write(Protocol):
    """Writes a file and returns where it is."""

    def __call__(self, name: str, text: str) -> Path: ...


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file into a folder of its own and return where it is."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def _error(*paths: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        Settings.load({}, [], paths)
    assert caught.value.code == "ConfigurationError"
    assert caught.value.hint
    return caught.value


def test_later_files_win_and_assignments_over_all(write: Write) -> None:
    files = [
        write("1.yaml", "API: {Host: 1.1.1.1, Port: 1}"),
        write("2.yaml", "API: {Host: 2.2.2.2}"),
    ]
    settings = Settings.load({}, [], files)
    assert (settings.text("API.Host"), settings.integer("API.Port")) == ("2.2.2.2", 1)
    assert settings.files == tuple(files)
    settings = Settings.load({"BACALHAU_API_PORT": "5"}, ["api.host=3.3.3.3"], files)
    assert (settings.text("API.Host"), settings.integer("API.Port")) == ("3.3.3.3", 5)


@pytest.mark.parametrize(
    "text",
    [
        "api:\n    host: 1.2.3.4\ncompute:\n    orchestrators:\n        - a\n        - b\n",
        "API: {Host: 1.2.3.4}\nCompute: {Orchestrators: [a, b]}\n",
        "API.Host: 1.2.3.4\nCompute.Orchestrators: a,b\n",
    ],
)
def test_names_are_understood_in_any_case(write: Write, text: str) -> None:
    settings = Settings.load({}, [], [write("c.yaml", text)])
    assert settings.text("API.Host") == "1.2.3.4"
    assert settings.words("Compute.Orchestrators") == ("a", "b")
    assert settings.warnings == ()


def test_labels_keep_their_case_and_join_those_of_other_files(write: Write) -> None:
    files = [write("1.yaml", "Labels: {Zone: A, rack: 7}"), write("2.yaml", "Labels: {rack: 8}")]
    assert Settings.load({}, [], files).pairs("Labels") == {"Zone": "A", "rack": "8"}
    assert Settings.load({}, ["Labels=a=b"], files).pairs("Labels") == {"a": "b"}


def test_values_that_are_no_text_become_text_as_they_are_written(write: Write) -> None:
    path = write("c.yaml", "Labels: {gpu: true, n: 5}\nCompute: {AllocatedCapacity: {CPU: 0.5}}")
    settings = Settings.load({}, [], [path])
    assert settings.pairs("Labels") == {"gpu": "true", "n": "5"}
    assert settings.text("Compute.AllocatedCapacity.CPU") == "0.5"


def test_a_map_value_may_hold_what_an_assignment_cannot(write: Write) -> None:
    path = write("c.yaml", "Labels: {key: 'a=b,c'}")
    assert Settings.load({}, [], [path]).pairs("Labels") == {"key": "a=b,c"}


def test_methods_of_a_file_replace_the_default_ones(write: Write) -> None:
    path = write("c.yaml", "API: {Auth: {Methods: {X: {Type: ask, PolicyPath: /p}}}}")
    text = Settings.load({}, [], [path]).text("API.Auth.Methods")
    assert text == '{"X":{"Type":"ask","PolicyPath":"/p"}}'


def test_nothing_written_is_nothing_set(write: Write) -> None:
    path = write("c.yaml", "API:\nLabels:\nLogging: {Level: }")
    assert Settings.load({}, [], [path]).text("Logging.Level") == "info"


def test_unknown_keys_are_told_and_do_no_harm(write: Write) -> None:
    path = write("c.yaml", "API: {Prot: 1, Port: 2}\nNode: {ServerAPI: {Port: 3}}")
    settings = Settings.load({}, [], [path])
    assert settings.integer("API.Port") == 2
    assert settings.warnings == (
        f"{path}: API.Prot is not a configuration key and has no effect; did you mean API.Port?",
        f"{path}: Node is not a configuration key and has no effect; "
        "it belongs to versions before 1.5",
    )


def test_an_empty_file_is_told(write: Write) -> None:
    path = write("c.yaml", "")
    assert Settings.load({}, [], [path]).warnings == (f"configuration file {path} is empty",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("API: {Port: http}", 'invalid value "http" for API.Port: expected a whole number'),
        ("API: {Port: [1]}", "invalid value for API.Port: expected one value, got a list"),
        ("API: {Port: {a: 1}}", "invalid value for API.Port: expected one value, got a section"),
        ("Compute: {Enabled: 2}", "invalid value for Compute.Enabled: expected true or false"),
        (
            "Compute: {Heartbeat: {Interval: 30}}",
            "invalid value for Compute.Heartbeat.Interval: expected a duration with a unit",
        ),
        ("Labels: [a]", "invalid value for Labels: expected a section of names and texts"),
        ("Labels: {a: {b: c}}", "invalid value for Labels: expected a section of names and texts"),
        ("Engines: {Disabled: [[a]]}", "invalid value for Engines.Disabled: expected a list"),
        ("Engines: {Disabled: ['']}", "invalid value for Engines.Disabled: the list has an empty"),
    ],
)
def test_a_bad_value_is_told_with_key_and_file(write: Write, text: str, message: str) -> None:
    path = write("c.yaml", text)
    error = _error(path)
    assert error.message.startswith(message)
    assert error.hint.startswith(f"correct {error.fields[0]} in {path}")


def test_secrets_are_not_repeated_in_messages() -> None:
    with pytest.raises(UserError) as caught:
        Settings.load({}, ['API.Auth.Users=[{"Password":"s3cret"}'])
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("API: foo", 'has "foo" for API, which is a section of several keys'),
        ("API: {Host: a, host: b}", "sets API.Host twice"),
        ("API: {Host: [", "is not valid YAML: line 2"),
        ("a\nb: c", "is not valid YAML: line 2"),
        ("- a", "has no keys"),
    ],
)
def test_a_bad_file_is_told_with_its_name_and_place(write: Write, text: str, message: str) -> None:
    path = write("c.yaml", text)
    assert _error(path).message.startswith(f"configuration file {path} {message}")


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xff\xfe")
    assert _error(path).message == f"configuration file {path} is not text in UTF-8"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    reason = "cannot be read: No such file or directory"
    assert _error(path).message == f"configuration file {path} {reason}"


def test_the_file_of_the_data_directory_counts_where_none_is_named(write: Write) -> None:
    default = write("config.yaml", "API: {Port: 7}")
    other = write("other.yaml", "API: {Host: 9.9.9.9}")
    environment = {"BACALHAU_DIR": str(default.parent)}
    assert Settings.find(environment, ["WebUI.Enabled"]).integer("API.Port") == 7
    assert Settings.find(environment, ["API.Port=8"]).integer("API.Port") == 8
    assert Settings.find(environment, [], [other]).integer("API.Port") == 1234
    assert Settings.find({"BACALHAU_DIR": "/nowhere"}, []).files == ()


def test_a_file_may_name_another_data_directory(write: Write) -> None:
    default = write("config.yaml", "DataDir: /elsewhere")
    settings = Settings.find({"BACALHAU_DIR": ""}, [], [default])
    assert settings.data_directory == Path("/elsewhere")


def test_arguments_are_files_or_assignments(write: Write) -> None:
    path = write("c.yml", "")
    files, rest = split_arguments([str(path), "API.Host=x.yaml", "WebUI.Enabled"])
    assert (files, rest) == ([path], ["API.Host=x.yaml", "WebUI.Enabled"])


@pytest.mark.parametrize(
    ("name", "message"), [("none.yaml", "does not exist"), ("folder.yaml", "is a directory")]
)
def test_a_file_that_is_none_is_told(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(UserError, match=message):
        split_arguments([str(tmp_path / name)])


def test_a_word_that_is_no_key_is_told(write: Write) -> None:
    with pytest.raises(UserError, match="no matching config key"):
        Settings.load({}, ["Nope"])
    with pytest.raises(UserError, match=r"must end in \.yaml or \.yml"):
        Settings.load({}, [str(write("c.txt", ""))])


def test_names_of_older_versions_are_told_with_the_new_one() -> None:
    with pytest.raises(UserError) as caught:
        Settings.load({}, ["Node.ServerAPI.Port=1"])
    assert caught.value.message == '"node.serverapi.port" is not a valid config key'
    assert "it is called API.Port since version 1.5" in caught.value.hint
