"""What YAML means in job files (spec cli.md 11.2)."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.lib.yaml_document import YamlError, load_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("yes", True),
        ("y", True),
        ("TRUE", True),
        ("off", False),
        ("No", False),
        ("n", False),
        ("yEs", "yEs"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2001-01-01", "2001-01-01"),
        ("2001-01-01T12:00:00Z", "2001-01-01T12:00:00Z"),
        ("1e3", 1000.0),
        ("1e+3", 1000.0),
        (".5", 0.5),
        ("-1.5", -1.5),
        ("012", 10),
        ("0777", 511),
        ("0o17", 15),
        ("0x10", 16),
        ("0b11", 3),
        ("1_000", 1000),
        ("+7", 7),
        ("-7", -7),
        ("0", 0),
        ("1.5.2", "1.5.2"),
        ("500m", "500m"),
        ("~", None),
        ("null", None),
        ("", None),
        ("=", "="),
        ("==", "=="),
        ("<", "<"),
        ('"on"', "on"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!bool 'yes'", True),
        ("!!float '1'", 1.0),
        ("!!null ''", None),
        ('"\\U0001F600"', "\U0001f600"),
    ],
)
def test_plain_values_have_the_meaning_of_yaml_1_1(text: str, value: Any) -> None:
    found = load_yaml(f"key: {text}")["key"]
    assert (type(found), found) == (type(value), value)


def test_a_number_beyond_64_bits_keeps_its_digits() -> None:
    assert load_yaml("123456789012345678901234567890") == 123456789012345678901234567890


def test_keys_are_text_as_written() -> None:
    assert load_yaml("{on: 1, N: 2, 012: 3, 1.5: 4, ~: 5, 'a': 6}") == {
        "on": 1,
        "N": 2,
        "012": 3,
        "1.5": 4,
        "~": 5,
        "a": 6,
    }


def test_aliases_and_merges_are_followed() -> None:
    text = "base: &b {cpu: 1, memory: 2}\nown:\n  <<: [*b, {disk: 9}]\n  cpu: 3\nagain: *b\n"
    assert load_yaml(text) == {
        "base": {"cpu": 1, "memory": 2},
        "own": {"cpu": 3, "memory": 2, "disk": 9},
        "again": {"cpu": 1, "memory": 2},
    }


def test_the_first_of_several_merged_mappings_wins() -> None:
    assert load_yaml("{<<: [{a: 1}, {a: 2, b: 2}]}") == {"a": 1, "b": 2}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_text_is_null(text: str) -> None:
    assert load_yaml(text) is None


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", 4, 3, 'key "c" is given twice'),
        ("on: 1\n'on': 2\n", 2, 1, 'key "on" is given twice'),
        ("a: [1, 2\n", 2, 1, "did not find expected"),
        ("\tb: 2\n", 1, 1, "cannot start any token"),
        ("a: !custom 5\n", 1, 4, "tag !custom is not supported"),
        ("a: !!binary aGk=\n", 1, 4, "is not supported"),
        ("a: !!int x\n", 1, 4, '"x" is not a number'),
        ("a: !!bool x\n", 1, 4, '"x" is not a boolean'),
        ("a: !!null x\n", 1, 4, '"x" is not null'),
        ("a: .inf\n", 1, 4, "not a number that JSON can say"),
        ("a: .NaN\n", 1, 4, "not a number that JSON can say"),
        ("a: 1e999\n", 1, 4, "too large"),
        ("a: &x [*x]\n", 1, 4, "refers to itself"),
        ("? [a, b]\n: 1\n", 1, 3, "a key must be plain text"),
        ("a: *nobody\n", 1, 4, "undefined alias"),
        ("ok: 1\nb\x07: 1\n", 2, 2, "control characters are not allowed"),
        ("a: {<<: 5}\n", 1, 9, "<< needs a mapping"),
        ("a: !!set {b, c}\n", 1, 4, "is not supported"),
        ("a: \ud800\n", 1, 4, "not valid Unicode"),
        (
            "a: " + "[" * 99 + "]" * 99 + "\nb: " + "[" * 200 + "]" * 200,
            2,
            103,
            "nested too deeply",
        ),
    ],
)
def test_errors_tell_line_and_column(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(YamlError) as caught:
        load_yaml(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "text", ["---\na: 1\n---\n", "a: 1\n...\n", "a: 1\n---\n# the end\n---\n~\n", "\ufeffa: 1\n"]
)
def test_empty_documents_behind_the_first_are_none(text: str) -> None:
    assert load_yaml(text) == {"a": 1}


def test_what_would_be_lost_in_a_second_document_is_an_error() -> None:
    """Such as the second of two jobs in one file."""
    with pytest.raises(YamlError, match="a second document begins here") as caught:
        load_yaml("a: 1\n---\n# more\na: 2\n")
    assert (caught.value.line, caught.value.is_syntax) == (4, False)


@pytest.mark.parametrize("text", ["{a: 1}\n// more\n", "'a'\nb: 1\n", "[a]\nb: 1\n"])
def test_text_behind_the_end_of_a_document_is_an_error(text: str) -> None:
    with pytest.raises(YamlError, match="stands behind the end of the document") as caught:
        load_yaml(text)
    assert (caught.value.line, caught.value.is_syntax) == (2, True)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_endless_nesting_is_an_error_not_a_crash(opening: str) -> None:
    with pytest.raises(YamlError):
        load_yaml(opening * 100_000)


@pytest.mark.timeout(20)
def test_nested_merges_and_aliases_take_no_exponential_time() -> None:
    lines = ["a0: &a0 {k0: 1}"]
    for level in range(1, 40):
        many = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} {{<<: [{many}], k{level}: [{many}]}}")
    assert len(load_yaml("\n".join(lines))["a39"]) == 40
