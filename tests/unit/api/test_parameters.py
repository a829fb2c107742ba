"""Query parameters are read as Go reads them."""

from __future__ import annotations

import pytest

from bacalhau.api.parameters import Kind, Parameter, parse_query
from bacalhau.errors import UserError

_PARAMETERS = (
    Parameter("name", Kind.TEXT, ""),
    Parameter("labels", Kind.LIST, ""),
    Parameter("reverse", Kind.FLAG, ""),
    Parameter("limit", Kind.COUNT, ""),
    Parameter("since", Kind.SECONDS, ""),
    Parameter("filter-status", Kind.TEXT, "", ("connected", "disconnected")),
)


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_true_has_six_spellings(text: str) -> None:
    assert parse_query(_PARAMETERS, f"reverse={text}").flag("reverse")


@pytest.mark.parametrize("query", ["", "reverse=", "reverse=0", "reverse=False", "reverse=f"])
def test_an_empty_flag_is_false(query: str) -> None:
    assert not parse_query(_PARAMETERS, query).flag("reverse")


def test_empty_parameters_are_not_given() -> None:
    arguments = parse_query(_PARAMETERS, "name=&limit=&since=&labels=&filter-status=&other=x")
    assert (
        arguments.text("name"),
        arguments.text("labels"),
        arguments.number("limit"),
        arguments.number("since"),
        arguments.text("filter-status"),
    ) == ("", "", 0, 0, "")


def test_names_match_in_any_case_and_with_underscores() -> None:
    arguments = parse_query(_PARAMETERS, "LIMIT=5&Filter_Status=Connected")
    assert arguments.number("limit") == 5
    assert arguments.text("filter-status") == "connected"


def test_repeated_lists_are_joined_and_other_repetitions_take_the_first() -> None:
    arguments = parse_query(_PARAMETERS, "labels=a%3D1&labels=&labels=b+in+(c,d)&name=x&name=y")
    assert arguments.text("labels") == "a=1,b in (c,d)"
    assert arguments.text("name") == "x"


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("limit=-1", "limit", "a whole number from 0 to 4294967295"),
        ("limit=4294967296", "limit", "a whole number from 0 to 4294967295"),
        ("limit=1e3", "limit", "a whole number"),
        ("limit=%D9%A1", "limit", "a whole number"),
        ("since=9223372036854775808", "since", "a whole number from 0 to 9223372036854775807"),
        ("reverse=yes", "reverse", "true or false"),
        ("filter-status=lost", "filter-status", "one of connected, disconnected"),
    ],
)
def test_a_refusal_names_the_parameter_and_what_it_may_be(
    query: str, name: str, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        parse_query(_PARAMETERS, query)
    assert caught.value.code == "BadRequest"
    assert caught.value.fields == (name,)
    assert f"query parameter {name} must be {expected}" in caught.value.message
