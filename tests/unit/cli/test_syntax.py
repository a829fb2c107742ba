"""Flags in the syntax of the original (spec cli.md 4)."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.cli.flag import Flag
from bacalhau.cli.syntax import parse
from bacalhau.cli.values import (
    BOOL,
    DURATION,
    INT,
    STRING,
    STRING_ARRAY,
    STRING_MAP,
    STRINGS,
    TABULAR_FORMAT,
    UINT32,
)
from bacalhau.errors import UserError

FLAGS = (
    Flag("wait", BOOL, True, ""),
    Flag("follow", BOOL, False, "", short="f"),
    Flag("tail", BOOL, False, "", short="t"),
    Flag("input", STRING, "", "", short="i"),
    Flag("limit", UINT32, 10, ""),
    Flag("priority", INT, 0, ""),
    Flag("env", STRINGS, [], "", short="e"),
    Flag("domain", STRING_ARRAY, [], ""),
    Flag("vars", STRING_MAP, {}, "", short="V"),
    Flag("after", DURATION, 0.0, ""),
    Flag("output", TABULAR_FORMAT, "table", ""),
)


def values(*arguments: str) -> dict[str, Any]:
    return parse(arguments, FLAGS).values


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--input", "x"], {"input": "x"}),
        (["--input=x=y"], {"input": "x=y"}),
        (["--input="], {"input": ""}),
        (["-i", "x"], {"input": "x"}),
        (["-ix"], {"input": "x"}),
        (["-i=x"], {"input": "x"}),
        (["-input", "x"], {"input": "nput"}),
        (["-ft"], {"follow": True, "tail": True}),
        (["-fi", "x"], {"follow": True, "input": "x"}),
        (["--wait=false"], {"wait": False}),
        (["--wait=0"], {"wait": False}),
        (["--follow"], {"follow": True}),
        (["--limit", "0x10"], {"limit": 16}),
        (["--priority=-3"], {"priority": -3}),
        (["--priority", "010"], {"priority": 8}),
        (["--after", "1m30s"], {"after": 90.0}),
        (["-e", "A=1,B=2", "-e", "C=3"], {"env": ["A=1", "B=2", "C=3"]}),
        (["-e", '"A=x,y"'], {"env": ["A=x,y"]}),
        (["-e", ""], {"env": []}),
        (["--domain", "a,b", "--domain", "c"], {"domain": ["a,b", "c"]}),
        (["-V", "q=SELECT a, b"], {"vars": {"q": "SELECT a, b"}}),
        (["-V", "a=1,b=2", "-V", "c=3"], {"vars": {"a": "1", "b": "2", "c": "3"}}),
        (["-V", "a=b=c,d=e"], {"vars": {"a": "b=c", "d": "e"}}),
    ],
)
def test_values(arguments: list[str], expected: dict[str, Any]) -> None:
    assert values(*arguments) == expected


def test_flags_and_arguments_mix_until_two_dashes() -> None:
    parsed = parse(["ubuntu", "-f", "sleep", "--limit", "3", "--", "-x", "--", "y"], FLAGS)
    assert parsed.positionals == ["ubuntu", "sleep", "-x", "--", "y"]
    assert parsed.values == {"follow": True, "limit": 3}
    assert parsed.late == {"follow", "limit"}


def test_a_switch_does_not_take_the_next_word() -> None:
    parsed = parse(["--wait", "false"], FLAGS)
    assert parsed.values == {"wait": True}
    assert parsed.positionals == ["false"]


def test_a_lone_dash_is_an_argument() -> None:
    assert parse(["-"], FLAGS).positionals == ["-"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense"], "unknown flag: --nonsense"),
        (["--nonsense=1"], "unknown flag: --nonsense"),
        (["-fx"], "unknown shorthand flag: 'x' in -fx"),
        (["--input"], "flag needs an argument: --input"),
        (["-i"], "flag needs an argument: 'i' in -i"),
        (
            ["--output", "xml"],
            'invalid argument "xml" for "--output" flag: '
            'should be one of ["table" "csv" "json" "yaml"]',
        ),
        (
            ["--limit", "ten"],
            'invalid argument "ten" for "--limit" flag: '
            'strconv.ParseUint: parsing "ten": invalid syntax',
        ),
        (
            ["--limit=-1"],
            'invalid argument "-1" for "--limit" flag: '
            'strconv.ParseUint: parsing "-1": invalid syntax',
        ),
        (
            ["--limit=4294967296"],
            'invalid argument "4294967296" for "--limit" flag: '
            'strconv.ParseUint: parsing "4294967296": value out of range',
        ),
        (
            ["-f=maybe"],
            'invalid argument "maybe" for "-f, --follow" flag: '
            'strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            ["--after", "300"],
            'invalid argument "300" for "--after" flag: time: missing unit in duration "300"',
        ),
        (
            ["--after", "soon"],
            'invalid argument "soon" for "--after" flag: time: invalid duration "soon"',
        ),
        (
            ["-V", "a"],
            'invalid argument "a" for "-V, --vars" flag: a must be formatted as key=value',
        ),
        (
            ["-e", 'A="x"'],
            'invalid argument "A="x"" for "-e, --env" flag: '
            'parse error on line 1, column 3: bare " in non-quoted field',
        ),
    ],
)
def test_errors(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        values(*arguments)
    assert caught.value.message == message


def test_errors_behind_an_argument_come_with_the_hint() -> None:
    with pytest.raises(UserError) as caught:
        parse(["ubuntu", "echo", "-n"], FLAGS, late_hint="use --")
    assert caught.value.hint == "use --"
    with pytest.raises(UserError) as caught:
        parse(["-n", "ubuntu"], FLAGS, late_hint="use --")
    assert caught.value.hint == ""
