"""What a pattern finds, and the text of its groups, are what Go finds, recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bacalhau.lib.pattern import PatternError, compile_pattern

_FILE = Path(__file__).parents[2] / "data" / "go-pattern-groups.json"
_RECORDED = json.loads(_FILE.read_text(encoding="utf-8"))


def test_there_are_vectors() -> None:
    assert len(_RECORDED) >= 250


@pytest.mark.parametrize(("pattern", "text", "expected"), _RECORDED)
def test_groups_are_those_of_go(pattern: str, text: str, expected: list[str] | None) -> None:
    found = compile_pattern(pattern).find(text)
    assert found == (None if expected is None else tuple(expected))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"(\d{4})-(\d{2})", "log-2024-01-15", ("2024-01", "2024", "01")),
        ("a|ab", "ab", ("a",)),
        ("a+?(a*)", "aaa", ("aaa", "aa")),
        ("(?U)a+(a*)", "aaa", ("a", "")),
        ("(?P<user>[a-z]+)/(?:x|(y))", "bob/x", ("bob/x", "bob", "")),
        ("()", "abc", ("", "")),
        ("", "", ("",)),
        ("(a)|(b)", "b", ("b", "", "b")),
        ("((a)|b)+", "ab", ("ab", "b", "a")),
        ("z", "abc", None),
    ],
)
def test_first_match(pattern: str, text: str, expected: tuple[str, ...] | None) -> None:
    """The leftmost match; of those the one that Perl would try first."""
    assert compile_pattern(pattern).find(text) == expected


def test_groups_do_not_make_an_expression_too_large() -> None:
    assert compile_pattern("(a){1000}").find("a" * 1000) == ("a" * 1000, "a")
    with pytest.raises(PatternError, match="expression too large"):
        compile_pattern("(?:(a){100}){100}").find("a")


def test_what_would_hold_up_other_engines_takes_no_time() -> None:
    assert compile_pattern("(a*)*(a*)*(a*)*b").find("a" * 1000) is None


def test_many_different_texts_do_not_fill_the_memory() -> None:
    """The tables of what a character does are begun anew when they have grown large."""
    pattern = compile_pattern("(?:(a)|b|c){1,12}d")
    texts = [f"{number:012b}".replace("0", "a").replace("1", "b") + "d" for number in range(3000)]
    assert all(pattern.find(text) == (text, "a" if "a" in text else "") for text in texts)
