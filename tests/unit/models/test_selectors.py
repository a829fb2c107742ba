"""Label selectors (spec api.md 1.9 and 3.6, orchestration.md 3.3, cli.md 9.4)."""

from __future__ import annotations

import pytest

from bacalhau.errors import UserError
from bacalhau.models import LabelSelectorRequirement
from bacalhau.models.selectors import (
    format_requirement,
    matches,
    parse_selector,
    validate_requirement,
)


def _requirement(key: str, operator: str, *values: str) -> LabelSelectorRequirement:
    return LabelSelectorRequirement(key=key, operator=operator, values=list(values))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k", _requirement("k", "exists")),
        ("!k", _requirement("k", "!")),
        ("k=v", _requirement("k", "=", "v")),
        ("k==v", _requirement("k", "==", "v")),
        ("k!=v", _requirement("k", "!=", "v")),
        ("k=", _requirement("k", "=", "")),
        ("k==", _requirement("k", "==", "")),
        ("k in (b,a,b)", _requirement("k", "in", "a", "b")),
        ("k notin (a)", _requirement("k", "notin", "a")),
        ("k in ()", _requirement("k", "in", "")),
        ("k in (a,)", _requirement("k", "in", "", "a")),
        ("k>1", _requirement("k", "gt", "1")),
        ("k<-1", _requirement("k", "lt", "-1")),
        (" \tk  =\n v ", _requirement("k", "=", "v")),
        ("k in(a , b )", _requirement("k", "in", "a", "b")),
        ("in in (in,notin)", _requirement("in", "in", "in", "notin")),
        ("notin=in", _requirement("notin", "=", "in")),
        ("example.com/a_b.C-d=x", _requirement("example.com/a_b.C-d", "=", "x")),
    ],
)
def test_each_form_is_read(text: str, expected: LabelSelectorRequirement) -> None:
    assert parse_selector(text) == [expected]


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_an_empty_selector_has_no_requirement_and_matches_all(text: str) -> None:
    assert parse_selector(text) == []
    assert matches(parse_selector(text), {})


def test_requirements_are_sorted_by_key() -> None:
    keys = [requirement.key for requirement in parse_selector("z, b=1, !a, b!=2")]
    assert keys == ["a", "b", "b", "z"]


@pytest.mark.parametrize(
    ("text", "reason", "character"),
    [
        ("!!bad", "expected a key", 2),
        ("a,", "expected a key after the comma", 3),
        (",a", 'expected a key, found ","', 1),
        ("a b", '"b" is not an operator', 3),
        ("version gt 2.0", '"gt" is not an operator', 9),
        ("a In (b)", '"In" is not an operator', 3),
        ("a in b", "expected ( and a list", 6),
        ("a in (b", "expected a comma or )", 8),
        ("a in (b c)", "expected a comma or )", 9),
        ("a in (", "expected a value", 7),
        ("a=b c", 'expected a comma, found "c"', 5),
        ("!a=b", 'expected a comma, found "="', 3),
        ("a=>b", 'expected a value, found ">"', 3),
        ("ok,a>x", "needs a whole number", 4),
        ("-a", '"-a" cannot be the key of a label', 1),
        ("A.b/c", "cannot be the key", 1),
        ("a=-b", '"-b" cannot be the value of a label', 1),
        ("a=" + "v" * 64, "cannot be the value of a label", 1),
        ("k" * 64, "cannot be the key of a label", 1),
        ("é", "cannot be the key of a label", 1),
    ],
)
def test_errors_tell_the_position(text: str, reason: str, character: int) -> None:
    with pytest.raises(UserError) as caught:
        parse_selector(text)
    assert reason in caught.value.message
    assert f"(at character {character})" in caught.value.message
    assert caught.value.hint


_LABELS = {"env": "prod", "zone": "", "size": "10", "neg": "-3", "word": "ten"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("env", True),
        ("none", False),
        ("!none", True),
        ("!env", False),
        ("env=prod", True),
        ("env==dev", False),
        ("zone=", True),
        ("none=", False),
        ("env!=dev", True),
        ("env!=prod", False),
        ("none!=x", True),
        ("env in (dev,prod)", True),
        ("none in (a)", False),
        ("env notin (dev)", True),
        ("env notin (prod)", False),
        ("none notin (prod)", True),
        ("size>9", True),
        ("size>10", False),
        ("size<11", True),
        ("neg<-2", True),
        ("word>1", False),
        ("none<1", False),
        ("env=prod,size>9,!none", True),
        ("env=prod,size>99", False),
    ],
)
def test_labels_match_as_in_kubernetes(selector: str, *, expected: bool) -> None:
    assert matches(parse_selector(selector), _LABELS) is expected


@pytest.mark.parametrize(
    ("requirement", "reasons"),
    [
        (_requirement("a", "in"), ['operator "in" needs at least one value']),
        (_requirement("a", "notin"), ['operator "notin" needs at least one value']),
        (_requirement("a", "exists", "b"), ['operator "exists" takes no values']),
        (_requirement("a", "!", "b"), ['operator "!" takes no values']),
        (_requirement("a", "="), ['operator "=" needs exactly one value']),
        (_requirement("a", "!=", "b", "c"), ['operator "!=" needs exactly one value']),
        (_requirement("a", "gt", "1.5"), ['operator "gt" needs a whole number, got "1.5"']),
        (
            _requirement("a", "lt", "9" * 20),
            [f'operator "lt" needs a whole number, got "{"9" * 20}"'],
        ),
        (
            _requirement("a", "gt", "9" * 19),
            [f'operator "gt" needs a whole number, got "{"9" * 19}"'],
        ),
        (_requirement("", "="), ["the key is blank", 'operator "=" needs exactly one value']),
        (_requirement("a b", "exists"), ['"a b" cannot be the key of a label']),
        (
            _requirement(f"{'a.' * 127}b/k", "exists"),
            [f'"{"a." * 127}b/k" cannot be the key of a label'],
        ),
        (_requirement("a", "in", "b c"), ['"b c" cannot be the value of a label']),
        (_requirement("favour_gpu", "in", "a", "b"), []),
        (_requirement("a", "gt", "+5"), []),
    ],
)
def test_requirements_of_job_files_are_checked(
    requirement: LabelSelectorRequirement, reasons: list[str]
) -> None:
    assert validate_requirement(requirement) == reasons


def test_an_unknown_operator_is_told_with_the_known_ones() -> None:
    (reason,) = validate_requirement(_requirement("a", "In", "b"))
    assert reason == 'unknown operator "In", expected one of in notin = == != exists ! gt lt'


@pytest.mark.parametrize(
    "text", ["k", "!k", "k=v", "k==v", "k!=v", "k in (a,b)", "k notin (a,b)", "k>1", "k<1", "k="]
)
def test_a_requirement_is_written_as_the_go_client_sends_it(text: str) -> None:
    assert [format_requirement(requirement) for requirement in parse_selector(text)] == [text]
